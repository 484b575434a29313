"""How to look at the patient: the three planes, and which side of the screen is the patient's right."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from napari_mrsynth.gui.scene import Plane, Side
from napari_mrsynth.gui.widgets.pieces import pick_button

_PLANES = ((Plane.AXIAL, "Axial"), (Plane.SAGITTAL, "Sagittal"), (Plane.CORONAL, "Coronal"))
_SIDES: tuple[tuple[Side, str, str], ...] = (
    ("radiological", "Radiological", "The patient's right on the left of the screen"),
    ("neurological", "Neurological", "The patient's right on the right of the screen"),
)


class ViewBar(QWidget):
    """Two rows of buttons of which one each is down."""

    plane_chosen = Signal(object)
    side_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.planes = {plane: pick_button(text, f"Show {text.lower()} slices") for plane, text in _PLANES}
        self.sides = {side: pick_button(text, tip) for side, text, tip in _SIDES}
        for plane, button in self.planes.items():
            button.clicked.connect(lambda _=False, plane=plane: self.plane_chosen.emit(plane))
        for side, button in self.sides.items():
            button.clicked.connect(lambda _=False, side=side: self.side_chosen.emit(side))
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(4)
        self._groups = [
            self._row(whole, list(self.planes.values())),
            self._row(whole, list(self.sides.values())),
        ]

    def show_view(self, plane: Plane | None, side: Side | None) -> None:
        """Show which buttons are down; none where the viewer shows something else."""
        for group, buttons, chosen in (
            (self._groups[0], self.planes, plane),
            (self._groups[1], self.sides, side),
        ):
            group.setExclusive(False)
            for key, button in buttons.items():
                button.setChecked(key == chosen)
            group.setExclusive(True)

    def _row(self, whole: QVBoxLayout, buttons: list[QToolButton]) -> QButtonGroup:
        line = QHBoxLayout()
        line.setSpacing(4)
        group = QButtonGroup(self)
        for button in buttons:
            line.addWidget(button)
            group.addButton(button)
        whole.addLayout(line)
        return group
