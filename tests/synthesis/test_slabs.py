"""Slabs cover the brain, and nothing is lost between cutting out and putting back."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mrsynth.synthesis.slabs import outwards, plan_slabs, put, take


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    shape = draw(st.tuples(*(st.integers(1, 40) for _ in range(3))))
    mask = np.zeros(shape, bool)
    for _ in range(draw(st.integers(1, 3))):
        low = [draw(st.integers(0, n - 1)) for n in shape]
        high = [draw(st.integers(a + 1, n)) for a, n in zip(low, shape, strict=True)]
        mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


@settings(deadline=None, max_examples=80)
@given(
    mask=masks(), size=st.integers(1, 9), multiple=st.sampled_from([1, 4, 8, 12]), margin=st.integers(0, 9)
)
def test_every_brain_voxel_lies_in_one_slab_and_comes_back(
    mask: np.ndarray, size: int, multiple: int, margin: int
) -> None:
    array = np.random.default_rng(0).random(mask.shape).astype(np.float32)
    back, times = np.zeros_like(array), np.zeros(mask.shape, int)
    for slab in plan_slabs(mask, size, multiple, margin=margin):
        assert slab.padded[0] % multiple == slab.padded[1] % multiple == 0
        assert slab.a % multiple == slab.r % multiple == 0  # pooled cells are those of the whole frame
        assert 1 <= slab.planes <= size
        slices = take(array, slab, 0)
        assert slices.shape == (slab.planes, 1, *slab.padded)
        put(back, slab, slices[:, 0])
        times[slab.box] += 1
    assert (times[mask] == 1).all()
    np.testing.assert_array_equal(back[mask], array[mask])


@settings(deadline=None, max_examples=40)
@given(mask=masks(), margin=st.integers(0, 9))
def test_the_margin_is_kept_where_the_frame_has_room(mask: np.ndarray, margin: int) -> None:
    for slab in plan_slabs(mask, 3, 4, margin=margin):
        rows = np.flatnonzero(mask[slab.start : slab.stop].any(axis=(0, 2)))
        columns = np.flatnonzero(mask[slab.start : slab.stop].any(axis=(0, 1)))
        for used, start, extent, length in (
            (rows, slab.a, slab.height, mask.shape[1]),
            (columns, slab.r, slab.width, mask.shape[2]),
        ):
            assert start <= max(used[0] - margin, 0)
            assert start + extent >= min(used[-1] + 1 + margin, length)
            assert start >= 0
            assert start + extent <= length


def test_slices_without_brain_are_in_no_slab() -> None:
    mask = np.zeros((20, 32, 32), bool)
    mask[5:7, 10:20, 10:20] = True
    mask[15, 12, 12] = True
    assert [(slab.start, slab.stop) for slab in plan_slabs(mask, 2, 4, 8)] == [(4, 6), (6, 8), (14, 16)]


def test_neighbours_are_the_slices_beside_and_repeat_at_the_ends() -> None:
    array = np.arange(4, dtype=np.float32)[:, None, None] * np.ones((4, 16, 16), np.float32)
    slab = plan_slabs(np.ones((4, 16, 16), bool), 4, 4, 8)[0]
    stacks = take(array, slab, 2)
    assert stacks[:, :, 0, 0].tolist() == [[0, 0, 0, 1, 2], [0, 0, 1, 2, 3], [0, 1, 2, 3, 3], [1, 2, 3, 3, 3]]


def test_beyond_a_small_frame_lie_zeros() -> None:
    array = np.ones((1, 5, 6), np.float32)
    slab = plan_slabs(array > 0, 1, 4, 8)[0]
    slices = take(array, slab, 0)
    assert slices.shape == (1, 1, 16, 16)
    assert slices.sum() == 30


def test_the_displayed_slice_comes_first_and_the_rest_outwards() -> None:
    slabs = plan_slabs(np.ones((10, 16, 16), bool), 2, 4, 8)
    starts = [slab.start for slab in outwards(slabs, 5)]
    assert starts[0] == 4
    assert set(starts[1:3]) == {2, 6}
    assert sorted(starts) == [0, 2, 4, 6, 8]
    assert outwards(slabs, None) == slabs
