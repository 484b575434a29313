"""Everything that depends on the napari version: camera, canvas overlays, the order of axes.

napari 0.9 keeps the camera in ``viewer.scene`` and the overlays in ``viewer.canvas``; a later version is
followed here and nowhere else.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from napari.components.overlays import TextOverlay

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_mrsynth.imaging.geometry import Grid

Side = Literal["radiological", "neurological"]

_WARNING = "mrsynth_warning"
_SIDES = {"middle_left": "mrsynth_left", "middle_right": "mrsynth_right"}
_ORIENTATIONS = {
    "neurological": ("towards", "up", "right"),
    "radiological": ("away", "up", "left"),
}


class Plane(Enum):
    """A plane to look at, as the order of the displayed axes (S, A, R)."""

    AXIAL = (0, 1, 2)
    SAGITTAL = (2, 0, 1)
    CORONAL = (1, 0, 2)


def look_at(viewer: ViewerModel, plane: Plane) -> None:
    """Show `plane` in 2D; axes before the last three (time, channels) stay in front."""
    extra = viewer.dims.ndim - 3
    if extra < 0:
        return
    viewer.dims.ndisplay = 2
    viewer.dims.order = (*range(extra), *(axis + extra for axis in plane.value))
    viewer.reset_view()


def plane_of(viewer: ViewerModel) -> Plane | None:
    """Return the plane that is shown, or None in 3D and in any other order of axes."""
    extra = viewer.dims.ndim - 3
    if extra < 0 or viewer.dims.ndisplay != 2:
        return None
    order = tuple(axis - extra for axis in viewer.dims.order[extra:])
    return next((plane for plane in Plane if plane.value == order), None)


def show_side(viewer: ViewerModel, side: Side) -> None:
    """Put the patient's right on the left of the screen (radiological), or on the right (neurological)."""
    viewer.scene.camera.orientation = _ORIENTATIONS[side]


def side_of(viewer: ViewerModel) -> Side | None:
    """Return the convention that is shown, or None where the camera is in another orientation."""
    shown = tuple(str(word) for word in viewer.scene.camera.orientation)
    if shown[1:] == ("up", "left"):
        return "radiological"
    return "neurological" if shown[1:] == ("up", "right") else None


def slice_on(viewer: ViewerModel, grid: Grid) -> int | None:
    """Return which axial slice (display S index) of `grid` is shown; None unless the view is axial."""
    if plane_of(viewer) is not Plane.AXIAL:
        return None
    shown = grid.display
    height_mm = float(viewer.dims.point[viewer.dims.ndim - 3])
    index = round((height_mm - shown.affine.origin[2]) / shown.spacing[0])
    return min(max(index, 0), shown.shape[0] - 1)


def warn(viewer: ViewerModel, text: str) -> None:
    """Write `text` at the top of the canvas; an empty text takes it away."""
    overlay = _overlay(viewer, _WARNING, "top_center", font_size=11)
    overlay.text = text
    overlay.color = "#ffd166"
    overlay.box_color = "#1c1c1ce0"
    overlay.visible = bool(text)


def letter_sides(viewer: ViewerModel) -> None:
    """Write the anatomical letters left and right of the canvas; none where they are not known."""
    left, right = _letters(viewer)
    for position, letter in zip(_SIDES, (left, right), strict=True):
        overlay = _overlay(viewer, _SIDES[position], position, font_size=14)
        overlay.text = letter
        overlay.visible = bool(letter)


def remove_writing(viewer: ViewerModel) -> None:
    """Take everything this module wrote off the canvas."""
    for key in (_WARNING, *_SIDES.values()):
        if key in viewer.canvas.overlays:
            del viewer.canvas.overlays[key]


def _letters(viewer: ViewerModel) -> tuple[str, str]:
    plane, side = plane_of(viewer), side_of(viewer)
    if plane is None or side is None:
        return "", ""
    towards_right = ("P", "A") if plane is Plane.SAGITTAL else ("L", "R")
    return towards_right if side == "neurological" else (towards_right[1], towards_right[0])


def _overlay(viewer: ViewerModel, key: str, position: str, *, font_size: float) -> Any:
    if key not in viewer.canvas.overlays:
        viewer.canvas.overlays[key] = TextOverlay(position=position, font_size=font_size, box=True)
    return viewer.canvas.overlays[key]
