"""The user's own view of a viewer, kept while something else is shown, and given back exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari.components.overlays import TextOverlay

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

_CAPTION = "mrsynth_compare"
_GRID = ("stride", "shape", "spacing", "enabled")
_CAMERA = ("orientation", "angles", "zoom", "center")
_DIMS = ("ndisplay", "order", "point")


@dataclass(frozen=True)
class KeptView:
    """Grid, camera, slice, visibility and selection as they were.

    Attributes
    ----------
    grid, camera, dims : mapping
        Their values by name.
    visible : mapping of Layer to bool
    selected : frozenset of Layer
    """

    grid: dict[str, Any]
    camera: dict[str, Any]
    dims: dict[str, Any]
    visible: dict[Layer, bool]
    selected: frozenset[Layer]

    @classmethod
    def of(cls, viewer: ViewerModel) -> KeptView:
        """Take down the view of `viewer`."""
        return cls(
            {name: getattr(viewer.canvas.grid, name) for name in _GRID},
            camera_of(viewer),
            {name: getattr(viewer.dims, name) for name in _DIMS},
            {layer: bool(layer.visible) for layer in viewer.layers},
            frozenset(viewer.layers.selection),
        )

    def giving_back(self, viewer: ViewerModel) -> Iterator[None]:
        """Make `viewer` look as it did, step by step; layers that came or went meanwhile stay as they are.

        Where none of the layers is left, another patient is shown: the place looked at is left alone.
        """
        for layer, visible in self.visible.items():
            if layer in viewer.layers and layer.visible != visible:
                layer.visible = visible
                yield
        for name, value in self.grid.items():
            if getattr(viewer.canvas.grid, name) != value:
                setattr(viewer.canvas.grid, name, value)
        here = any(layer in viewer.layers for layer in self.visible)
        for name, value in self.dims.items():
            if (here or name != "point") and (name == "ndisplay" or len(value) == viewer.dims.ndim):
                setattr(viewer.dims, name, value)
        yield
        if here:
            move_camera(viewer, self.camera)
        selected = {layer for layer in self.selected if layer in viewer.layers}
        if viewer.layers.selection != selected:
            viewer.layers.selection = selected


def camera_of(viewer: ViewerModel) -> dict[str, Any]:
    """Return where the camera is."""
    return {name: getattr(viewer.scene.camera, name) for name in _CAMERA}


def move_camera(viewer: ViewerModel, camera: dict[str, Any]) -> None:
    """Put the camera where it was."""
    for name, value in camera.items():
        setattr(viewer.scene.camera, name, value)


def leave_grid(viewer: ViewerModel) -> None:
    """Show all layers in one place."""
    if viewer.canvas.grid.enabled:
        viewer.canvas.grid.enabled = False


def caption(viewer: ViewerModel, text: str) -> None:
    """Write which images are shown at the bottom of the canvas; an empty text takes it away."""
    overlays = viewer.canvas.overlays
    if _CAPTION not in overlays:
        if not text:
            return
        overlays[_CAPTION] = TextOverlay(position="bottom_center", font_size=11, box=True)
    overlays[_CAPTION].text = text
    overlays[_CAPTION].visible = bool(text)
