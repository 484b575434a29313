"""Making images of what is painted: contrasts, anatomy, live slice, twin, real scans, Dice."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_mrsynth.gui.widgets.pieces import heading, muted, narrow_combo
from napari_mrsynth.session.status import Status

COLUMNS = 4


class ImagesPanel(QWidget):
    """Shows the choices and says by signals what the user wants."""

    ticked = Signal(str, bool)
    own_chosen = Signal(str)
    draw_asked = Signal(int)
    live_chosen = Signal(bool)
    make_asked = Signal()
    save_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.boxes: dict[str, QCheckBox] = {}
        self.models = muted()
        self.own = narrow_combo(
            "Own lesions", "Labels of the patient's own lesions: their edges are taken out of the anatomy"
        )
        self.draw = QPushButton("Draw random anatomy")
        self.draw.setToolTip("Draw one axial slice of a brain that belongs to nobody, and paint into it")
        self.seed = QSpinBox()
        self.seed.setRange(0, 999_999)
        self.seed.setPrefix("seed ")
        self.seed.setToolTip("The same seed and model draw the same anatomy")
        self.live = QCheckBox("Live: make the displayed slice after each stroke")
        self.live.setToolTip("In the axial view; what is painted is shown as an outline meanwhile")
        self.twin = QCheckBox("Healthy twin and difference")
        self.twin.setToolTip("Also make the same anatomy without the lesion, and subtract it")
        self.into = QCheckBox("Into the real scans")
        self.into.setToolTip(
            "Also paint the lesion into the scans of this patient: away from it every voxel stays"
        )
        self.make = QPushButton("Make images")
        self.make.setObjectName("go")
        self.save = QPushButton("Save images…")
        self.save.setToolTip("Write everything that was made as NIfTI, with its provenance beside it")
        self.dice = muted()
        self._line = QGridLayout()
        self._lay_out()
        self._connect()

    def show_contrasts(self, contrasts: Sequence[str], wanted: Sequence[str]) -> None:
        """Show a box for each contrast that can be made."""
        if list(contrasts) != list(self.boxes):
            for box in self.boxes.values():
                self._line.removeWidget(box)
                box.hide()
                box.deleteLater()
            self.boxes = {name: QCheckBox(name) for name in contrasts}
            for place, (name, box) in enumerate(self.boxes.items()):
                box.setAccessibleName(f"Make {name}")
                box.toggled.connect(lambda yes, name=name: self.ticked.emit(name, yes))
                self._line.addWidget(box, place // COLUMNS, place % COLUMNS)
        for name, box in self.boxes.items():
            box.blockSignals(True)
            box.setChecked(name in wanted)
            box.blockSignals(False)

    def show_own(self, labels: Sequence[str], chosen: str) -> None:
        """List the labels layers that may be the patient's own lesions."""
        entries = [("none", ""), *((name, name) for name in labels)]
        if [(self.own.itemText(i), self.own.itemData(i)) for i in range(self.own.count())] != entries:
            self.own.clear()
            for text, data in entries:
                self.own.addItem(text, data)
        self.own.setCurrentIndex(max(self.own.findData(chosen), 0))

    def show_state(
        self, *, models: str, why_not: Status | None, busy: bool, can_draw: bool, can_save: bool, real: str
    ) -> None:
        """Show what can be done now; `real` names the scans that can be painted into."""
        self.models.setText(models)
        self.models.setVisible(bool(models))
        self.make.setEnabled(why_not is None and not busy)
        told = "Make the ticked contrasts of the whole volume"
        self.make.setToolTip(told if why_not is None else f"{why_not.message} {why_not.hint}".strip())
        self.save.setEnabled(can_save and not busy)
        self.draw.setEnabled(can_draw and not busy)
        self.seed.setEnabled(can_draw and not busy)
        for widget in (*self.boxes.values(), self.own, self.twin, self.live):
            widget.setEnabled(not busy)
        self.into.setEnabled(bool(real) and not busy)
        self.into.setText(f"Into the real scans ({real})" if real else "Into the real scans")

    def show_dice(self, text: str) -> None:
        """Write the segmenter's answer."""
        self.dice.setText(f"Dice  {text}" if text else "")
        self.dice.setVisible(bool(text))

    def _connect(self) -> None:
        self.own.activated.connect(lambda _: self.own_chosen.emit(self.own.currentData() or ""))
        self.draw.clicked.connect(lambda: self.draw_asked.emit(self.seed.value()))
        self.live.toggled.connect(self.live_chosen)
        self.make.clicked.connect(self.make_asked)
        self.save.clicked.connect(self.save_asked)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Own lesions", self.own)
        random, buttons = QHBoxLayout(), QHBoxLayout()
        random.addWidget(self.draw, 1)
        random.addWidget(self.seed)
        buttons.addWidget(self.make, 2)
        buttons.addWidget(self.save, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(6)
        whole.addWidget(heading("Make images"))
        whole.addWidget(self.models)
        whole.addLayout(self._line)
        whole.addLayout(form)
        whole.addLayout(random)
        for box in (self.live, self.twin, self.into):
            whole.addWidget(box)
        whole.addLayout(buttons)
        whole.addWidget(self.dice)
        self.models.setVisible(False)
        self.dice.setVisible(False)
