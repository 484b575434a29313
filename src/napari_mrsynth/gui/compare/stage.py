"""The one class of the Compare dock that touches the viewer: its layers, and the ways of looking at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_mrsynth.gui import garbage, marking, scene
from napari_mrsynth.gui.compare import kept_view
from napari_mrsynth.gui.compare.blend import Edges, Mixed, Mosaic, checker_mask, swipe_mask
from napari_mrsynth.gui.compare.colours import DIFFERENCE, EDGE, GREY
from napari_mrsynth.gui.compare.kept_view import KeptView
from napari_mrsynth.gui.compare.place import Placement
from napari_mrsynth.gui.layer_data import Tag, placed
from napari_mrsynth.imaging.volume import Source

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_mrsynth.gui.compare.work import Looked

SHOWN_ONLY = "comparison"
"""Kind of a layer that shows acquired scans, for comparing; a synthetic one is a ``preview``."""


class Way(StrEnum):
    """A way of looking at a prediction and its truth."""

    SIDE = "side by side"
    SWIPE = "swipe"
    CHECKER = "checkerboard"
    FLICKER = "flicker"
    DIFFERENCE = "difference"
    EDGES = "edges"


class Stage:
    """The layers of a comparison: one that shows the images in every way, and one of edges.

    A layer is cheap to fill and dear to make, so that changing the way fills another view of the same voxels.
    Invariant: while a comparison is on the stage, only layers of this class are visible in the viewer, and
    the user's own view is kept; when it ends, they are gone and the view is back.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self.place = Placement(viewer)
        self._kept: KeptView | None = None
        self._looked: tuple[Looked, ...] = ()
        self._current = 0
        self._view: Image | None = None
        self._edges: Image | None = None
        self._mixed: Mixed | None = None
        self._way = Way.SIDE
        self._share, self._tile_mm, self._first = 0.5, 20.0, True
        self._beside: dict[str, Any] | None = None
        self._grey_limits = (0.0, 1.0)
        self._signed = False
        marking.watch(viewer)

    # ------------------------------------------------------------------ beginning and ending

    @property
    def is_on(self) -> bool:
        """Whether a comparison is shown."""
        return self._kept is not None

    @property
    def own(self) -> frozenset[Layer]:
        """The layers of this class."""
        return frozenset(layer for layer in (self._view, self._edges) if layer is not None)

    @property
    def is_whole(self) -> bool:
        """Whether the viewer still has every layer of this class."""
        return all(layer in self.viewer.layers for layer in self.own)

    @property
    def way(self) -> Way:
        """How it is looked at now."""
        return self._way

    def begin(self, looked: Sequence[Looked], way: Way) -> Iterator[None]:
        """Show comparisons, step by step; one that is shown already gives way."""
        if self._kept is None:
            self._kept = KeptView.of(self.viewer)
        self._looked, self._current, self._way = tuple(looked), 0, way
        self.place.grid = self._looked[0].comparison.pair.grid
        self._grey_limits = self._looked[0].limits
        kept_view.leave_grid(self.viewer)
        for layer in self.viewer.layers:
            if layer not in self.own and layer.visible:
                layer.visible = False
                yield
        self._mix()
        view = self._here(self._view)
        self._signed = self._signed and view is not None
        self._view = self._put(view, self._mixed, "comparison", GREY)
        yield
        self._edges = self._put(self._here(self._edges), self._edges_of_truth(), "edges", EDGE)
        self._edges.contrast_limits = (0.0, 1.0)
        yield
        self._beside = None
        self.look(way)
        yield
        yield from self._warming_up(self._view)

    def ending(self) -> Iterator[None]:
        """Give the user's view back, then remove the layers one at a time."""
        kept, self._kept = self._kept, None
        if kept is None:
            return
        layers = [layer for layer in (self._view, self._edges) if layer is not None]
        self._view = self._edges = self._mixed = None
        kept_view.caption(self.viewer, "")
        for layer in layers:
            layer.visible = False
            yield
        yield from kept.giving_back(self.viewer)
        for layer in layers:
            if layer in self.viewer.layers:
                with garbage.left_for_later():
                    self.viewer.layers.remove(layer)
            yield
        self._looked = ()

    # ------------------------------------------------------------------ looking

    def look(self, way: Way) -> None:
        """Look in another way."""
        self._way = way
        view, mixed = self._here(self._view), self._mixed
        if not self.is_on or view is None or mixed is None:
            return
        current = self._looked[self._current]
        mixed.only = {
            Way.DIFFERENCE: current.difference,
            Way.EDGES: mixed.second,
        }.get(way)
        self._remember_limits(view)
        self._colour(view, way)
        self.redraw()
        edges = self._here(self._edges)
        if edges is not None and edges.visible != (way is Way.EDGES):
            edges.visible = way is Way.EDGES
        if not view.visible:
            view.visible = True
        kept_view.caption(self.viewer, self.names_in_words())

    def choose(self, index: int) -> None:
        """Look at another of the predictions; only the side-by-side view shows all."""
        if index != self._current and 0 <= index < len(self._looked):
            self._current = index
            self._mix()
            self.look(self._way)

    def swipe_to(self, share: float) -> None:
        """Put the swipe's border at a share of the screen's width, from the left."""
        self._share = share
        self.redraw()

    def tile_to(self, millimetres: float) -> None:
        """Give the checkerboard's tiles another size."""
        self._tile_mm = millimetres
        self.redraw()

    def flicker(self) -> None:
        """Show the other of the two."""
        self._first = not self._first
        self.redraw()
        kept_view.caption(self.viewer, self.names_in_words())

    def redraw(self) -> None:
        """Fill the view anew, as the viewer's plane and side now are."""
        view, mixed = self._here(self._view), self._mixed
        if view is None or mixed is None or not self.is_on:
            return
        vertical, horizontal = self.place.plane()
        leftwards = scene.runs_left(self.viewer)
        if self._way is Way.SIDE:
            self._set_beside(view, horizontal, leftwards)
            return
        if self._way is Way.SWIPE:
            mixed.mask = swipe_mask(mixed.shape, horizontal, self._share, from_end=leftwards)
        elif self._way is Way.CHECKER:
            spacing = self.place.grid.display.spacing
            mixed.mask = checker_mask(mixed.shape, (vertical, horizontal), self._tile_mm, spacing)
        elif self._way is Way.FLICKER:
            mixed.mask = swipe_mask(mixed.shape, horizontal, float(self._first), from_end=False)
        self._fill(view, mixed)
        self._leave_beside()

    def names_in_words(self) -> str:
        """Which image is where, for people."""
        if not self._looked:
            return ""
        current = self._looked[self._current]
        truth, made = f"{current.comparison.truth_name} (truth)", current.title
        others = [each.title for each in self._looked]
        return {
            Way.SIDE: "  |  ".join([truth, *others]),
            Way.SWIPE: f"{truth}  |  {made}",
            Way.CHECKER: f"{truth} and {made}",
            Way.FLICKER: truth if self._first else made,
            Way.DIFFERENCE: f"{made} minus {truth}",
            Way.EDGES: f"{made}, edges of {truth}",
        }[self._way]

    # ------------------------------------------------------------------ inside

    def _mix(self) -> None:
        shown = self._looked[self._current].shown
        self._mixed = Mixed(shown.truth, shown.pred)

    def _edges_of_truth(self) -> Edges:
        looked = self._looked[self._current]
        return Edges(looked.shown.truth, looked.limits[1])

    def _set_beside(self, view: Image, axis: int, leftwards: bool) -> None:
        """Show truth and every prediction in a row, as the screen runs, all within the canvas."""
        volumes = [self._looked[0].shown.truth, *(looked.shown.pred for looked in self._looked)]
        shown = [each[self._looked[0].across[axis]] for each in volumes]
        self._fill(view, Mosaic(shown[::-1] if leftwards else shown, axis))
        if self._beside is None:
            self._beside = kept_view.camera_of(self.viewer)
        self.viewer.fit_to_view(layers=[view])

    def _leave_beside(self) -> None:
        if self._beside is not None:
            camera, self._beside = self._beside, None
            kept_view.move_camera(self.viewer, camera)

    def _remember_limits(self, view: Image) -> None:
        """Keep the limits the user set on the grey view for the other grey views."""
        if not self._signed:
            low, high = view.contrast_limits
            self._grey_limits = (float(low), float(high))

    def _colour(self, view: Image, way: Way) -> None:
        signed, was_signed = way is Way.DIFFERENCE, self._signed
        self._signed = signed
        if signed:
            top = self._looked[self._current].difference_top
            view.contrast_limits = (-top, top)
        elif was_signed:
            view.contrast_limits = self._grey_limits
        if signed != was_signed:
            view.colormap = DIFFERENCE if signed else GREY
            view.colorbar.visible = signed

    def _warming_up(self, view: Image) -> Iterator[None]:
        """Draw the colour bar once, unseen, so that the first difference map need not wait for it."""
        bar = view.colorbar
        if self._signed:
            return
        opacity, bar.opacity = bar.opacity, 0.0
        bar.visible = True
        try:
            yield
        finally:
            bar.visible, bar.opacity = self._signed, opacity

    def _put(self, layer: Image | None, data: Any, name: str, colormap: Any) -> Image:
        """Fill a layer that is there already, or add one."""
        synthetic = any(looked.synthetic for looked in self._looked)
        tag = Tag("preview" if synthetic else SHOWN_ONLY, self.place.grid, Source(format="layer"))
        name, place = f"{name} (synthetic)" if synthetic else name, placed(self.place.grid)
        if layer is not None:
            layer.data = data
            layer.scale, layer.translate = place["scale"], place["translate"]
            layer.name, layer.metadata = name, tag.as_metadata()
            layer.contrast_limits = self._grey_limits
            return layer
        layer = Image(
            data,
            name=name,
            metadata=tag.as_metadata(),
            visible=False,
            colormap=colormap,
            contrast_limits=self._grey_limits,
            **place,
        )
        selection = set(self.viewer.layers.selection)
        self.viewer.add_layer(layer)
        self.viewer.layers.selection = selection
        return layer

    def _fill(self, layer: Image, data: Any) -> None:
        if layer.data is data:
            layer.refresh(extent=False, thumbnail=False)
        else:
            layer.data = data

    def _here(self, layer: Image | None) -> Image | None:
        """Return a layer unless the user removed it."""
        return layer if layer is not None and layer in self.viewer.layers else None
