"""The “Structure maps” dock in a real window: opened from the menu, driven by its own widgets, closed."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QTimer

from napari_mrsynth.gui.layer_data import layer_tuple
from napari_mrsynth.gui.structure.dock import StructureDock
from napari_mrsynth.session import State
from napari_mrsynth.structure import map_plane
from phantoms import phantom


@pytest.mark.gui
def test_from_a_scan_to_a_kept_map_by_its_widgets(window, qtbot):
    scan = phantom((72, 88, 64), contrast="T1w", noise=0.02)
    data, attributes, _ = layer_tuple(scan)
    window.add_image(data, **attributes)
    _, dock = window.window.add_plugin_dock_widget("napari-mrsynth", "Structure maps")
    assert isinstance(dock, StructureDock)
    qtbot.waitUntil(lambda: "structure (preview)" in window.layers, timeout=60_000)
    late = []
    ticking = QTimer()
    ticking.timeout.connect(lambda: late.append(1))
    ticking.start(5)
    dock.panel.beta.setValue(0.02)
    index = dock.presenter.layers.displayed_slice(scan)
    wanted, _ = map_plane(scan, index, dock.session.settings)
    preview = window.layers["structure (preview)"]
    qtbot.waitUntil(lambda: np.array_equal(preview.data[0], wanted), timeout=60_000)
    dock.run.run.click()
    qtbot.waitUntil(lambda: dock.session.status.state is State.DONE, timeout=60_000)
    assert late, "the window did not live meanwhile"
    assert window.layers["structure map of T1w"].data[index].sum() == wanted.sum()


@pytest.mark.gui
def test_the_dock_lets_go_when_it_is_closed(window, qtbot):
    data, attributes, _ = layer_tuple(phantom())
    window.add_image(data, **attributes)
    widget, dock = window.window.add_plugin_dock_widget("napari-mrsynth", "Structure maps")
    qtbot.waitUntil(lambda: "structure (preview)" in window.layers, timeout=60_000)
    with qtbot.waitSignal(dock.destroyed, timeout=10_000):
        window.window.remove_dock_widget(widget)
        dock.deleteLater()
    assert "structure (preview)" not in window.layers
    window.add_image(np.zeros((4, 5, 6)))
    window.dims.ndisplay = 3
    window.theme = "light"
