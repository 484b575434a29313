"""Layers show every grid the same way up, share the voxels, and give the exact image back."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_mrsynth.errors import FormatError
from napari_mrsynth.gui.layer_data import KEY, checked, image_of, layer_tuple, limits, placed_by_user
from napari_mrsynth.imaging import Source, Volume
from phantoms import ALL_CODES, affine_of, lesion_labels, phantom

SHAPES = {"R": 18, "L": 18, "A": 22, "P": 22, "S": 16, "I": 16}
SIZES = {"R": 8.0, "L": 8.0, "A": 7.5, "P": 7.5, "S": 8.5, "I": 8.5}


def on_axes(codes: str, tilt=(0, 0, 0)) -> Volume:
    shape = tuple(SHAPES[c] for c in codes)
    return phantom(shape, affine_of(shape, tuple(SIZES[c] for c in codes), codes, tilt))


@pytest.mark.parametrize("codes", ALL_CODES)
def test_every_axis_order_is_shown_the_same_way_up(codes):
    shown, attributes, kind = layer_tuple(on_axes(codes))
    plain, expected, _ = layer_tuple(on_axes("SAR"))
    assert kind == "image"
    np.testing.assert_allclose(shown, plain, atol=1e-3)
    assert attributes["scale"] == pytest.approx(expected["scale"])
    assert attributes["translate"] == pytest.approx(expected["translate"])


def test_a_layer_is_in_millimetres_with_anatomical_axes():
    _, attributes, _ = layer_tuple(on_axes("LPS"))
    assert attributes["units"] == ("mm",) * 3
    assert attributes["axis_labels"] == ("S", "A", "R")
    assert "affine" not in attributes
    assert "rotate" not in attributes


def test_the_layer_is_a_view_of_the_native_voxels():
    volume = on_axes("LPI")
    shown, _, _ = layer_tuple(volume)
    assert np.shares_memory(shown, volume.array)


def test_painting_on_a_label_layer_writes_the_native_array():
    labels = lesion_labels()
    data, attributes, kind = layer_tuple(labels)
    layer = Labels(data, **attributes)
    assert kind == "labels"
    layer.data_setitem((np.array([0]), np.array([0]), np.array([0])), 7)
    assert (labels.array == 7).sum() == 1


@pytest.mark.parametrize("tilt", [(0, 0, 0), (12, -7, 20)])
def test_an_image_comes_back_exactly_from_its_layer(tilt):
    volume = on_axes("PIR", tilt)
    data, attributes, _ = layer_tuple(volume)
    back = image_of(Image(data, **attributes))
    assert isinstance(back, Volume)
    np.testing.assert_array_equal(back.array, volume.array)
    np.testing.assert_array_equal(back.grid.affine.matrix, volume.grid.affine.matrix)
    assert back.contrast == "T1w"


def test_a_synthetic_scan_is_named_and_tagged_so():
    volume = on_axes("RAS")
    made = Volume(volume.array, volume.grid, "x", Source(synthetic={"model": "m"}), contrast="FLAIR")
    _, attributes, _ = layer_tuple(made)
    assert attributes["name"] == "FLAIR (synthetic)"
    assert attributes["metadata"][KEY]["kind"] == "synthetic"
    assert attributes["metadata"][KEY]["provenance"] == {"model": "m"}


def test_layers_of_others_are_not_taken_for_ours():
    assert image_of(Image(np.zeros((3, 4, 5)))) is None


def test_display_limits_ignore_outliers_and_show_zero_as_black():
    array = np.random.default_rng(0).uniform(50, 150, (40, 40, 40)).astype(np.float32)
    array[0, 0, 0] = 1e6
    array[:20] = 0
    low, high = limits(array)["contrast_limits"]
    assert low == 0
    assert 140 < high < 151


@pytest.mark.parametrize("value", [0.0, 7.0, -3.0])
def test_display_limits_of_a_flat_image_are_ordered(value):
    low, high = limits(np.full((4, 4, 4), value, np.float32))["contrast_limits"]
    assert low < high


def test_voxels_that_need_no_mending_are_not_copied():
    volume = on_axes("LPS")
    assert checked(volume) is volume
    placed = placed_by_user(volume.array, volume.grid, "T1w")
    assert placed.array is volume.array


def test_voxels_placed_by_the_user_become_those_of_a_scan():
    volume = on_axes("LPS")
    array = volume.array.astype(np.float64)
    array[0, 0, 0] = np.inf
    placed = placed_by_user(array, volume.grid, "T1w")
    assert placed.array.dtype == np.float32
    assert placed.array[0, 0, 0] == 0
    assert placed.notes[-1] == "1 voxel with NaN or infinity set to 0"


def test_complex_voxels_are_refused_as_those_of_a_file_are():
    volume = on_axes("LPS")
    with pytest.raises(FormatError, match="complex"):
        placed_by_user(volume.array.astype(np.complex64), volume.grid, "T1w")
