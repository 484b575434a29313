"""How far two images of one brain lie apart, slice by slice, read off their edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REACH_VOX = 8
"""How far a shift is looked for; edges that have little in common agree best anywhere."""

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
    correlation is searched for its highest point within :data:`REACH_VOX`, to a fraction of a voxel. The
    brain's rim, where every contrast has the same edge, is left out, and the mean of what is left is taken
    off, so that the brain's outline does not hold the images in place.

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
            found.append(_shift(*edges))
    return np.array(found, dtype=np.float64).reshape(-1, 2)


def _shift(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float]:
    """Return how far `other` is to be moved onto `one`: the peak of their correlation, by parabolas."""
    reach = REACH_VOX + 1
    shape = tuple(length + 2 * reach for length in one.shape)
    product = np.fft.rfft2(one, shape) * np.fft.rfft2(other, shape).conj()
    near = np.roll(np.fft.irfft2(product, shape), (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]
    row, column = np.unravel_index(near[1:-1, 1:-1].argmax(), (2 * reach - 1,) * 2)
    here = near[row : row + 3, column : column + 3]
    return float(row - REACH_VOX + _top(here[:, 1])), float(column - REACH_VOX + _top(here[1]))


def _top(values: NDArray[np.float64]) -> float:
    """Return where, from the middle one of three values, the parabola through them is highest."""
    before, middle, after = values
    bend = before - 2 * middle + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0
