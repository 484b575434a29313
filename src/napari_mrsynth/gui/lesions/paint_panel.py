"""Which scan, which disease, and the painting: classes with their colours, tools, brush sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_mrsynth.gui.widgets.pieces import fill_combo, heading, muted, narrow_combo, pick_button
from napari_mrsynth.lesions import LABEL_SETS, LabelSet

TOOLS = (
    ("paint", "Brush", "Paint the chosen class"),
    ("erase", "Eraser", "Erase with the brush"),
    ("fill", "Fill", "Fill the connected area under the cursor with the chosen class"),
    ("pan_zoom", "Move", "Move and zoom the picture; a click puts the lesion to stamp there"),
    ("remove", "Remove lesion", "A click erases the whole connected lesion under it"),
)
BRUSHES_MM = (("Fine", 2.0), ("Medium", 6.0), ("Broad", 14.0))
EMPTY = "nothing: empty labels"


class PaintPanel(QWidget):
    """Shows the choices and says by signals what the user wants."""

    scan_chosen = Signal(str)
    disease_chosen = Signal(str)
    begin_asked = Signal(str)
    class_chosen = Signal(int)
    tool_chosen = Signal(str)
    brush_chosen = Signal(float, bool)
    clear_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.scan = narrow_combo("Scan", "The scan whose brain the lesions are painted into")
        self.disease = narrow_combo("Disease", "Whose classes of lesion tissue are painted")
        for classes in LABEL_SETS.values():
            self.disease.addItem(classes.title, classes.id)
        self.start = narrow_combo("Begin with", "Paint on empty labels, or on a copy of a labels layer")
        self.begin = QPushButton("Start painting")
        self.begin.setToolTip("Add a labels layer with the disease's classes and select the brush")
        self.classes: dict[int, QToolButton] = {}
        self.tools = {mode: pick_button(text, tip) for mode, text, tip in TOOLS}
        self.brushes = {
            diameter: pick_button(f"{text} {diameter:g} mm", f"{text} brush, {diameter:g} mm across")
            for text, diameter in BRUSHES_MM
        }
        self.solid = QCheckBox("Ball (3D)")
        self.solid.setToolTip("Paint a ball through the slices instead of a disc on this one")
        self.clear = QPushButton("Erase all")
        self.clear.setObjectName("small")
        self.clear.setToolTip("Erase everything that is painted; Ctrl+Z brings it back")
        self.outside = muted()
        self._class_line = QVBoxLayout()
        self._class_group = QButtonGroup(self)
        self._groups = [self._group(self.tools.values()), self._group(self.brushes.values())]
        self.painting = QWidget()
        self._lay_out()
        self._connect()

    def offer(self, scans: Sequence[str], labels: Sequence[str], scan: str) -> None:
        """List the layers there are and show which scan is chosen; empty for none."""
        fill_combo(self.scan, [("choose a scan …", ""), *((name, name) for name in scans)], scan)
        kept = str(self.start.currentData() or "")
        fill_combo(self.start, [(EMPTY, ""), *((name, name) for name in labels)], kept)

    def show_classes(self, classes: LabelSet) -> None:
        """Show one button per class, in its colour."""
        self.disease.setCurrentIndex(self.disease.findData(classes.id))
        for button in self.classes.values():
            self._class_group.removeButton(button)
            self._class_line.removeWidget(button)
            button.deleteLater()
        self.classes = {}
        for each in classes.classes:
            button = pick_button(each.name, f"Paint {each.name} (label {each.value})")
            button.setIcon(_square(each.colour))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setProperty("plain", each.name)
            button.clicked.connect(lambda _=False, value=each.value: self.class_chosen.emit(value))
            self._class_group.addButton(button)
            self._class_line.addWidget(button)
            self.classes[each.value] = button
        next(iter(self.classes.values())).setChecked(True)

    def show_volumes(self, volumes_ml: Mapping[int, float], outside_ml: float) -> None:
        """Write how much of each class is painted, and how much of it lies outside the brain."""
        for value, button in self.classes.items():
            name, volume = button.property("plain"), volumes_ml.get(value, 0.0)
            button.setText(f"{name}  ·  {volume:.2f} ml" if volume else str(name))
        self.outside.setText(f"{outside_ml:.2f} ml lies outside the brain." if outside_ml else "")

    def show_state(self, *, can_choose: bool, can_begin: bool, painting: bool, tool: str, value: int) -> None:
        """Show what can be done now, and which tool and class of the layer are in use."""
        self.scan.setEnabled(can_choose)
        self.disease.setEnabled(can_choose)
        self.begin.setEnabled(can_begin)
        self.start.setEnabled(can_begin)
        self.painting.setEnabled(painting)
        for mode, button in self.tools.items():
            button.setChecked(painting and mode == tool)
        if value in self.classes:
            self.classes[value].setChecked(True)

    @property
    def brush(self) -> tuple[float, bool]:
        """The chosen diameter in mm, and whether the brush is a ball."""
        diameter = next((mm for mm, button in self.brushes.items() if button.isChecked()), 6.0)
        return diameter, self.solid.isChecked()

    def _connect(self) -> None:
        self.scan.activated.connect(lambda _: self.scan_chosen.emit(self.scan.currentData() or ""))
        self.disease.activated.connect(lambda _: self.disease_chosen.emit(self.disease.currentData()))
        self.begin.clicked.connect(lambda: self.begin_asked.emit(self.start.currentData() or ""))
        for mode, button in self.tools.items():
            button.clicked.connect(lambda _=False, mode=mode: self.tool_chosen.emit(mode))
        for button in self.brushes.values():
            button.clicked.connect(lambda _=False: self.brush_chosen.emit(*self.brush))
        self.brushes[6.0].setChecked(True)
        self.solid.toggled.connect(lambda _: self.brush_chosen.emit(*self.brush))
        self.clear.clicked.connect(self.clear_asked)

    def _group(self, buttons: Iterable[QToolButton]) -> QButtonGroup:
        group = QButtonGroup(self)
        for button in buttons:
            group.addButton(button)
        return group

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Scan", self.scan)
        form.addRow("Disease", self.disease)
        form.addRow("Begin with", self.start)
        self._class_line.setSpacing(3)
        first, second, third = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        for line in (first, second, third):
            line.setSpacing(4)
        for mode in ("paint", "erase", "fill"):
            first.addWidget(self.tools[mode])
        for mode in ("pan_zoom", "remove"):
            second.addWidget(self.tools[mode])
        for button in self.brushes.values():
            third.addWidget(button)
        inside = QVBoxLayout(self.painting)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(5)
        inside.addWidget(heading("Paint"))
        inside.addLayout(self._class_line)
        for line in (first, second, third):
            inside.addLayout(line)
        last = QHBoxLayout()
        last.addWidget(self.solid)
        last.addWidget(self.outside, 1)
        last.addWidget(self.clear)
        inside.addLayout(last)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(6)
        whole.addWidget(heading("Brain"))
        whole.addLayout(form)
        whole.addWidget(self.begin)
        whole.addWidget(self.painting)


def _square(colour: str) -> QIcon:
    picture = QPixmap(14, 14)
    picture.fill(QColor(colour))
    return QIcon(picture)
