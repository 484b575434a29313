"""Everything that depends on the napari version: camera, canvas overlays, the order of axes.

napari 0.9 keeps the camera in ``viewer.scene`` and the overlays in ``viewer.canvas``; a later version is
followed here and nowhere else.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakSet

from napari.components.overlays import TextOverlay
from napari.utils.camera_orientations import DEFAULT_ORIENTATION

from napari_mrsynth.imaging.geometry import DISPLAY_AXES

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_mrsynth.imaging.geometry import Grid

Side = Literal["radiological", "neurological"]

_WARNING = "mrsynth_warning"
_EDGES = {
    "top_center": "mrsynth_top",
    "middle_left": "mrsynth_left",
    "middle_right": "mrsynth_right",
    "bottom_center": "mrsynth_bottom",
}
_ENDS = (("I", "S"), ("P", "A"), ("L", "R"))
"""What lies at the beginning and at the end of the display axes S, A, R."""
_ORIENTATIONS = {
    "neurological": ("towards", "up", "right"),
    "radiological": ("away", "up", "left"),
}

_lettered: WeakSet[Any] = WeakSet()
"""The layer lists of viewers whose letters follow the view."""


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


def stand_upright(viewer: ViewerModel, side: Side | None) -> None:
    """Show `side` where the camera is as napari starts it, with the patient upside down.

    A camera that the user or a dock has turned stays as it is, as does one that looks at layers whose axes
    are not S, A and R; None for `side` changes nothing.
    """
    if side is not None and _orientation(viewer) == DEFAULT_ORIENTATION and _is_anatomical(viewer):
        show_side(viewer, side)


def side_of(viewer: ViewerModel) -> Side | None:
    """Return the convention that is shown, or None where the camera is in another orientation."""
    shown = _orientation(viewer)
    if shown[1:] == ("up", "left"):
        return "radiological"
    return "neurological" if shown[1:] == ("up", "right") else None


def runs_left(viewer: ViewerModel) -> bool:
    """Whether the axis across the screen runs from right to left."""
    return _orientation(viewer)[2] == "left"


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
    """Write the anatomical letters at the edges of the canvas, in whichever orientation the camera is.

    From then on they follow the view. In 3D, and where the layers' axes are not S, A and R, there are none.
    """
    _follow(viewer)
    for (position, key), letter in zip(_EDGES.items(), _letters(viewer), strict=True):
        overlay = _overlay(viewer, key, position, font_size=14)
        overlay.text = letter
        overlay.visible = bool(letter)


def remove_writing(viewer: ViewerModel) -> None:
    """Take everything this module wrote off the canvas."""
    for key in (_WARNING, *_EDGES.values()):
        if key in viewer.canvas.overlays:
            del viewer.canvas.overlays[key]


def _letters(viewer: ViewerModel) -> tuple[str, str, str, str]:
    """Return what lies at the top, left, right and bottom of the canvas; empty where it is not known."""
    extra = viewer.dims.ndim - 3
    down, across = (axis - extra for axis in viewer.dims.order[-2:])
    if viewer.dims.ndisplay != 2 or not _is_anatomical(viewer) or min(extra, down, across) < 0:
        return "", "", "", ""
    _, vertical, horizontal = _orientation(viewer)
    bottom, top = _ENDS[down] if vertical == "up" else _ENDS[down][::-1]
    left, right = _ENDS[across] if horizontal == "right" else _ENDS[across][::-1]
    return top, left, right, bottom


def _follow(viewer: ViewerModel) -> None:
    """Have the letters written anew when the view turns; asking twice changes nothing."""
    if viewer.layers in _lettered:
        return
    _lettered.add(viewer.layers)

    def write_again(event: object = None) -> None:
        if any(key in viewer.canvas.overlays for key in _EDGES.values()):
            letter_sides(viewer)

    dims = viewer.dims.events
    for turned in (dims.order, dims.ndisplay, dims.axis_labels, viewer.scene.camera.events.orientation):
        turned.connect(write_again)  # a function, unlike a method, is held strongly


def _orientation(viewer: ViewerModel) -> tuple[str, ...]:
    return tuple(str(word) for word in viewer.scene.camera.orientation)


def _is_anatomical(viewer: ViewerModel) -> bool:
    """Whether the layers say that the last three axes are S, A and R."""
    return bool(viewer.layers.axis_labels[-3:] == DISPLAY_AXES)


def _overlay(viewer: ViewerModel, key: str, position: str, *, font_size: float) -> Any:
    if key not in viewer.canvas.overlays:
        viewer.canvas.overlays[key] = TextOverlay(position=position, font_size=font_size, box=True)
    return viewer.canvas.overlays[key]
