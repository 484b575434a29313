"""Label maps are told from scans by their values, with room on both sides."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mrsynth.errors import LabelError
from napari_mrsynth.io import checks
from phantoms import brain_study, lesion_labels, phantom, points_of, tissue_at


def parcellation(count):
    """Cubes of `count` different labels, as a brain parcellation."""
    cells = np.indices((40, 40, 40)) // 8
    numbers = (cells[0] * 25 + cells[1] * 5 + cells[2]) % count + 1
    return np.where(tissue_at(points_of(phantom((40, 40, 40)).grid)) > 0, numbers, 0)


@pytest.mark.parametrize("count", [1, 4, 100])
@pytest.mark.parametrize("dtype", ["u1", "i2", "f4"])
def test_label_maps_are_recognised_in_any_dtype(count, dtype):
    array = parcellation(count).astype(dtype)
    assert checks.label_values(array) == tuple(int(value) for value in np.unique(array))


def test_scattered_single_voxels_are_labels():
    array = np.zeros((20, 20, 20), np.uint8)
    array[::5, ::5, ::5] = 1
    assert checks.label_values(array) == (0, 1)
    assert checks.label_values(lesion_labels().array) == (0, 1, 2)


@pytest.mark.parametrize("levels", [30, 60, 255, 4000])
@pytest.mark.parametrize("contrast", ["T1w", "T1ce", "T2w", "FLAIR"])
def test_a_scan_is_no_label_map_even_with_few_grey_levels(contrast, levels):
    scan = brain_study(noise=0.05).volume(contrast).array
    squeezed = np.rint(scan / scan.max() * levels)
    assert checks.label_values(squeezed.astype(np.int16)) is None
    assert checks.label_values(squeezed.astype(np.float32)) is None


def test_fractions_and_negative_numbers_are_no_labels():
    array = lesion_labels().array.astype(np.float32)
    assert checks.label_values(array * 0.5) is None
    assert checks.label_values(array - 1) is None


def test_a_single_odd_voxel_between_samples_counts():
    array = np.zeros((128, 128, 32), np.float32)
    array[:, :, 16:] = 1
    array[77, 3, 5] = 0.5
    assert checks.label_values(array) is None


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ((0, 1, 255), "u1"),
        ((-1, 5), "i2"),
        ((0, 300), "i2"),
        ((0, 40000), "u2"),
        ((0, 70000), "i4"),
        ((0, 2**31), "u4"),
    ],
)
def test_labels_take_the_smallest_type(values, dtype):
    array = np.resize(np.array(values, np.int64), (3, 4, 5))
    assert checks.as_labels(array, "x").dtype == np.dtype(dtype)


def test_a_blend_of_labels_is_refused_with_its_value():
    with pytest.raises(LabelError, match=r"holds 0\.37") as caught:
        checks.as_labels(np.full((2, 2, 2), 0.37), "p_seg.nii")
    assert "nearest" in caught.value.hint


@pytest.mark.parametrize("levels", [30, 255, 4000])
def test_a_scan_of_whole_numbers_is_refused_as_labels(levels):
    scan = brain_study(noise=0.05).volume("T1w").array
    with pytest.raises(LabelError, match=r"is a scan.*different values") as caught:
        checks.refuse_image(np.rint(scan / scan.max() * levels).astype(np.int16), "T1.nii")
    assert caught.value.hint


@pytest.mark.parametrize("count", [1, 4, 100])
def test_labels_are_not_refused_as_a_scan(count):
    checks.refuse_image(parcellation(count), "aparc.nii")


def test_probabilities_are_told_from_a_scaled_scan_and_from_labels():
    from scipy import ndimage

    brain = (phantom().array > 0).astype(np.float32)
    assert checks.is_probability(ndimage.uniform_filter(brain, 3))
    assert not checks.is_probability(brain)
    scan = brain_study(noise=0.05).volume("T1w").array
    assert not checks.is_probability((scan / scan.max()).clip(0, 1).astype(np.float32))
