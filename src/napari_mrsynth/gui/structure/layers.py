"""The layers of the “Structure maps” dock: those it offers, its previews, the maps that were kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import DirectLabelColormap

from napari_mrsynth.gui import marking, scene
from napari_mrsynth.gui.layer_data import Tag, layer_tuple, placed
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

    def drop_previews(self) -> None:
        """Remove the preview layers."""
        for layer in self._previews.values():
            self._remove(layer)
        self._previews.clear()

    def keep(self, made: StructureMap, *, with_brain: bool) -> Layer:
        """Add a whole map (and its brain mask) as layers of the user's, on top; return the map's."""
        self.drop_previews()
        layer = _layer(made.structure, EDGE_COLOUR, 0.9)
        self._kept = [layer]
        if with_brain:
            self._kept.insert(0, _layer(made.brain, BRAIN_COLOUR, 0.3))
        for each in self._kept:
            self._add(each)
        return layer

    def _preview(self, name: str, array: Any, plane: Plane, colour: str, opacity: float) -> None:
        layer = self._previews.get(name)
        if layer is not None and (layer not in self.viewer.layers or array is None):
            self._remove(self._previews.pop(name))
            layer = None
        if array is None:
            return
        grid = plane.volume.grid
        image = LabelVolume(array[np.newaxis], slab_of(grid, plane.index), name)
        fresh = _layer(image, colour, opacity) if layer is None else layer
        if layer is not None:
            layer.data = image.display
            layer.metadata = layer_tuple(image)[1]["metadata"]
        z, *rest = placed(grid)["translate"]  # as the scan is shown: an oblique one along its own axes
        fresh.translate = (z + plane.index * grid.display.spacing[0], *rest)
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
    data, attributes, _ = layer_tuple(image)
    record = image.source.synthetic
    if record is not None:  # of a synthetic scan: marked and saved as made by a model, like the scan
        tag = Tag("source map", image.grid, image.source, provenance=record, labels=dict(image.labels))
        attributes["metadata"] = tag.as_metadata()
    attributes["opacity"] = opacity
    colours = DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", 1: colour})
    return Labels(data, colormap=colours, **attributes)


def slab_of(grid: Grid, index: int) -> Grid:
    """Return the grid of one axial slice (display order S) of `grid`, shape (1, A, R)."""
    shown = grid.display
    step = np.eye(4)
    step[0, 3] = index
    return Grid((1, *shown.shape[1:]), Affine(shown.affine.matrix @ step))


def _is_preview(layer: Layer) -> bool:
    tag = Tag.of(layer.metadata)
    return tag is not None and tag.kind == "preview"
