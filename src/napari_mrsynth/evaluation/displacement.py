"""How far two images of one brain lie apart, slice by slice, read off their edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STEPS_PER_VOXEL = 20
"""How finely a shift is told."""

SMOOTH_VOX, RIM_VOX = 1.0, 5
"""Width of the derivatives' Gaussian, and the rim of the brain that is left out."""

LEAST = 1e-6
"""A slice whose gradients differ by less than this share of the image's largest value has no edges."""

SMALLEST_SHARE = 0.25
"""Slices with less than this share of the largest slice's brain are not looked at."""


def shifts(
    one: NDArray[np.floating], other: NDArray[np.floating], brain: NDArray[np.bool_], every: int = 1
) -> NDArray[np.float64]:
    """Return the shift in each axial slice that brings the edges of two images together best.

    Edges are the length of the in-plane gradient, of which contrasts keep the places and not the sign. Their
    correlation is searched for its highest point. The brain's rim, where every contrast has the same edge, is
    left out, and the mean of what is left is taken off, so that the brain's outline does not hold the images
    in place.

    Parameters
    ----------
    one, other : ndarray, (S, A, R)
        Of any contrasts, on one grid.
    brain : ndarray of bool, (S, A, R)
    every : int
        Only every so many slices are looked at.

    Returns
    -------
    ndarray, (slices, 2)
        Along A and R in voxels; a slice where one of the images has no edges is left out.
    """
    from scipy.ndimage import binary_erosion, gaussian_gradient_magnitude
    from skimage.registration import phase_cross_correlation

    areas = brain.sum(axis=(1, 2))
    planes = np.flatnonzero(areas >= max(1.0, SMALLEST_SHARE * areas.max()))[::every]
    found = []
    for plane in planes:
        inside = binary_erosion(brain[plane], np.ones((3, 3)), RIM_VOX)
        if not inside.any():
            continue
        edges = []
        for image in (one, other):
            steep = gaussian_gradient_magnitude(image[plane].astype(np.float64), SMOOTH_VOX)
            if np.ptp(steep[inside]) > LEAST * np.abs(image).max():
                edges.append(np.where(inside, steep - steep[inside].mean(), 0.0))
        if len(edges) == 2:
            shift, *_ = phase_cross_correlation(*edges, upsample_factor=STEPS_PER_VOXEL, normalization=None)
            found.append(shift)
    return np.array(found, dtype=np.float64).reshape(-1, 2)
