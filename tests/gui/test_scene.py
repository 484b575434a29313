"""Planes and sides: what is up, what is left, and what the letters on the canvas say."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from napari.layers import Image
from numpy.typing import NDArray

from napari_mrsynth.gui import marking, scene
from napari_mrsynth.gui.layer_data import layer_tuple
from napari_mrsynth.gui.preferences import Preferences
from napari_mrsynth.imaging import Grid, Volume
from phantoms import affine_of, phantom, points_of

STARTED = ("towards", "down", "right")
"""How napari starts its camera."""
AROUND = tuple(product(("towards", "away"), ("up", "down"), ("left", "right")))
SIDES_MM = {
    "R": (24, 0, 0),
    "L": (-24, 0, 0),
    "A": (0, 24, 0),
    "P": (0, -24, 0),
    "S": (0, 0, 24),
    "I": (0, 0, -24),
}


@pytest.fixture
def shown(viewer):
    data, attributes, _ = layer_tuple(phantom((18, 22, 16)))
    viewer.add_layer(Image(data, **attributes))
    return viewer


def letters(viewer) -> tuple[str, str]:
    scene.letter_sides(viewer)
    written = letters_shown(viewer)
    return written["left"], written["right"]


def letters_shown(viewer) -> dict[str, str]:
    """What is written at each edge now."""
    overlays = {
        edge: viewer.canvas.overlays[f"mrsynth_{edge}"] for edge in ("top", "left", "right", "bottom")
    }
    assert all(overlay.visible == bool(overlay.text) for overlay in overlays.values())
    return {edge: overlay.text for edge, overlay in overlays.items()}


@pytest.mark.parametrize(
    ("plane", "displayed"),
    [(scene.Plane.AXIAL, "AR"), (scene.Plane.SAGITTAL, "SA"), (scene.Plane.CORONAL, "SR")],
)
def test_a_plane_shows_its_two_axes(shown, plane, displayed):
    scene.look_at(shown, plane)
    assert "".join(shown.dims.axis_labels[axis] for axis in shown.dims.displayed) == displayed
    assert scene.plane_of(shown) is plane


@pytest.mark.parametrize(
    ("plane", "side", "expected"),
    [
        (scene.Plane.AXIAL, "radiological", ("R", "L")),
        (scene.Plane.AXIAL, "neurological", ("L", "R")),
        (scene.Plane.CORONAL, "radiological", ("R", "L")),
        (scene.Plane.SAGITTAL, "neurological", ("P", "A")),
        (scene.Plane.SAGITTAL, "radiological", ("A", "P")),
    ],
)
def test_letters_say_which_side_is_which(shown, plane, side, expected):
    scene.look_at(shown, plane)
    scene.show_side(shown, side)
    assert scene.side_of(shown) == side
    assert letters(shown) == expected


@pytest.mark.parametrize(
    ("plane", "upright"),
    [(scene.Plane.AXIAL, "ALRP"), (scene.Plane.CORONAL, "SLRI"), (scene.Plane.SAGITTAL, "SPAI")],
)
@pytest.mark.parametrize("orientation", AROUND)
def test_every_orientation_has_its_letters(shown, plane, upright, orientation):
    _, vertical, horizontal = orientation
    scene.look_at(shown, plane)
    scene.letter_sides(shown)
    shown.scene.camera.orientation = orientation
    top, left, right, bottom = upright
    if vertical == "down":
        top, bottom = bottom, top
    if horizontal == "left":
        left, right = right, left
    assert letters_shown(shown) == {"top": top, "left": left, "right": right, "bottom": bottom}
    assert (scene.side_of(shown) is None) == (vertical == "down")
    assert scene.runs_left(shown) == (horizontal == "left")


def test_the_letters_follow_the_view_with_no_dock_to_tell_them(shown):
    scene.letter_sides(shown)
    shown.dims.order = (2, 1, 0)  # a sagittal plane lying on its side, as napari's own buttons make it
    assert letters_shown(shown) == {"top": "P", "left": "I", "right": "S", "bottom": "A"}
    shown.dims.ndisplay = 3
    assert not any(letters_shown(shown).values())
    shown.dims.ndisplay = 2
    shown.layers.clear()
    assert not any(letters_shown(shown).values())
    scene.remove_writing(shown)
    shown.scene.camera.orientation = AROUND[0]
    assert "mrsynth_left" not in shown.canvas.overlays


def test_there_are_no_letters_where_nothing_says_what_the_axes_are(viewer, shown):
    scene.letter_sides(viewer)
    shown.layers.clear()
    shown.add_layer(Image(np.zeros((4, 5, 6)), scale=(3, 3, 3)))
    assert shown.dims.ndim == 3
    assert not any(letters_shown(shown).values())
    data, attributes, _ = layer_tuple(phantom((6, 7, 8)))
    shown.add_layer(Image(data, **attributes))
    assert letters_shown(shown) == {"top": "P", "left": "L", "right": "R", "bottom": "A"}


@pytest.mark.parametrize("side", ["radiological", "neurological"])
def test_a_camera_as_napari_starts_it_is_stood_upright(shown, side):
    assert tuple(map(str, shown.scene.camera.orientation)) == STARTED
    scene.stand_upright(shown, side)
    assert scene.side_of(shown) == side


@pytest.mark.parametrize("orientation", [each for each in AROUND if each != STARTED])
def test_a_camera_that_somebody_turned_stays_as_it_is(shown, orientation):
    shown.scene.camera.orientation = orientation
    scene.stand_upright(shown, "radiological")
    assert tuple(map(str, shown.scene.camera.orientation)) == orientation


def test_a_camera_stays_as_it_is_where_the_user_wants_that_or_the_axes_are_not_known(viewer, shown):
    scene.stand_upright(shown, Preferences(convention="unchanged").side)
    assert tuple(map(str, shown.scene.camera.orientation)) == STARTED
    shown.layers.clear()
    shown.add_layer(Image(np.zeros((4, 5, 6))))
    scene.stand_upright(shown, "radiological")
    assert tuple(map(str, shown.scene.camera.orientation)) == STARTED


@pytest.mark.gui
@pytest.mark.parametrize("plane", scene.Plane)
def test_what_lies_towards_a_side_is_drawn_at_the_edge_with_its_letter(window, plane):
    """A marker moved towards each side of the patient moves to its letter, though the grid runs otherwise."""
    shape = (27, 31, 29)
    grid = Grid(shape, affine_of(shape, (2, 2, 2), codes="PSL"))
    scene.letter_sides(window)
    layer = None
    for side, point_mm in SIDES_MM.items():
        away = np.abs(points_of(grid) - point_mm).max(axis=-1)
        data, attributes, _ = layer_tuple(Volume((away < 5).astype(np.float32), grid, "marker"))
        if layer is None:
            layer = Image(data, **{**attributes, "colormap": "green", "contrast_limits": (0, 1)})
            window.add_layer(layer)
            scene.look_at(window, plane)
        layer.data = data
        for _, vertical, horizontal in AROUND[: len(AROUND) // 2]:
            window.scene.camera.orientation = ("towards", vertical, horizontal)
            edge = _edge_of_marker(window.screenshot(canvas_only=True, flash=False))
            written = letters_shown(window)
            assert len(set(written.values())) == 4
            assert side not in written.values() if edge is None else written[edge] == side


def _edge_of_marker(picture: NDArray[np.uint8]) -> str | None:
    """Which edge of the canvas a green marker is drawn towards; None where none is drawn."""
    red, green = picture[..., 0].astype(int), picture[..., 1].astype(int)
    places = np.argwhere(green > red + 60)
    if not len(places):
        return None
    down, across = places.mean(axis=0) - (np.array(picture.shape[:2]) - 1) / 2
    if abs(down) > abs(across):
        return "bottom" if down > 0 else "top"
    return "right" if across > 0 else "left"


def test_up_is_up_in_both_conventions(shown):
    for side in ("radiological", "neurological"):
        scene.show_side(shown, side)
        assert shown.scene.camera.orientation2d[0] == "up"


def test_the_displayed_slice_is_counted_on_the_grid_that_is_asked_for(shown):
    grid = phantom((18, 22, 16)).grid
    scene.look_at(shown, scene.Plane.AXIAL)
    bottom, step = grid.display.affine.origin[2], grid.display.spacing[0]
    shown.dims.set_point(0, bottom + 5 * step)
    assert scene.slice_on(shown, grid) == 5
    scene.look_at(shown, scene.Plane.CORONAL)
    assert scene.slice_on(shown, grid) is None


def test_the_canvas_says_synthetic_only_while_such_a_layer_is_visible(viewer):
    marking.watch(viewer)
    marking.watch(viewer)
    warning = viewer.canvas.overlays["mrsynth_warning"]
    viewer.add_layer(Image(np.zeros((3, 3, 3))))
    assert not warning.visible
    layer = Image(np.zeros((3, 3, 3)), metadata={"mrsynth": _synthetic()})
    viewer.add_layer(layer)
    assert warning.visible
    assert "not for diagnosis" in warning.text
    layer.visible = False
    assert not warning.visible
    layer.visible = True
    viewer.layers.remove(layer)
    assert not warning.visible


def _synthetic() -> dict:
    volume = phantom((3, 3, 3))
    return {"kind": "synthetic", "grid": volume.grid, "source": volume.source, "provenance": {}}
