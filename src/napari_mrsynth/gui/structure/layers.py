"""The layers of the “Structure maps” dock: those it offers, its previews, the maps that were kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import DirectLabelColormap

from napari_mrsynth.gui import marking, scene
from napari_mrsynth.gui.layer_data import Tag, placed
from napari_mrsynth.imaging.geometry import Affine, Grid
from napari_mrsynth.imaging.volume import LabelVolume, Volume

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_mrsynth.gui.structure.session import Plane
    from napari_mrsynth.structure import StructureMap

EDGE_COLOUR, BRAIN_COLOUR = "#ffd23f", "#3fb6ff"
_EDGES, _BRAIN = "structure (preview)", "brain mask (preview)"


class StructureLayers:
    """The one class of the dock that touches the viewer.

    Layers of previews belong to this class, which removes them; kept maps belong to the user.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        With or without a window.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self._previews: dict[str, Labels] = {}
        self._kept: list[Labels] = []
        marking.watch(viewer)

    @property
    def scans(self) -> list[Image]:
        """The layers a map can be made of: 3D, one channel, not a preview."""
        return [
            layer
            for layer in self.viewer.layers
            if isinstance(layer, Image)
            and layer.ndim == 3
            and not layer.rgb
            and not layer.multiscale
            and not _is_preview(layer)
        ]

    @property
    def labels(self) -> list[Labels]:
        """The 3D labels layers that are not the dock's own."""
        own = set(self._previews.values())
        return [x for x in self.viewer.layers if isinstance(x, Labels) and x.ndim == 3 and x not in own]

    def displayed_slice(self, volume: Volume) -> int | None:
        """Return the axial slice of `volume` that is shown (display order S); None unless axial."""
        return scene.slice_on(self.viewer, volume.grid)

    def show_plane(self, plane: Plane, *, with_brain: bool) -> None:
        """Show a preview on its slice, each part as a layer one slice thick; maps kept before are hidden."""
        for layer in self._kept:
            layer.visible = False
        self._kept.clear()
        brain = plane.brain if with_brain else None
        self._preview(_BRAIN, brain, plane, BRAIN_COLOUR, 0.3)
        self._preview(_EDGES, plane.structure, plane, EDGE_COLOUR, 0.9)

    def go_to(self, grid: Grid) -> None:
        """Show the middle axial slice of a grid."""
        scene.look_at(self.viewer, scene.Plane.AXIAL)
        shown = grid.display
        height_mm = shown.affine.apply((np.array(shown.shape) - 1) / 2)[2]
        self.viewer.dims.set_point(self.viewer.dims.ndim - 3, float(height_mm))

    def hide_previews(self) -> None:
        """Hide the preview layers until the next preview: removing a layer takes napari most of a second."""
        for layer in self._previews.values():
            layer.visible = False

    def drop_previews(self) -> None:
        """Remove the preview layers."""
        for layer in self._previews.values():
            self._remove(layer)
        self._previews.clear()

    def keep(self, made: StructureMap, *, with_brain: bool) -> Layer:
        """Add a whole map (and its brain mask) as layers of the user's; return the map's.

        The preview's layers become them: cheaper than other layers. Maps kept before are hidden.
        """
        for layer in self._kept:
            layer.visible = False
        self._kept = []
        if with_brain:
            self._kept.append(self._grown(_BRAIN, made.brain, BRAIN_COLOUR, 0.3))
        self._kept.append(self._grown(_EDGES, made.structure, EDGE_COLOUR, 0.9))
        self.hide_previews()
        return self._kept[-1]

    def _grown(self, preview: str, image: LabelVolume, colour: str, opacity: float) -> Labels:
        layer = self._previews.pop(preview, None)
        if layer is None or layer not in self.viewer.layers:
            layer = _layer(image, colour, opacity)
            self._add(layer)
            return layer
        _turn_into(layer, image)
        layer.name = image.name
        layer.visible = True
        return layer

    def _preview(self, name: str, array: Any, plane: Plane, colour: str, opacity: float) -> None:
        layer = self._previews.get(name)
        if layer is not None and layer not in self.viewer.layers:  # the user removed it
            layer = None
        if array is None:
            if layer is not None:
                layer.visible = False
            return
        grid = plane.volume.grid
        image = LabelVolume(array[np.newaxis], slab_of(grid, plane.index), name)
        fresh = _layer(image, colour, opacity) if layer is None else layer
        if layer is not None:
            _turn_into(layer, image)
        z, *rest = placed(grid)["translate"]  # as the scan is shown: an oblique one along its own axes
        fresh.translate = (z + plane.index * grid.display.spacing[0], *rest)
        fresh.visible = True
        if layer is None:
            self._previews[name] = fresh
            self._add(fresh)

    def _add(self, layer: Labels) -> None:
        """Add a layer without taking the selection from the user's."""
        selected = set(self.viewer.layers.selection)
        self.viewer.add_layer(layer)
        if selected:
            self.viewer.layers.selection = selected

    def _remove(self, layer: Layer) -> None:
        if layer in self.viewer.layers:
            self.viewer.layers.remove(layer)


def _layer(image: LabelVolume, colour: str, opacity: float) -> Labels:
    colours = DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", 1: colour})
    attributes = {**placed(image.grid), "metadata": _metadata(image), "name": image.name}
    return Labels(image.display, colormap=colours, opacity=opacity, **attributes)


def _turn_into(layer: Labels, image: LabelVolume) -> None:
    """Make a layer show another image; its name and colours stay."""
    layer.data = image.display
    place = placed(image.grid)
    layer.scale, layer.translate = place["scale"], place["translate"]
    layer.metadata = _metadata(image)


def _metadata(image: LabelVolume) -> dict[str, Any]:
    """Return the layer metadata; a map of a synthetic scan is marked and saved as the scan is."""
    record = image.source.synthetic
    kind = "labels" if record is None else "source map"
    return Tag(kind, image.grid, image.source, provenance=record, labels=dict(image.labels)).as_metadata()


def slab_of(grid: Grid, index: int) -> Grid:
    """Return the grid of one axial slice (display order S) of `grid`, shape (1, A, R)."""
    shown = grid.display
    step = np.eye(4)
    step[0, 3] = index
    return Grid((1, *shown.shape[1:]), Affine(shown.affine.matrix @ step))


def _is_preview(layer: Layer) -> bool:
    tag = Tag.of(layer.metadata)
    return tag is not None and tag.kind == "preview"
