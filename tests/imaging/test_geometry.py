"""Affines and grids: axis codes, the display view, and when two spaces are the same."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mrsynth.errors import GridError
from napari_mrsynth.imaging import Affine, Grid
from phantoms import ALL_CODES, affine_of, phantom, points_of, tissue_at

codes = st.sampled_from(ALL_CODES)
shapes = st.tuples(*[st.integers(2, 6)] * 3)
spacings = st.tuples(*[st.floats(0.3, 6.0)] * 3)
small_tilts = st.tuples(*[st.floats(-12.0, 12.0)] * 3)
tilts = st.tuples(*[st.floats(-180.0, 180.0)] * 3)
places = st.tuples(*[st.floats(-200.0, 200.0)] * 3)


@given(code=codes, spacing=spacings, origin=places)
def test_axis_codes_are_nibabels_for_every_axis_order(code, spacing, origin):
    affine = Affine.from_parts(spacing, origin, code)
    assert affine.codes == code == "".join(nib.aff2axcodes(affine.matrix))
    assert affine.spacing == pytest.approx(spacing)
    assert affine.origin == pytest.approx(origin)
    assert not affine.is_oblique


@given(code=codes, spacing=spacings, tilt=small_tilts)
def test_a_slightly_tilted_grid_keeps_the_codes_it_was_tilted_from(code, spacing, tilt):
    affine = affine_of((4, 5, 6), spacing, code, tilt)
    assert affine.codes == code == "".join(nib.aff2axcodes(affine.matrix))
    assert affine.spacing == pytest.approx(spacing)
    assert not affine.is_sheared


@given(code=codes, spacing=spacings, tilt=tilts)
def test_however_oblique_a_grid_its_axes_claim_three_different_directions(code, spacing, tilt):
    affine = affine_of((4, 5, 6), spacing, code, tilt)
    worlds, signs = affine.nearest_axes
    assert sorted(worlds) == [0, 1, 2]
    assert set(signs) <= {-1, 1}
    assert 0 <= affine.obliquity_deg <= 90


@given(code=codes, spacing=spacings, tilt=tilts, points=st.lists(places, min_size=1, max_size=5))
def test_unapply_undoes_apply(code, spacing, tilt, points):
    affine = affine_of((4, 5, 6), spacing, code, tilt)
    np.testing.assert_allclose(affine.apply(affine.unapply(points)), points, atol=1e-6)


@given(shape=shapes, code=codes, spacing=spacings, tilt=tilts)
def test_display_order_comes_back_to_native_order(shape, code, spacing, tilt):
    grid = Grid(shape, affine_of(shape, spacing, code, tilt))
    array = np.arange(np.prod(shape)).reshape(shape)
    shown = grid.as_display(array)
    assert shown.base is not None
    np.testing.assert_array_equal(grid.from_display(shown), array)


@given(shape=shapes, code=codes, spacing=spacings, tilt=tilts)
def test_a_displayed_voxel_is_where_its_native_voxel_is(shape, code, spacing, tilt):
    grid = Grid(shape, affine_of(shape, spacing, code, tilt))
    native = points_of(grid)
    shown = np.stack([grid.as_display(np.ascontiguousarray(native[..., axis])) for axis in range(3)], axis=-1)
    np.testing.assert_allclose(shown, points_of(grid.display), atol=1e-6)


@pytest.mark.parametrize("code", ALL_CODES)
def test_displayed_axes_grow_to_superior_anterior_right(code):
    grid = Grid((5, 6, 7), Affine.from_parts((1, 2, 3), (10, 20, 30), code))
    shown = grid.display
    assert shown.affine.codes == "SAR"
    assert shown.same_as(Grid(shown.shape, Affine.from_parts(shown.spacing, shown.affine.origin, "SAR")))


@pytest.mark.parametrize("code", ["RAS", "LPS", "SAR", "PIR", "ALI"])
def test_a_scan_shows_each_side_of_the_patient_on_its_side(code):
    shape = (30, 30, 30)
    volume = phantom(shape, affine_of(shape, (6, 6, 6), code))
    sides = tissue_at(points_of(volume.grid.display))
    shown = volume.display
    assert shown.shape == sides.shape
    right, left = shown[sides == 5].mean(), shown[sides == 6].mean()
    assert right < 200 < left  # the T1w phantom's right mark is dark, its left one bright
    along_r = [np.mean(np.argwhere(sides == side), axis=0)[2] for side in (5, 6)]
    assert along_r[0] > 15 > along_r[1]


def test_writing_into_the_displayed_view_writes_the_native_voxel():
    grid = Grid((3, 4, 5), Affine.from_parts((1, 1, 1), codes="LPS"))
    array = np.zeros(grid.shape)
    grid.as_display(array)[4, 3, 2] = 7
    assert array[0, 0, 4] == 7


@given(shape=shapes, code=codes, spacing=spacings, tilt=tilts)
def test_a_grid_is_the_same_space_as_itself(shape, code, spacing, tilt):
    grid = Grid(shape, affine_of(shape, spacing, code, tilt))
    nudged = grid.affine.matrix.copy()
    nudged[:3, 3] += 1e-6
    again = Grid(shape, Affine(nudged))
    assert grid.mismatch(again) is None


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (Grid((4, 5, 7), Affine.from_parts((1, 1, 2))), "shape 4 x 5 x 6 against 4 x 5 x 7"),
        (Grid((4, 5, 6), Affine.from_parts((1, 1, 2), codes="LAS")), "axes RAS against LAS"),
        (Grid((4, 5, 6), Affine.from_parts((1, 1, 2.5))), "voxels 1 x 1 x 2 mm against 1 x 1 x 2.5 mm"),
        (Grid((4, 5, 6), Affine.from_parts((1, 1, 2), (0.5, 0, 0))), "up to 0.50 mm apart"),
    ],
    ids=["shape", "axes", "voxel size", "shift"],
)
def test_a_mismatch_says_what_differs(other, reason):
    assert reason in (Grid((4, 5, 6), Affine.from_parts((1, 1, 2))).mismatch(other) or "")


def test_a_rotation_too_small_for_the_corners_is_no_mismatch():
    shape = (200, 200, 100)
    grid = Grid(shape, affine_of(shape, (1, 1, 1)))
    assert grid.same_as(Grid(shape, affine_of(shape, (1, 1, 1), tilt_deg=(0.001, 0, 0))))
    assert not grid.same_as(Grid(shape, affine_of(shape, (1, 1, 1), tilt_deg=(0.1, 0, 0))))


@pytest.mark.parametrize(
    ("matrix", "quoted"),
    [
        (np.eye(3), "(3, 3)"),
        (np.full((4, 4), np.nan), "NaN"),
        (np.diag([1.0, 1, 1, 2]), "2.0"),
        (np.diag([1.0, 0, 1, 1]), "[1.0, 0.0, 1.0]"),
        (np.array([[1.0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "flattens"),
    ],
    ids=["3x3", "nan", "last row", "zero voxel size", "two axes alike"],
)
def test_an_unusable_affine_is_refused_with_its_numbers(matrix, quoted):
    with pytest.raises(GridError, match="affine") as caught:
        Affine(matrix)
    assert quoted in str(caught.value)


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 0), (2, 3, 4, 5)])
def test_a_grid_needs_three_axes(shape):
    with pytest.raises(GridError, match="three axes") as caught:
        Grid(shape, Affine(np.eye(4)))
    assert str(shape) in str(caught.value)


def test_an_array_of_another_shape_does_not_lie_on_a_grid():
    with pytest.raises(GridError, match=r"\(3, 4, 6\).*\(3, 4, 5\)"):
        Grid((3, 4, 5), Affine(np.eye(4))).as_display(np.zeros((3, 4, 6)))


def test_a_sheared_affine_says_so():
    matrix = np.eye(4)
    matrix[0, 1] = 0.2
    assert Affine(matrix).is_sheared
    assert "oblique" in repr(Affine(matrix))


def test_centre_and_size_are_in_millimetres():
    grid = Grid((11, 21, 5), Affine.from_parts((1, 2, 3), (-5, -20, 7)))
    np.testing.assert_allclose(grid.centre_mm, (0, 0, 13))
    assert grid.size_mm == (11, 42, 15)
