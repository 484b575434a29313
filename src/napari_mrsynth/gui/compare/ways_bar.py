"""The buttons for the ways of looking, and the slider of those that have something to set."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_mrsynth.gui.compare.stage import Way
from napari_mrsynth.gui.widgets.pieces import muted, pick_button

_WAYS = (
    (Way.SIDE, "Side by side", "Truth and predictions beside one another, with one camera"),
    (Way.SWIPE, "Swipe", "Truth on the left of a border that you move"),
    (Way.CHECKER, "Checkerboard", "Tiles of both in turn: edges must go on across tiles"),
    (Way.FLICKER, "Flicker", "Both in turn in one place: what jumps is different"),
    (Way.DIFFERENCE, "Difference", "Prediction minus truth, in colour"),
    (Way.EDGES, "Edges", "The prediction with the truth's edges over it"),
)
_SAID = {
    Way.SIDE: "Left to right as written on the canvas; one camera and one slice for all.",
    Way.SWIPE: "Truth left of the border, prediction right of it.",
    Way.CHECKER: "Edges that break off at a tile's side are in the wrong place.",
    Way.FLICKER: "What jumps or changes brightness differs.",
    Way.DIFFERENCE: "Red: prediction too bright. Blue: too dark. Black: right.",
    Way.EDGES: "The truth's edges in yellow over the prediction.",
}
_SLIDERS = {  # what it sets, its range and its value
    Way.SWIPE: ("Border", 0, 100, 50, "%"),
    Way.CHECKER: ("Tiles", 5, 60, 20, "mm"),
    Way.FLICKER: ("Every", 100, 2000, 500, "ms"),
}


class WaysBar(QWidget):
    """Six buttons of which one is down, a slider, and which prediction is looked at.

    Attributes
    ----------
    way_chosen : Signal of Way
    slid : Signal of (Way, int)
        The slider of a way was moved, in the unit that stands beside it.
    flickered : Signal
        It is time to show the other image.
    prediction_chosen : Signal of int
    """

    way_chosen = Signal(object)
    slid = Signal(object, int)
    flickered = Signal()
    prediction_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._way = Way.SIDE
        self._values = {way: value for way, (_, _, _, value, _) in _SLIDERS.items()}
        self.buttons = {way: pick_button(text, tip) for way, text, tip in _WAYS}
        self._group = QButtonGroup(self)
        for way, button in self.buttons.items():
            self._group.addButton(button)
            button.clicked.connect(lambda _=False, way=way: self.way_chosen.emit(way))
        self.prediction = QComboBox()
        self.prediction.setToolTip("Which prediction is looked at")
        self.prediction.activated.connect(self.prediction_chosen)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.valueChanged.connect(self._slide)
        self._what, self._value = QLabel(), QLabel()
        self._value.setMinimumWidth(52)
        self.caption = muted()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.flickered)
        self._row = QWidget()
        self._lay_out()
        self.show_way(Way.SIDE, running=False)

    def show_predictions(self, names: Sequence[str]) -> None:
        """Offer the predictions; with one there is nothing to choose."""
        self.prediction.clear()
        self.prediction.addItems(list(names))
        self.prediction.setVisible(len(names) > 1)

    def show_way(self, way: Way, *, running: bool) -> None:
        """Show which way is looked in; `running` whether a comparison is shown."""
        self._way = way
        self.buttons[way].setChecked(True)
        self.caption.setText(_SAID[way])
        self._row.setVisible(way in _SLIDERS)
        if way in _SLIDERS:
            what, low, high, _, _ = _SLIDERS[way]
            self.slider.blockSignals(True)
            self.slider.setRange(low, high)
            self.slider.setValue(self._values[way])
            self.slider.blockSignals(False)
            self.slider.setAccessibleName(what)
            self._what.setText(what)
            self._show_value()
        if running and way is Way.FLICKER:
            self._timer.start(self._values[way])
        else:
            self._timer.stop()

    def _slide(self, value: int) -> None:
        if self._way not in _SLIDERS:
            return
        self._values[self._way] = value
        self._show_value()
        if self._way is Way.FLICKER and self._timer.isActive():
            self._timer.start(value)
        self.slid.emit(self._way, value)

    def _show_value(self) -> None:
        self._value.setText(f"{self._values[self._way]} {_SLIDERS[self._way][4]}")

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setSpacing(4)
        for place, button in enumerate(self.buttons.values()):
            grid.addWidget(button, place // 3, place % 3)
        row = QHBoxLayout(self._row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._what)
        row.addWidget(self.slider, 1)
        row.addWidget(self._value)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(5)
        whole.addWidget(self.prediction)
        whole.addLayout(grid)
        whole.addWidget(self._row)
        whole.addWidget(self.caption)
