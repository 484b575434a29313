"""The menu items: each opens the dock, or finds it, and presses one of its buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image

from napari_mrsynth.errors import MrsynthError

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_mrsynth.gui.dock import SynthesisDock


def open_patient() -> None:
    """Ask for a patient's folder and open it in the dock."""
    the_dock().load.folder_asked.emit()


def synthesise_layers() -> None:
    """Add the selected layers (all scans of the viewer, where none is selected) to the dock's study."""
    dock = the_dock()
    viewer = _viewer()
    spare = dock.presenter.adapter.spare_layers
    images = [layer for layer in spare if isinstance(layer, Image)]
    selected = [layer for layer in images if layer in viewer.layers.selection]
    dock.load.layers_chosen.emit([layer.name for layer in selected or images])


def save_synthetic() -> None:
    """Ask for a folder and save the last synthesis."""
    the_dock().run.save_asked.emit()


def the_dock() -> SynthesisDock:
    """Return the dock of the current window, opening it if need be."""
    _, dock = _viewer().window.add_plugin_dock_widget("napari-mrsynth", "Synthesis")
    found: SynthesisDock = dock
    return found


def _viewer() -> Viewer:
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is None:
        raise MrsynthError("There is no napari window.", hint="Open one first.")
    return viewer
