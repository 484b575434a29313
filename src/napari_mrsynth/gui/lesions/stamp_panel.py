"""Lesions from a library: which, how large, turned how, mirrored or not, or a random one by its seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledDoubleSlider, QLabeledSlider

from napari_mrsynth.gui.widgets.pieces import heading, narrow_combo

if TYPE_CHECKING:
    from napari_mrsynth.lesions import LesionShape, Placement

ALL = -1


class StampPanel(QWidget):
    """Shows the library and the placement, and says by signals what the user changed."""

    library_asked = Signal()
    shape_chosen = Signal(str)
    part_chosen = Signal(object)
    scale_chosen = Signal(float)
    rotation_chosen = Signal(object)
    mirror_chosen = Signal(object)
    random_asked = Signal(int, bool)

    def __init__(self) -> None:
        super().__init__()
        self.open = QPushButton("Library…")
        self.open.setToolTip("Choose a folder of lesion maps of this disease")
        self.folder = QLabel("no folder is open")
        self.folder.setObjectName("muted")
        self.shape = narrow_combo("Lesion", "A lesion map of the library")
        self.part = narrow_combo("Part", "One of the separate lesions in the map, or all together")
        self.scale = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.scale.setRange(0.3, 2.0)
        self.scale.setDecimals(2)
        self.scale.setSingleStep(0.05)
        self.scale.setValue(1.0)
        self.scale.setToolTip("Size, 1 for the lesion's own")
        self.turns = [_angle(f"Turn about the {axis} axis, in degrees") for axis in ("R", "A", "S")]
        self.mirrors = [QCheckBox(text) for text in ("left-right", "front-back", "top-bottom")]
        for box in self.mirrors:
            box.setToolTip(f"Mirror the lesion {box.text()}")
        self.random = QPushButton("Random lesion")
        self.random.setToolTip("Draw a lesion of the library: turned, scaled and put somewhere in the brain")
        self.seed = QSpinBox()
        self.seed.setRange(0, 999_999)
        self.seed.setPrefix("seed ")
        self.seed.setToolTip("The same seed, library and brain give the same lesion")
        self.single = QCheckBox("single lesion")
        self.single.setChecked(True)
        self.single.setToolTip("Draw one separate lesion, not all lesions of a patient together")
        self.choice = QWidget()
        self.transform = QWidget()
        self._listed: LesionShape | None = None
        self._lay_out()
        self._connect()

    def show_library(self, folder: str, names: Sequence[str], chosen: str) -> None:
        """Show which folder is open and its maps; empty strings for none."""
        maps = f"{len(names)} map" if len(names) == 1 else f"{len(names)} maps"
        self.folder.setText(f"{folder}: {maps}" if folder else "no folder is open")
        if [self.shape.itemText(i) for i in range(self.shape.count())] != ["choose …", *names]:
            self.shape.clear()
            self.shape.addItem("choose …", "")
            for name in names:
                self.shape.addItem(name, name)
        self.shape.setCurrentIndex(max(self.shape.findData(chosen), 0))
        self.choice.setVisible(bool(folder))

    def show_parts(self, lesion: LesionShape | None, part: int | None) -> None:
        """Show the separate lesions of the chosen map; without one there is nothing to move."""
        self.transform.setVisible(lesion is not None)
        if lesion is not self._listed:
            self._list_parts(lesion)
        self.part.setCurrentIndex(max(self.part.findData(ALL if part is None else part), 0))

    def _list_parts(self, lesion: LesionShape | None) -> None:
        self._listed = lesion
        self.part.clear()
        if lesion is not None:
            parts = lesion.parts
            self.part.addItem(f"all, {lesion.volume_ml:.1f} ml", ALL)
            if len(parts) > 1:
                for index, each in enumerate(parts):
                    self.part.addItem(f"{index + 1} of {len(parts)}, {each.volume_ml:.2f} ml", index)

    def show_placement(self, placement: Placement | None) -> None:
        """Show a placement without saying that the user changed it."""
        if placement is None:
            return
        angles = [round((angle + 180) % 360 - 180) for angle in placement.rotation_deg]
        for slider, value in zip((self.scale, *self.turns), (placement.scale, *angles), strict=True):
            slider.blockSignals(True)
            slider.setValue(value)
            slider.blockSignals(False)
        for box, on in zip(self.mirrors, placement.mirror, strict=True):
            box.blockSignals(True)
            box.setChecked(on)
            box.blockSignals(False)

    def show_state(self, *, can_open: bool, has_library: bool, has_shape: bool) -> None:
        """Show what can be done now."""
        self.open.setEnabled(can_open)
        for widget in (self.shape, self.random, self.seed, self.single):
            widget.setEnabled(has_library)
        self.part.setEnabled(has_shape and self.part.count() > 1)
        self.transform.setEnabled(has_shape)

    def _connect(self) -> None:
        self.open.clicked.connect(self.library_asked)
        self.shape.activated.connect(lambda _: self.shape_chosen.emit(self.shape.currentData() or ""))
        self.part.activated.connect(lambda _: self.part_chosen.emit(self._chosen_part()))
        self.scale.valueChanged.connect(lambda value: self.scale_chosen.emit(round(value, 3)))
        for slider in self.turns:
            slider.valueChanged.connect(
                lambda _: self.rotation_chosen.emit(tuple(float(turn.value()) for turn in self.turns))
            )
        for box in self.mirrors:
            box.toggled.connect(
                lambda _: self.mirror_chosen.emit(tuple(each.isChecked() for each in self.mirrors))
            )
        self.random.clicked.connect(self._ask_random)

    def _chosen_part(self) -> int | None:
        part = self.part.currentData()
        return None if part is None or part == ALL else int(part)

    def _ask_random(self) -> None:
        seed = self.seed.value()
        self.random_asked.emit(seed, self.single.isChecked())
        self.seed.setValue(seed + 1 if seed < self.seed.maximum() else 0)

    def _lay_out(self) -> None:
        first = QHBoxLayout()
        first.addWidget(self.open)
        first.addWidget(self.folder, 1)
        choice = QFormLayout(self.choice)
        choice.setContentsMargins(0, 0, 0, 0)
        second = QHBoxLayout()
        second.addWidget(self.random, 1)
        second.addWidget(self.seed)
        second.addWidget(self.single)
        choice.addRow(second)
        choice.addRow("Lesion", self.shape)
        choice.addRow("Part", self.part)
        form = QFormLayout(self.transform)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Size", self.scale)
        for name, slider in zip(("Nod (R)", "Tilt (A)", "Turn (S)"), self.turns, strict=True):
            form.addRow(name, slider)
        mirrors = QHBoxLayout()
        for box in self.mirrors:
            mirrors.addWidget(box)
        form.addRow("Mirror", mirrors)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(6)
        whole.addWidget(heading("Stamp a lesion"))
        whole.addLayout(first)
        whole.addWidget(self.choice)
        whole.addWidget(self.transform)
        self.choice.setVisible(False)
        self.transform.setVisible(False)


def _angle(tip: str) -> QLabeledSlider:
    slider = QLabeledSlider(Qt.Orientation.Horizontal)
    slider.setRange(-180, 180)
    slider.setToolTip(tip)
    slider.setAccessibleName(tip)
    return slider
