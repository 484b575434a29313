"""What to make: a tick for each contrast that the model can produce."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QWidget

from napari_mrsynth.gui.widgets.pieces import chip, muted
from napari_mrsynth.session.rows import MakeRow, Need

_WORDS = {Need.MISSING: "missing", Need.OFF: "off – can be compared", Need.IN_USE: "in use"}


class MakePanel(QWidget):
    """Shows the contrasts that can be made and which are ticked."""

    ticked = Signal(str, bool)

    def __init__(self) -> None:
        super().__init__()
        self.boxes: dict[str, QCheckBox] = {}
        self._chips: dict[str, QLabel] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(5)
        self._grid.setColumnStretch(0, 1)
        self._nothing = muted("Open a patient to see what can be made.")
        self._grid.addWidget(self._nothing, 0, 0)

    def show_rows(self, rows: Sequence[MakeRow]) -> None:
        """Show `rows`, keeping the boxes that are already there."""
        if [row.contrast for row in rows] != list(self.boxes):
            self._rebuild(rows)
        for row in rows:
            box = self.boxes[row.contrast]
            box.blockSignals(True)
            box.setChecked(row.ticked)
            box.blockSignals(False)
            box.setEnabled(row.need is not Need.IN_USE)
            box.setToolTip(row.explanation)
            badge = self._chips[row.contrast]
            badge.setText(_WORDS[row.need])
            badge.setToolTip(row.explanation)
            badge.setProperty("chip", row.need.value)
            style = badge.style()
            if style is not None:
                style.unpolish(badge)
                style.polish(badge)

    def _rebuild(self, rows: Sequence[MakeRow]) -> None:
        for widget in (*self.boxes.values(), *self._chips.values()):
            self._grid.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self.boxes, self._chips = {}, {}
        self._nothing.setVisible(not rows)
        for place, row in enumerate(rows, start=1):
            box = QCheckBox(row.contrast)
            box.setAccessibleName(f"Make {row.contrast}")
            box.toggled.connect(lambda yes, name=row.contrast: self.ticked.emit(name, yes))
            badge = chip("", row.need.value)
            self._grid.addWidget(box, place, 0)
            self._grid.addWidget(badge, place, 1, Qt.AlignmentFlag.AlignRight)
            self.boxes[row.contrast], self._chips[row.contrast] = box, badge
