"""Resampling: exact where it can be, one interpolation elsewhere, nothing outside."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mrsynth.imaging import Affine, Grid, LabelVolume, Rigid, Volume
from napari_mrsynth.preprocess.resample import is_exact, resample
from phantoms import ALL_CODES, affine_of, lesion_labels, phantom, points_of, rotation

EXTENT = {"R": 36, "L": 36, "A": 44, "P": 44, "S": 32, "I": 32}


def reordered(codes: str) -> Grid:
    shape = tuple(EXTENT[code] for code in codes)
    return Grid(shape, affine_of(shape, codes=codes))


def inner_error(found: Volume, truth: Volume) -> float:
    """Correlation with the truth, 0 for perfect."""
    return 1 - float(np.corrcoef(found.array.ravel(), truth.array.ravel())[0, 1])


@pytest.mark.parametrize("codes", ALL_CODES)
def test_every_axis_order_is_reached_bit_for_bit_and_back(codes: str) -> None:
    scan = phantom(dtype=np.int16)
    there = resample(scan, reordered(codes))
    assert there.array.dtype == np.int16
    np.testing.assert_array_equal(
        there.array, phantom(there.grid.shape, there.grid.affine, dtype=np.int16).array
    )
    np.testing.assert_array_equal(resample(there, scan.grid).array, scan.array)
    assert is_exact(scan.grid, there.grid)


def test_the_same_grid_gives_the_very_same_object() -> None:
    scan = phantom()
    assert resample(scan, Grid(scan.grid.shape, Affine(scan.grid.affine.matrix.copy()))) is scan


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(ALL_CODES),
    st.lists(st.integers(-9, 9), min_size=3, max_size=3),
    st.lists(st.integers(1, 20), min_size=3, max_size=3),
)
def test_a_crop_or_pad_by_whole_voxels_copies_and_leaves_zero_outside(
    codes: str, start: list[int], shape: list[int]
) -> None:
    grid = reordered(codes)
    scan = Volume(np.random.default_rng(0).integers(1, 99, grid.shape), grid)
    matrix = grid.affine.matrix.copy()
    matrix[:3, 3] = grid.affine.apply(start)
    window = resample(scan, Grid(tuple(shape), Affine(matrix)))
    padded = np.pad(scan.array, 40)
    box = tuple(slice(40 + s, 40 + s + n) for s, n in zip(start, shape, strict=True))
    np.testing.assert_array_equal(window.array, padded[box])


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.floats(-25, 25), min_size=3, max_size=3),
    st.lists(st.floats(-8, 8), min_size=3, max_size=3),
    st.lists(st.floats(3.0, 6.0), min_size=3, max_size=3),
    st.sampled_from(ALL_CODES),
)
def test_a_linear_ramp_is_reproduced_on_any_grid_through_any_motion(
    tilt: list[float], shift: list[float], spacing: list[float], codes: str
) -> None:
    scan = phantom()
    slope = np.array([0.7, -0.4, 1.1])
    ramp = scan.with_array((points_of(scan.grid) @ slope + 500).astype(np.float32))
    grid = Grid((9, 8, 7), affine_of((9, 8, 7), spacing, codes, tilt))
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation([3, -5, 4]), shift
    found = resample(ramp, grid, motion=Rigid(matrix))
    there = points_of(grid) @ matrix[:3, :3].T + matrix[:3, 3]
    np.testing.assert_allclose(found.array, there @ slope + 500, atol=0.05)


def test_a_moved_scan_comes_back_through_its_motion_the_right_way_round() -> None:
    scan = phantom(shape=(72, 88, 64), affine=affine_of((72, 88, 64), (2, 2, 2)))
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation([8, -4, 10]), (9, -6, 12)
    moved = Volume(scan.array, Grid(scan.grid.shape, Affine(matrix @ scan.grid.affine.matrix)))
    back = resample(moved, scan.grid, motion=Rigid(matrix))
    np.testing.assert_allclose(back.array, scan.array)
    assert inner_error(resample(moved, scan.grid, motion=Rigid(np.linalg.inv(matrix))), scan) > 0.2


def test_oblique_thick_slices_look_like_the_phantom_itself() -> None:
    fine = phantom(shape=(72, 88, 64), affine=affine_of((72, 88, 64), (2, 2, 2)))
    grid = Grid((60, 74, 26), affine_of((60, 74, 26), (2.5, 2.5, 5), "LPS", (6, -4, 9)))
    assert inner_error(resample(fine, grid), phantom(grid.shape, grid.affine)) < 0.02


def test_a_coarser_grid_does_not_alias() -> None:
    shape = (64, 64, 64)
    stripes = np.zeros(shape, np.float32)
    stripes[::2] = 100
    scan = Volume(stripes, Grid(shape, affine_of(shape, (1, 1, 1))))
    coarse = Grid((16, 16, 16), affine_of((16, 16, 16), (4, 4, 4), centre_mm=(0.5, 0.5, 0.5)))
    inside = resample(scan, coarse).array[3:-3, 3:-3, 3:-3]
    np.testing.assert_allclose(inside, 50, atol=1)


def test_outside_the_field_of_view_is_zero_and_the_original_never_changes() -> None:
    scan = phantom()
    before = scan.array.copy()
    bright = scan.with_array(scan.array + 7)
    large = Grid((60, 60, 60), affine_of((60, 60, 60), (5, 5, 5), tilt_deg=(3, 3, 3)))
    found = resample(bright, large)
    assert found.array[0, 0, 0] == 0
    assert found.array.dtype == np.float32
    np.testing.assert_array_equal(scan.array, before)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int64, ">i4"])
def test_labels_are_never_blended_and_keep_their_dtype(dtype: str) -> None:
    labels = lesion_labels()
    given = LabelVolume((labels.array * (1 if dtype is bool else 3)).astype(dtype), labels.grid)
    grid = Grid((50, 50, 50), affine_of((50, 50, 50), (3, 3, 3), tilt_deg=(5, 5, 5)))
    found = resample(given, grid)
    assert found.array.dtype == np.dtype(dtype)
    assert set(np.unique(found.array)) == set(np.unique(given.array))
    volume = found.array.astype(bool).sum() * 27 / (given.array.astype(bool).sum() * 64)
    assert volume == pytest.approx(1, abs=0.1)


def test_a_single_slice_can_be_resampled() -> None:
    shape = (20, 20, 1)
    scan = Volume(np.full(shape, 5, np.int16), Grid(shape, affine_of(shape, (4, 4, 5))))
    grid = Grid((40, 40, 1), affine_of((40, 40, 1), (2, 2, 5)))
    np.testing.assert_allclose(resample(scan, grid).array[2:-2, 2:-2], 5)


def test_importing_the_package_loads_no_heavy_library() -> None:
    modules = ("resample", "align", "mask", "study")
    code = "import sys\n" + "\n".join(f"import napari_mrsynth.preprocess.{m}" for m in modules)
    code += "\nprint([m for m in ('SimpleITK', 'dipy', 'scipy', 'skimage', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
