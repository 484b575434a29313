"""The layers of the “Lesion studio” dock: the labels that are painted, and the lesion about to be stamped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_mrsynth.gui.layer_data import image_of, layer_tuple, placed
from napari_mrsynth.imaging.geometry import Grid
from napari_mrsynth.imaging.volume import LabelVolume
from napari_mrsynth.lesions import LabelSet, PlacedLesion
from napari_mrsynth.lesions.placing import Triple
from napari_mrsynth.lesions.shape import box_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

GHOST = "lesion to stamp"
TREMBLE = 4
"""So many mouse moves still make a click, and not a drag."""


class LesionLayers:
    """The one class of the dock that touches the viewer.

    The ghost belongs to this class, which removes it; the painted labels belong to the user.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        With or without a window.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self.painted: Labels | None = None
        self._ghost: Labels | None = None

    @property
    def scans(self) -> list[Image]:
        """The 3D image layers that say where they lie."""
        return [
            layer
            for layer in self.viewer.layers
            if isinstance(layer, Image) and layer.ndim == 3 and image_of(layer) is not None
        ]

    @property
    def labels(self) -> list[Labels]:
        """The 3D labels layers that say where they lie, the ghost left out."""
        return [
            layer
            for layer in self.viewer.layers
            if isinstance(layer, Labels) and layer is not self._ghost and image_of(layer) is not None
        ]

    @property
    def is_painting(self) -> bool:
        """Whether the painted labels are still in the viewer."""
        return self.painted is not None and self.painted in self.viewer.layers

    def painted_labels(self) -> LabelVolume | None:
        """Return what is painted, as a view of the layer's voxels."""
        if self.painted is None or not self.is_painting:
            return None
        image = image_of(self.painted)
        return image if isinstance(image, LabelVolume) else None

    # ------------------------------------------------------------------ painting

    def paint_on(self, labels: LabelVolume, classes: LabelSet) -> Labels:
        """Add labels to paint on, with the classes' names and colours, and select them."""
        data, attributes, _ = layer_tuple(labels)
        names = [classes.names.get(value, "") for value in range(max(classes.values) + 1)]
        layer = Labels(data, **attributes, colormap=_colours(classes), features={"class": names})
        layer.selected_label = classes.classes[0].value
        self.viewer.add_layer(layer)
        self.painted = layer
        self.viewer.layers.selection.active = layer
        return layer

    def use_tool(self, mode: str) -> None:
        """Use one of napari's tools on the painted labels: ``paint``, ``erase``, ``fill`` or ``pan_zoom``."""
        if self.painted is not None and self.is_painting:
            self.viewer.layers.selection.active = self.painted
            self.painted.mode = mode

    def use_class(self, value: int) -> None:
        """Paint another class from now on."""
        if self.painted is not None and self.is_painting:
            self.painted.selected_label = value

    def use_brush(self, diameter_mm: float, *, solid: bool) -> None:
        """Set the brush's diameter, and whether it is a ball (3D) or a disc on the slice."""
        if self.painted is not None and self.is_painting:
            self.painted.brush_size = max(1, round(diameter_mm / min(self.painted.scale[-2:])))
            self.painted.n_edit_dimensions = 3 if solid else 2

    def stamp(self, lesion: PlacedLesion) -> None:
        """Lay a lesion over the painted labels, as one step that can be undone."""
        where = np.nonzero(lesion.array)
        native = tuple(part + edge.start for part, edge in zip(where, lesion.box, strict=True))
        self._write(native, lesion.grid, lesion.array[where])

    def erase_lesion(self, position: tuple[float, ...]) -> int:
        """Erase the connected lesion at a place of the viewer's world; return how many voxels it had."""
        from scipy import ndimage

        labels = self.painted_labels()
        if labels is None or self.painted is None:
            return 0
        shown: NDArray[Any] = labels.display
        index = tuple(round(v) for v in self.painted.world_to_data(position[-3:]))
        if any(not 0 <= at < n for at, n in zip(index, shown.shape, strict=True)) or not shown[index]:
            return 0
        box = box_of(shown)
        first = [edge.start for edge in box]
        pieces, _ = ndimage.label(shown[box] > 0, np.ones((3, 3, 3), dtype=bool))
        hit = pieces[tuple(at - start for at, start in zip(index, first, strict=True))]
        where = tuple(a + start for a, start in zip(np.nonzero(pieces == hit), first, strict=True))
        self.painted.data_setitem(where, 0)
        return len(where[0])

    def erase_all(self) -> None:
        """Erase everything that is painted, as one step that can be undone."""
        labels = self.painted_labels()
        if labels is not None:
            where = np.nonzero(labels.array)
            self._write(where, labels.grid, np.zeros(len(where[0]), labels.array.dtype))

    def _write(self, native: tuple[NDArray[Any], ...], grid: Grid, values: NDArray[Any]) -> None:
        if self.painted is None or not self.is_painting:
            return
        order, flips = grid.to_display
        shown = tuple(
            grid.shape[axis] - 1 - native[axis] if flip else native[axis]
            for axis, flip in zip(order, flips, strict=True)
        )
        self.painted.data_setitem(shown, values)

    # ------------------------------------------------------------------ the ghost

    def show_ghost(self, lesion: PlacedLesion | None, classes: LabelSet, *, fits: bool) -> None:
        """Show where a lesion would go, pale where it cannot; None takes it away."""
        if lesion is None or not lesion.array.size:
            if self._ghost is not None:
                self._ghost.visible = False
            return
        data, translate = _on_display(lesion)
        opacity = 0.85 if fits else 0.35
        if self._ghost is None or self._ghost not in self.viewer.layers:
            selected = set(self.viewer.layers.selection)
            place = {**placed(lesion.grid), "translate": translate}
            self._ghost = Labels(data, name=GHOST, colormap=_colours(classes), opacity=opacity, **place)
            self.viewer.add_layer(self._ghost)
            self.viewer.layers.selection = selected
            return
        self._ghost.data = data
        self._ghost.scale, self._ghost.translate = placed(lesion.grid)["scale"], translate
        self._ghost.colormap = _colours(classes)
        self._ghost.opacity = opacity
        self._ghost.visible = True

    def drop_ghost(self) -> None:
        """Remove the ghost."""
        if self._ghost is not None and self._ghost in self.viewer.layers:
            self.viewer.layers.remove(self._ghost)
        self._ghost = None

    def show_place(self, grid: Grid, centre_mm: Triple) -> None:
        """Show the slice that a point (RAS mm) lies on, whatever the plane."""
        index = grid.display.affine.unapply(centre_mm)
        place = placed(grid)
        extra = self.viewer.dims.ndim - 3
        for axis in range(3):
            self.viewer.dims.set_point(
                axis + extra, place["translate"][axis] + float(index[axis]) * place["scale"][axis]
            )

    def in_sight(self, lesion: PlacedLesion) -> bool:
        """Whether the slice that is shown cuts the box of a lesion."""
        data, translate = _on_display(lesion)
        scale = placed(lesion.grid)["scale"]
        extra = self.viewer.dims.ndim - 3
        return all(
            translate[axis] <= self.viewer.dims.point[axis + extra] <= translate[axis] + n * scale[axis]
            for axis, n in enumerate(data.shape)
            if axis + extra in self.viewer.dims.not_displayed
        )

    def point_mm(self, grid: Grid, position: tuple[float, ...]) -> Triple:
        """Return the RAS mm of a place of the viewer's world, in the space of `grid` as it is shown."""
        place = placed(grid)
        index = (np.asarray(position[-3:]) - place["translate"]) / place["scale"]
        x, y, z = (float(v) for v in grid.display.affine.apply(index))
        return x, y, z

    def on_click(self, clicked: Callable[[tuple[float, ...]], None]) -> Callable[[], None]:
        """Call `clicked` with the place of every plain click (no drag, no modifier key).

        Returns
        -------
        callable
            Stops that.
        """

        def follow(viewer: ViewerModel, event: Any) -> Iterator[None]:
            position, moves = tuple(float(v) for v in event.position), 0
            plain = event.button == 1 and not event.modifiers
            yield
            while event.type == "mouse_move":
                moves += 1
                yield
            if plain and moves <= TREMBLE:
                clicked(position)

        callbacks = self.viewer.mouse_drag_callbacks
        callbacks.append(follow)
        return lambda: callbacks.remove(follow)


def _colours(classes: LabelSet) -> DirectLabelColormap:
    colours: dict[int | None, str] = {each.value: each.colour for each in classes.classes}
    return DirectLabelColormap(color_dict={**colours, None: "transparent", 0: "transparent"})


def _on_display(lesion: PlacedLesion) -> tuple[NDArray[Any], tuple[float, ...]]:
    """Return a lesion's box as (S, A, R) voxels and the place of its first one, as the scan is shown."""
    order, flips = lesion.grid.to_display
    box = [lesion.box[axis] for axis in order]
    data = lesion.array.transpose(order)[
        tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)
    ]
    first = [
        lesion.grid.shape[axis] - edge.stop if flip else edge.start
        for axis, flip, edge in zip(order, flips, box, strict=True)
    ]
    place = placed(lesion.grid)
    translate = [
        start + index * size
        for start, index, size in zip(place["translate"], first, place["scale"], strict=True)
    ]
    return data, tuple(translate)
