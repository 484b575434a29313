"""Planes and sides: what is up, what is left, and what the letters on the canvas say."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from napari_mrsynth.gui import marking, scene
from napari_mrsynth.gui.layer_data import layer_tuple
from phantoms import phantom


@pytest.fixture
def shown(viewer):
    data, attributes, _ = layer_tuple(phantom((18, 22, 16)))
    viewer.add_layer(Image(data, **attributes))
    return viewer


def letters(viewer) -> tuple[str, str]:
    scene.letter_sides(viewer)
    overlays = viewer.canvas.overlays
    return overlays["mrsynth_left"].text, overlays["mrsynth_right"].text


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


def test_there_are_no_letters_where_the_camera_is_not_anatomical(shown):
    assert scene.side_of(shown) is None
    assert letters(shown) == ("", "")


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
