"""The study as a table: one row per contrast, or a welcome where there is no patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from napari_mrsynth.gui.widgets.contrast_row import ContrastRowWidget
from napari_mrsynth.gui.widgets.pieces import muted
from napari_mrsynth.session.rows import ContrastRow


class StudyTable(QWidget):
    """Shows the contrasts of a study."""

    switched = Signal(str, bool)
    renamed = Signal(str, str)
    align_asked = Signal(str)
    undo_asked = Signal(str)
    layer_asked = Signal(str)
    reference_asked = Signal(str)
    removal_asked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, ContrastRowWidget] = {}
        self._shown: tuple[object, ...] = ()
        self._list = QVBoxLayout()
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(0)
        self.welcome = _welcome()
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.welcome)
        whole.addLayout(self._list)

    def show_rows(
        self, rows: Sequence[ContrastRow], pictures: Mapping[str, QPixmap], layers: Mapping[str, str]
    ) -> None:
        """Show `rows`; a row that only switched on or off keeps its widget, and so the keyboard's focus."""
        shape = tuple((row.contrast, row.chip, row.confidence, layers.get(row.contrast, "")) for row in rows)
        if shape == self._shown:
            for row in rows:
                self._refresh(row)
            return
        self._shown = shape
        for widget in self.rows.values():
            self._list.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self.rows = {}
        for row in rows:
            widget = ContrastRowWidget(row, pictures[row.contrast], layers.get(row.contrast, ""))
            for name in (
                "switched",
                "renamed",
                "align_asked",
                "undo_asked",
                "layer_asked",
                "reference_asked",
            ):
                getattr(widget, name).connect(getattr(self, name))
            widget.removal_asked.connect(self.removal_asked)
            self._list.addWidget(widget)
            self.rows[row.contrast] = widget
        self.welcome.setVisible(not rows)

    def _refresh(self, row: ContrastRow) -> None:
        self.rows[row.contrast].name.setCurrentText(row.contrast)
        switch = self.rows[row.contrast].switch
        switch.blockSignals(True)
        switch.setChecked(row.on)
        switch.blockSignals(False)


def _welcome() -> QFrame:
    frame = QFrame()
    frame.setObjectName("welcome")
    headline = QLabel("Drop a patient's folder here")
    headline.setObjectName("headline")
    headline.setAlignment(Qt.AlignmentFlag.AlignCenter)
    lines = muted(
        "or open a folder, files or a sample above.\n"
        "NIfTI, DICOM, MGZ, NRRD and MHA are read, and the contrasts recognised from their names and headers."
    )
    lines.setAlignment(Qt.AlignmentFlag.AlignCenter)
    inside = QVBoxLayout(frame)
    inside.setContentsMargins(14, 22, 14, 22)
    inside.addWidget(headline)
    inside.addWidget(lines)
    return frame
