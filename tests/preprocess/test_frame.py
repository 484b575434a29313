"""The model's frame: exact where nothing needs interpolating, in the right place where something does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from napari_mrsynth.errors import GridError, InputError
from napari_mrsynth.imaging import Grid
from napari_mrsynth.preprocess.frame import WorkingFrame
from phantoms import ALL_CODES, affine_of, brain_study, points_of


def smooth(grid: Grid) -> np.ndarray:
    x, y, z = np.moveaxis(points_of(grid), -1, 0)
    return (3 + np.sin(x / 14) + np.cos(y / 17) + z / 40).astype(np.float32)


@pytest.mark.parametrize("codes", ALL_CODES)
def test_at_the_models_spacing_nothing_is_interpolated_whatever_the_axis_order(codes):
    study = brain_study(("T1w",), codes=codes)
    frame = WorkingFrame.of(study, 4.0)
    array = study.volume("T1w").array
    inside = frame.bring(study.members["T1w"])
    assert frame.is_exact
    assert frame.grid.affine.codes == "SAR"
    np.testing.assert_array_equal(frame.bring_back(inside)[study.mask.array], array[study.mask.array])


@settings(max_examples=30, deadline=None)
@given(
    codes=st.sampled_from(ALL_CODES),
    spacing=st.tuples(*[st.floats(0.7, 3.5)] * 3),
    tilt=st.tuples(*[st.floats(-20, 20)] * 3),
)
def test_a_voxel_of_the_frame_holds_what_lies_at_its_place_in_space(codes, spacing, tilt):
    shape = (26, 30, 22)
    grid = Grid(shape, affine_of(shape, spacing, codes, tilt))
    mask = np.zeros(shape, bool)
    mask[5:-5, 5:-5, 5:-5] = True
    frame = WorkingFrame.around(grid, mask, 1.5)
    brought = frame.bring_array(smooth(grid))
    places = grid.affine.unapply(points_of(frame.grid))
    linear = map_coordinates(smooth(grid), np.moveaxis(places, -1, 0), order=1, mode="nearest")
    core = frame.mask
    assert np.abs(brought - linear)[core].max() < 0.12


@settings(max_examples=30, deadline=None)
@given(codes=st.sampled_from(ALL_CODES), spacing=st.tuples(*[st.floats(0.7, 3.5)] * 3))
def test_a_smooth_image_survives_the_way_there_and_back(codes, spacing):
    shape = (26, 30, 22)
    grid = Grid(shape, affine_of(shape, spacing, codes))
    mask = np.zeros(shape, bool)
    mask[6:-6, 6:-6, 6:-6] = True
    frame = WorkingFrame.around(grid, mask, 1.0)
    image = smooth(grid)
    back = frame.bring_back(frame.bring_array(image))
    assert back.shape == shape
    assert np.abs(back - image)[mask].max() < 0.12


@pytest.mark.parametrize("spacing", [(4.0, 4.0, 4.0), (1.0, 1.0, 3.0), (3.3, 0.8, 0.9)])
@pytest.mark.parametrize("codes", ["LPS", "RAS", "IPR"])
def test_one_plane_brought_back_equals_that_plane_of_the_whole(spacing, codes):
    shape = (24, 28, 20)
    grid = Grid(shape, affine_of(shape, spacing, codes))
    mask = np.zeros(shape, bool)
    mask[4:-4, 5:-5, 3:-3] = True
    frame = WorkingFrame.around(grid, mask, 1.0 if min(spacing) < 4 else 4.0)
    made = frame.bring_array(smooth(grid))
    whole = grid.as_display(frame.bring_back(made))
    for plane in range(whole.shape[0]):
        needed = frame.planes_for(plane)
        one = frame.bring_back_plane(made[needed.start : needed.stop], plane)
        np.testing.assert_allclose(one, whole[plane], atol=1e-4)


def test_every_brain_voxel_comes_back_filled():
    study = brain_study(("T1w",), shape=(40, 40, 14), spacing=(3.5, 4.2, 11.0), codes="LPI")
    frame = WorkingFrame.of(study, 4.0, margin=0)
    back = frame.bring_back(np.ones(frame.shape, np.float32))
    share = back[study.mask.array].astype(bool).mean()
    assert share > 0.97


def test_a_study_without_a_mask_is_refused():
    study = brain_study(("T1w",))
    with pytest.raises(InputError, match="no brain mask"):
        WorkingFrame.of(type(study)(study.name, study.reference, study.members), 1.0)


def test_a_result_of_another_shape_is_refused():
    frame = WorkingFrame.of(brain_study(("T1w",)), 4.0)
    with pytest.raises(GridError, match=r"\(2, 2, 2\)"):
        frame.bring_back(np.zeros((2, 2, 2), np.float32))
