"""The Compare dock in a real window: opened from the menu, every way of looking drawn, closed."""

from __future__ import annotations

import napari
import numpy as np
import pytest
from napari.layers import Layer
from qtpy.QtCore import Qt

from napari_mrsynth.errors import GridError
from napari_mrsynth.gui.compare.dock import CompareDock
from napari_mrsynth.gui.compare.stage import Way
from napari_mrsynth.gui.layer_data import layer_tuple
from phantoms import affine_of, phantom

SHAPE = (24, 28, 22)


@pytest.fixture
def window(window) -> napari.Viewer:
    """Two scans to compare are open."""
    truth = phantom(SHAPE, affine_of(SHAPE, (7.5, 7.5, 7.5)), "FLAIR")
    for image, name in ((truth, "FLAIR"), (truth.with_array(truth.array * 0.7), "made FLAIR")):
        window.add_layer(Layer.create(*layer_tuple(image, name=name)))
    return window


def choose(dock: CompareDock, qtbot) -> None:
    """Tick the prediction; the truth is found by its contrast."""
    dock.choices.predictions.item(0).setCheckState(Qt.CheckState.Checked)
    qtbot.waitUntil(lambda: dock.choices.truth_name == "FLAIR", timeout=10_000)
    assert dock.choices.ticked == ["made FLAIR"]


@pytest.mark.gui
def test_every_way_is_drawn_and_differs_from_the_others(window, qtbot):
    _, dock = window.window.add_plugin_dock_widget("napari-mrsynth", "Compare")
    assert isinstance(dock, CompareDock)
    choose(dock, qtbot)
    dock.choices.matching.setCurrentIndex(1)
    dock.run.run.click()
    assert dock.presenter.busy
    qtbot.waitUntil(lambda: dock.presenter.stage.is_on and dock.table.columnCount() > 0, timeout=120_000)
    pictures = []
    for way in (Way.SIDE, Way.SWIPE, Way.CHECKER, Way.DIFFERENCE, Way.EDGES):
        dock.ways.buttons[way].click()
        pictures.append(window.screenshot(canvas_only=True, flash=False))
    for place, picture in enumerate(pictures):
        assert picture.any()
        assert not any(np.array_equal(picture, other) for other in pictures[:place])
    with qtbot.waitSignal(dock.ways.flickered, timeout=10_000):
        dock.ways.buttons[Way.FLICKER].click()
    dock.end.click()
    qtbot.waitUntil(lambda: len(window.layers) == 2, timeout=60_000)


@pytest.mark.gui
def test_closing_the_dock_gives_the_view_back(window, qtbot):
    widget, dock = window.window.add_plugin_dock_widget("napari-mrsynth", "Compare")
    choose(dock, qtbot)
    dock.run.run.click()
    qtbot.waitUntil(lambda: dock.presenter.stage.is_on and dock.table.columnCount() > 0, timeout=120_000)
    with qtbot.waitSignal(dock.destroyed, timeout=10_000):
        window.window.remove_dock_widget(widget)
        dock.deleteLater()
    assert [layer.name for layer in window.layers] == ["FLAIR", "made FLAIR"]
    assert all(layer.visible for layer in window.layers)
    window.add_image(np.zeros((4, 5, 6)))
    window.dims.ndisplay = 3
    window.theme = "light"


@pytest.mark.gui
def test_a_comparison_whose_layer_is_removed_by_hand_ends(window, qtbot):
    _, dock = window.window.add_plugin_dock_widget("napari-mrsynth", "Compare")
    choose(dock, qtbot)
    dock.run.run.click()
    qtbot.waitUntil(dock.end.isVisible, timeout=60_000)
    window.layers.remove("comparison")
    qtbot.waitUntil(
        lambda: [layer.name for layer in window.layers] == ["FLAIR", "made FLAIR"], timeout=20_000
    )
    assert all(layer.visible for layer in window.layers)
    assert not dock.end.isVisible()
    assert "ended" in dock.run.message.text()


@pytest.mark.gui
def test_a_comparison_that_cannot_be_shown_leaves_the_window_as_it_was(window, qtbot, monkeypatch):
    _, dock = window.window.add_plugin_dock_widget("napari-mrsynth", "Compare")
    choose(dock, qtbot)

    def fail(*_):
        assert "Compared" not in dock.run.message.text()
        raise GridError("It does not fit.")

    monkeypatch.setattr(dock.presenter.stage, "look", fail)
    dock.run.run.click()
    qtbot.waitUntil(lambda: "It does not fit" in dock.run.message.text(), timeout=120_000)
    assert [(layer.name, layer.visible) for layer in window.layers] == [("FLAIR", True), ("made FLAIR", True)]
    assert not dock.presenter.stage.is_on
