"""How sure a figure is: intervals from resampling cubes of neighbouring voxels.

Neighbouring voxels are alike, so that resampling them one by one would promise far too narrow intervals.
Whole cubes are drawn with replacement instead. What the intervals speak of is this patient alone: how much
the figure depends on which parts of the region were looked at, not how the method does on other patients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.evaluation.figures import (
    BINS,
    Floats,
    Gradients,
    Values,
    joint_bins,
    mutual_informations,
)

Interval = tuple[float, float]
_Sum = Callable[[Floats], Floats]

FEWEST_CUBES = 5
"""A region that touches fewer cubes gets no intervals."""


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made.

    Attributes
    ----------
    replicates : int
        How often the cubes are drawn; 0 for no intervals.
    level : float
        Share of the replicates between the interval's ends.
    edge : int
        Edge of a cube in voxels.
    seed : int
        Of the random draws: the same images always give the same intervals.
    """

    replicates: int = 500
    level: float = 0.95
    edge: int = 16
    seed: int = 0

    def cubes(self, shape: tuple[int, ...]) -> NDArray[np.int32]:
        """Return, for every voxel of a volume, the number of the cube it lies in."""
        sides = [np.arange(length) // self.edge for length in shape]
        counts = [int(side[-1]) + 1 for side in sides]
        numbers = np.zeros(shape, np.int32)
        for axis, (side, count) in enumerate(zip(sides, counts, strict=True)):
            numbers = numbers * count + side.reshape([-1 if a == axis else 1 for a in range(len(shape))])
        return numbers.astype(np.int32, copy=False)

    def intervals(
        self,
        made: Floats,
        real: Floats,
        gradients: Gradients,
        similarity: Floats,
        cubes: NDArray[np.int32],
        means: tuple[float, float],
        data_range: float,
    ) -> dict[str, Interval] | None:
        """Return an interval for every figure of a region, or None where it touches too few cubes.

        Parameters
        ----------
        made, real : ndarray of float64, shape (n,)
            The region's voxels.
        gradients : sequence of (ndarray, ndarray), each of float32, shape (n,)
            Derivatives at these voxels, per axis.
        similarity : ndarray of float64
            Sum of the structural similarity over the region's voxels in every cube of the volume.
        cubes : ndarray of int, shape (n,)
            The cube every voxel lies in.
        means : (float, float)
            What either image is divided by for nmse; held fixed, as the data range is.
        data_range : float
            Full scale.
        """
        found, place = np.unique(cubes, return_inverse=True)
        if not self.replicates or found.size < FEWEST_CUBES:
            return None

        def summed(values: Floats) -> Floats:
            return np.bincount(place, weights=values, minlength=found.size).astype(np.float64)

        rng = np.random.default_rng(self.seed)
        draws = rng.multinomial(found.size, np.full(found.size, 1 / found.size), size=self.replicates)
        weights = draws.astype(np.float64)
        voxels = weights @ summed(np.ones_like(made))
        error = made - real
        mse = weights @ summed(error**2) / voxels
        with np.errstate(divide="ignore", invalid="ignore"):
            replicated = {
                "mse": mse,
                "nmse": weights @ summed((made / means[0] - real / means[1]) ** 2) / voxels
                if min(means) > 0
                else np.full(len(weights), np.nan),
                "mae": weights @ summed(np.abs(error)) / voxels,
                "psnr": 10 * np.log10(data_range**2 / mse),
                "ssim": weights @ similarity[found] / voxels,
                "ncc": _correlations(weights, summed, made, real),
                "gradient_correlation": _mean_correlations(weights, summed, gradients),
                "mutual_information": mutual_informations(
                    weights @ _histograms(joint_bins(made, real), place, found.size)
                ),
            }
        tail = 100 * (1 - self.level) / 2
        return {name: _between(values, tail) for name, values in replicated.items()}


def _correlations(weights: Floats, summed: _Sum, first: Values, second: Values) -> Floats:
    """Return the correlation coefficient in every replicate, shape (replicates,)."""
    first, second = first - np.mean(first, dtype=np.float64), second - np.mean(second, dtype=np.float64)
    n, x, y, xx, yy, xy = (
        weights @ summed(values)
        for values in (np.ones_like(first), first, second, first**2, second**2, first * second)
    )
    spread = (n * xx - x**2) * (n * yy - y**2)
    found: Floats = np.where(spread > 0, (n * xy - x * y) / np.sqrt(np.maximum(spread, 0)), np.nan)
    return found


def _mean_correlations(weights: Floats, summed: _Sum, gradients: Gradients) -> Floats:
    if not gradients:
        return np.full(len(weights), np.nan)
    every = np.array([_correlations(weights, summed, made, real) for made, real in gradients])
    known = np.isfinite(every)
    totals: Floats = np.where(known, every, 0).sum(axis=0) / known.sum(axis=0)
    return totals


def _histograms(cells: NDArray[np.intp], place: NDArray[np.intp], cubes: int) -> Floats:
    """Count the joint histogram of every cube, shape (cubes, BINS²)."""
    counts = np.bincount(place * BINS**2 + cells, minlength=cubes * BINS**2)
    return counts.reshape(cubes, BINS**2).astype(np.float64)


def _between(values: Floats, tail: float) -> Interval:
    if np.isnan(values).any():
        return float("nan"), float("nan")
    if np.isinf(values).any():
        low, high = np.percentile(values, (tail, 100 - tail), method="nearest")
    else:
        low, high = np.percentile(values, (tail, 100 - tail))
    return float(low), float(high)
