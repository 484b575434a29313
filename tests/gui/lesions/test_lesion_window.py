"""The “Lesion studio” dock in a real window: opened from the menu, painted and stamped into, closed."""

from __future__ import annotations

import numpy as np
import pytest

from lesions.conftest import SHAPE, blob
from napari_mrsynth.gui.layer_data import layer_tuple
from napari_mrsynth.gui.lesions.dock import LesionDock
from napari_mrsynth.imaging import LabelVolume
from napari_mrsynth.session import State
from phantoms import affine_of, lesion_labels, phantom, save


@pytest.mark.gui
def test_a_lesion_is_stamped_and_undone_by_the_docks_own_widgets(window, qtbot, tmp_path):
    box = (40, 40, 40)
    place = lesion_labels(box, affine_of(box, (1, 1, 1))).grid
    save(LabelVolume(blob((0, 0, 0), 12, (2, 1), place), place, "one"), tmp_path / "one_seg.nii.gz")
    data, attributes, _ = layer_tuple(phantom(SHAPE, affine_of(SHAPE, (2, 2, 2), "LPS")))
    window.add_image(data, **attributes)
    widget, dock = window.window.add_plugin_dock_widget("napari-mrsynth", "Lesion studio")
    assert isinstance(dock, LesionDock)
    dock.paint.scan_chosen.emit("T1w")
    qtbot.waitUntil(lambda: dock.session.brain is not None and not dock.session.busy, timeout=60_000)
    dock.paint.begin.click()
    dock.session.open_library(tmp_path)
    qtbot.waitUntil(lambda: dock.session.library is not None and not dock.session.busy, timeout=60_000)
    dock.stamp.random.click()
    qtbot.waitUntil(dock.run.run.isEnabled, timeout=60_000)
    dock.run.run.click()
    made = window.layers["painted tumour"]
    qtbot.waitUntil(lambda: dock.session.status.state is State.DONE, timeout=60_000)
    assert set(np.unique(made.data)) == {0, 1, 2}
    qtbot.waitUntil(lambda: "ml" in dock.paint.classes[2].text(), timeout=60_000)
    made.undo()
    qtbot.waitUntil(lambda: "ml" not in dock.paint.classes[2].text(), timeout=60_000)
    with qtbot.waitSignal(dock.destroyed, timeout=10_000):
        window.window.remove_dock_widget(widget)
        dock.deleteLater()
    assert "painted tumour" in window.layers
    assert "lesion to stamp" not in window.layers
    made.undo()
