"""A list of patients: what each has, who is left out and why, and who is kept for measuring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import (
    QAbstractItemView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
)

from napari_mrsynth.gui.training.patients import Patient
from napari_mrsynth.session.rows import in_field_order

_NAME, _HAS = 0, 1
_LEFT_OUT = Qt.ItemDataRole.UserRole
_MUTED = 0.68
"""How opaque the words on who is left out are, as muted labels: faint, and yet read in any theme."""
_WIDEST_NAME = 150
"""Pixels of the first column: what a patient has, or why it is left out, stays in sight."""


def shortened(name: str, most: int = 26) -> str:
    """Return a name with its middle left out where it is too long for a button."""
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"


class _Muting(QStyledItemDelegate):
    """Draws who is left out in a muted colour of the theme that is shown now."""

    def initStyleOption(self, option: QStyleOptionViewItem | None, index: QModelIndex) -> None:  # noqa: N802
        super().initStyleOption(option, index)
        if option is not None and index.data(_LEFT_OUT):
            palette = option.palette
            colour = palette.text().color()
            colour.setAlphaF(_MUTED)
            palette.setColor(QPalette.ColorRole.Text, colour)
            option.palette = palette


class PatientList(QTreeWidget):
    """Rows of patients.

    Parameters
    ----------
    held_out : bool
        Whether a tick at each says that the patient is held out.

    Attributes
    ----------
    held_out_chosen : Signal of tuple of str
        The ids of those that are ticked now.
    """

    held_out_chosen = Signal(tuple)

    def __init__(self, *, held_out: bool = False) -> None:
        super().__init__()
        self._ticks = held_out
        self._rows: list[tuple[str, str, bool]] = []
        self._held: set[str] = set()
        self.setHeaderLabels(["Held out" if held_out else "Patient", "Scans"])
        self.setRootIsDecorated(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setMinimumHeight(96)
        self.setMaximumHeight(150)
        self.setAccessibleName("Patients")
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setItemDelegate(_Muting(self))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.itemChanged.connect(self._tick)

    @property
    def chosen(self) -> str | None:
        """The id of the selected patient."""
        item = self.currentItem()
        return None if item is None else item.text(_NAME)

    @property
    def ticked(self) -> tuple[str, ...]:
        """Ids of the patients that are ticked."""
        items = (self.topLevelItem(row) for row in range(self.topLevelItemCount()))
        return tuple(i.text(_NAME) for i in items if i is not None and _is_ticked(i))

    @property
    def held(self) -> frozenset[str]:
        """Ids of everybody who is or was ticked, left out now or not."""
        return frozenset(self._held)

    def hold_out(self, ids: Iterable[str]) -> None:
        """Tick these and nobody else when patients are shown next."""
        self._held = set(ids)
        self._rows = []

    def show_patients(
        self, patients: Sequence[Patient], wanted: Sequence[str], at_least: int | None = None
    ) -> list[str]:
        """Show who can be used for contrasts and who is left out; a tick outlives being left out for a while.

        Parameters
        ----------
        patients : sequence of Patient
        wanted : sequence of str
        at_least : int, optional
            How many of `wanted` suffice; all if not given.

        Returns
        -------
        list of str
            Why each is left out; empty where it is not.
        """
        reasons = [patient.left_out(wanted, at_least) for patient in patients]
        rows = [
            (
                patient.id,
                f"left out: {reason}" if reason else ", ".join(in_field_order(patient.among(wanted))),
                not reason,
            )
            for patient, reason in zip(patients, reasons, strict=True)
        ]
        if rows == self._rows:  # a tick must not rebuild the list whose tick is being told
            return reasons
        self._rows = rows
        self.blockSignals(True)
        self.clear()
        for (name, text, usable), patient in zip(rows, patients, strict=True):
            item = QTreeWidgetItem([name, text])
            item.setToolTip(_NAME, str(patient.folder))
            item.setToolTip(_HAS, text)
            if not usable:  # greyed but not disabled: who is left out can be selected and removed
                for column in (_NAME, _HAS):
                    item.setData(column, _LEFT_OUT, True)
            elif self._ticks:
                on = name in self._held
                item.setCheckState(_NAME, Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.addTopLevelItem(item)
        self.blockSignals(False)
        self.resizeColumnToContents(_NAME)
        self.setColumnWidth(_NAME, min(self.columnWidth(_NAME), _WIDEST_NAME))
        return reasons

    def _tick(self, item: QTreeWidgetItem) -> None:
        (self._held.add if _is_ticked(item) else self._held.discard)(item.text(_NAME))
        self.held_out_chosen.emit(self.ticked)


def _is_ticked(item: QTreeWidgetItem) -> bool:
    return item.data(_NAME, Qt.ItemDataRole.CheckStateRole) is not None and (
        item.checkState(_NAME) == Qt.CheckState.Checked
    )
