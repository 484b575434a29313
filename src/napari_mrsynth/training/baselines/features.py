"""Patch features in the manner of REPLICA (Jog et al. 2017): a voxel, its neighbours, its surroundings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.training.baselines.case import Case, FloatArray

SIGMAS = (2.0, 4.0)
"""Standard deviations in voxels (mm at 1 mm spacing) of the two Gaussian scales."""

NEIGHBOURS = ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1))
"""Offsets (S, A, R) of the six face neighbours."""


def patch_features(
    case: Case,
    contrasts: Sequence[str],
    voxels: NDArray[np.intp],
    *,
    sigmas: Sequence[float] = SIGMAS,
) -> FloatArray:
    """Describe voxels by what each contrast shows at and around them.

    Parameters
    ----------
    case : Case
        The patient.
    contrasts : sequence of str
        The present contrasts, in the order of the columns.
    voxels : ndarray of int, shape (n,)
        Flat indices into the case's volumes.
    sigmas : sequence of float
        Gaussian scales in voxels.

    Returns
    -------
    ndarray of float32, shape (n, len(contrasts) * (7 + len(sigmas)))
        Per contrast: the voxel, its six face neighbours (0 outside the volume), each blurred value.
    """
    width = 1 + len(NEIGHBOURS) + len(sigmas)
    table = np.empty((voxels.size, len(contrasts) * width), np.float32)
    place = np.unravel_index(voxels, case.brain.shape)
    for number, contrast in enumerate(contrasts):
        padded = np.pad(case.scan(contrast), 1)
        columns = table[:, number * width : (number + 1) * width]
        for column, offset in enumerate(((0, 0, 0), *NEIGHBOURS)):
            columns[:, column] = padded[
                tuple(axis + 1 + step for axis, step in zip(place, offset, strict=True))
            ]
        for column, sigma in enumerate(sigmas, start=1 + len(NEIGHBOURS)):
            columns[:, column] = case.smoothed(contrast, sigma).flat[voxels]
    return table
