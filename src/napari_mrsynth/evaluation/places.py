"""Where a prediction is wrong: slice by slice, and the worst places by name of their coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.evaluation.figures import BINS
from napari_mrsynth.evaluation.pairing import Pair
from napari_mrsynth.evaluation.regions import Mask, box_of

WINDOW_MM = 10.0
"""Edge of the cube over which errors are averaged to find the worst places."""

HISTOGRAM_TOP = 99.9
"""Percentile of an image over the region at which the joint histogram ends."""


@dataclass(frozen=True)
class Place:
    """A place where the prediction is wrong.

    Attributes
    ----------
    voxel : (int, int, int)
        Native (i, j, k).
    point_mm : (float, float, float)
        RAS mm.
    mae : float
        Mean absolute error over the region's voxels in a cube of 1 cm around it, in the truth's units.
    bias : float
        Mean signed error there (prediction minus truth): above 0 where too bright.
    """

    voxel: tuple[int, int, int]
    point_mm: tuple[float, float, float]
    mae: float
    bias: float


def slice_errors(pair: Pair, region: Mask, display_axis: int) -> NDArray[np.float64]:
    """Return the mean absolute error of every slice.

    Parameters
    ----------
    pair : Pair
    region : ndarray of bool, shape (i, j, k)
    display_axis : int
        0 for axial slices (S), 1 for coronal (A), 2 for sagittal ones (R).

    Returns
    -------
    ndarray of float64, one per slice along that axis of the display order (S, A, R)
        NaN for slices that have no voxel of the region.
    """
    others = tuple(axis for axis in range(3) if axis != display_axis)
    inside = pair.grid.as_display(region)
    error = np.abs(pair.difference) * region
    totals = pair.grid.as_display(error).sum(axis=others, dtype=np.float64)
    counts = np.count_nonzero(inside, axis=others)
    means: NDArray[np.float64] = np.full(totals.shape, np.nan)
    np.divide(totals, counts, out=means, where=counts > 0)
    return means


def worst_places(pair: Pair, region: Mask, count: int = 8) -> tuple[Place, ...]:
    """Return the places with the largest mean absolute error, the worst first, at least 2 cm apart.

    Errors are averaged over the voxels of the region that lie in a cube of `WINDOW_MM` around each voxel of
    it; cubes that hold little of the region are passed over.
    """
    from scipy.ndimage import uniform_filter

    size = [max(1, round(WINDOW_MM / spacing) // 2 * 2 + 1) for spacing in pair.grid.spacing]
    box = box_of(region, margin=max(size))
    inside = region[box]
    error = pair.difference[box] * inside
    share = uniform_filter(inside.astype(np.float32), size, mode="constant")
    enough = inside & (share >= min(0.25, 0.5 * float(share[inside].max())))
    over = np.maximum(share, 1e-6)
    mean = uniform_filter(np.abs(error), size, mode="constant") / over
    signed = uniform_filter(error, size, mode="constant") / over
    left = np.where(enough, mean, -1.0).astype(np.float32)
    corner = np.array([side.start for side in box])
    apart = [max(1, round(2 * WINDOW_MM / spacing)) for spacing in pair.grid.spacing]
    found: list[Place] = []
    while len(found) < count:
        at = np.unravel_index(int(left.argmax()), left.shape)
        if left[at] <= 0:
            break
        i, j, k = (int(n) for n in corner + np.array(at))
        x, y, z = (float(v) for v in pair.grid.affine.apply((i, j, k)))
        found.append(Place((i, j, k), (x, y, z), float(mean[at]), float(signed[at])))
        around = tuple(slice(max(c - a, 0), c + a + 1) for c, a in zip(at, apart, strict=True))
        left[around] = -1.0
    return tuple(found)


def joint_histogram(
    pair: Pair, region: Mask, bins: int = 4 * BINS
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Return how often each pair of intensities occurs.

    Returns
    -------
    counts : ndarray, shape (bins, bins)
        First axis the truth, second the prediction; both axes have the same limits, so that a perfect
        prediction lies on the diagonal.
    limits : (float, float)
        Of both axes; the brightest 0.1 % lie in the last bins.
    """
    made, real = pair.pred[region].astype(np.float64), pair.truth[region].astype(np.float64)
    low = float(min(made.min(), real.min()))
    high = float(max(np.percentile(made, HISTOGRAM_TOP), np.percentile(real, HISTOGRAM_TOP)))
    high = high if high > low else low + 1.0
    counts, _, _ = np.histogram2d(
        np.clip(real, low, high), np.clip(made, low, high), bins=bins, range=((low, high), (low, high))
    )
    return counts, (low, high)
