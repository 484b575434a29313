"""The list of places where a prediction is most wrong; a click goes there."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem

from napari_mrsynth.evaluation.places import Place


class PlacesList(QListWidget):
    """Worst places, the worst first.

    Attributes
    ----------
    place_chosen : Signal of Place
    """

    place_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._places: tuple[Place, ...] = ()
        self.setAccessibleName("Worst places")
        self.itemClicked.connect(self._choose)
        self.itemActivated.connect(self._choose)
        self.setMinimumHeight(96)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Eight rows."""
        return QSize(320, 150)

    def show_places(self, places: Sequence[Place]) -> None:
        """Show the places."""
        self._places = tuple(places)
        self.clear()
        for number, place in enumerate(self._places, start=1):
            item = QListWidgetItem(f"{number}. {in_words(place)}")
            item.setToolTip("Mean absolute error over a cube of 1 cm; click to go there")
            self.addItem(item)

    def _choose(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.place_chosen.emit(self._places[self.row(item)])


def in_words(place: Place) -> str:
    """Return a place as ``34 R, 20 P, 45 S mm: off by 120, too bright``."""
    x, y, z = place.point_mm
    where = (
        f"{abs(x):.0f} {'R' if x >= 0 else 'L'}, {abs(y):.0f} {'A' if y >= 0 else 'P'}, "
        f"{abs(z):.0f} {'S' if z >= 0 else 'I'} mm"
    )
    if abs(place.bias) < 0.5 * place.mae:
        return f"{where}: off by {place.mae:.3g}"
    return f"{where}: off by {place.mae:.3g}, too {'bright' if place.bias > 0 else 'dark'}"
