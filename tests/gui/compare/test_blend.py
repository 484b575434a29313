"""Volumes shown as one have the right voxels in the right places, whichever slice is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mrsynth.gui.compare.blend import Edges, Mixed, Mosaic, checker_mask, swipe_mask

SHAPE = (4, 6, 8)
FIRST = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
SECOND = -FIRST - 1
KEYS = [
    (2, slice(None), slice(None)),
    (slice(None), 3, slice(None)),
    (slice(None), slice(None), 5),
    (slice(1, 2), slice(None), slice(None)),
    (slice(None),) * 3,
]


@pytest.mark.parametrize("key", KEYS)
def test_a_mix_takes_each_voxel_from_the_side_the_mask_says(key):
    mixed = Mixed(FIRST, SECOND)
    mixed.mask = swipe_mask(SHAPE, 2, 0.5, from_end=False)
    expected = np.concatenate([FIRST[..., :4], SECOND[..., 4:]], axis=2)
    np.testing.assert_array_equal(mixed[key], expected[key])
    np.testing.assert_array_equal(np.asarray(mixed), expected)
    mixed.only = SECOND
    np.testing.assert_array_equal(mixed[key], SECOND[key])


def test_the_swipe_runs_as_the_screen_does():
    rightwards = swipe_mask(SHAPE, 2, 0.25, from_end=False).ravel()
    leftwards = swipe_mask(SHAPE, 2, 0.25, from_end=True).ravel()
    assert rightwards.tolist() == [True, True] + [False] * 6
    assert leftwards.tolist() == [False] * 6 + [True, True]
    assert swipe_mask(SHAPE, 1, 1.0, from_end=True).all()
    assert not swipe_mask(SHAPE, 1, 0.0, from_end=True).any()


def test_tiles_have_their_size_in_millimetres_on_anisotropic_voxels():
    mask = np.broadcast_to(checker_mask(SHAPE, (1, 2), 4.0, (9.0, 2.0, 1.0)), SHAPE)
    assert (mask == mask[:1]).all()  # the same on every slice
    assert mask[0, :2, :4].all()
    assert not mask[0, 2:4, :4].any()
    assert not mask[0, :2, 4:].any()
    assert mask[0, 2:4, 4:].all()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("key", KEYS)
def test_a_mosaic_is_the_volumes_one_after_the_other(key, axis):
    mosaic = Mosaic([FIRST, SECOND, FIRST], axis)
    whole = np.concatenate([FIRST, SECOND, FIRST], axis=axis)
    assert mosaic.shape == whole.shape
    np.testing.assert_array_equal(mosaic[key], whole[key])
    last = tuple(-1 % whole.shape[a] if a == axis else slice(None) for a in range(3))
    np.testing.assert_array_equal(mosaic[last], whole[last])


def test_edges_lie_where_the_intensity_steps_in_any_slice():
    image = np.zeros((12, 40, 40), np.float32)
    image[:, 10:30, 8:28] = 100
    edges = Edges(image, 100.0)
    plane = edges[5, :, :]
    assert plane[10, 12:24].any() or plane[9, 12:24].any()
    assert not plane[16:24, 14:22].any()
    np.testing.assert_array_equal(edges[5:6, :, :][0], plane)
    np.testing.assert_array_equal(np.asarray(edges)[5], plane)
