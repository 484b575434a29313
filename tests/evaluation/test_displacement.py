"""Displacement between two contrasts is told to a fraction of a voxel, whatever the sign of their edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_mrsynth.evaluation.displacement import shifts

RNG = np.random.default_rng(0)
ROWS, COLUMNS = np.mgrid[:64, :72]
BRAIN = np.repeat((((ROWS - 32) / 28) ** 2 + ((COLUMNS - 36) / 32) ** 2 < 1)[None], 3, axis=0)
ANATOMY = ndimage.gaussian_filter(RNG.normal(size=(3, 64, 72)), (0, 3, 3))
ANATOMY = 1 + (ANATOMY > 0) + 0.5 * (ANATOMY > 0.05)


@pytest.mark.parametrize("move", [(0.0, 0.0), (2.0, -1.0), (0.5, 0.25)])
def test_a_shift_is_found_though_the_brains_outline_does_not_move(move):
    inverted = (4 - ndimage.shift(ANATOMY, (0, *move), order=1, mode="nearest")) * BRAIN
    found = shifts(ANATOMY * BRAIN, inverted, BRAIN)
    assert found.shape == (3, 2)
    np.testing.assert_allclose(found, np.tile(np.negative(move), (3, 1)), atol=0.15)


def test_slices_with_little_brain_or_no_edges_are_left_out():
    brain = BRAIN.copy()
    brain[0, :, 40:] = False
    brain[0, 20:] = False
    flat = ANATOMY * BRAIN
    flat[1] = BRAIN[1]
    assert len(shifts(ANATOMY, flat, brain)) == 1
    assert len(shifts(ANATOMY, ANATOMY, BRAIN, every=2)) == 2
    assert shifts(ANATOMY, ANATOMY, np.zeros_like(BRAIN)).shape == (0, 2)
