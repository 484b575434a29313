"""The figures of one region as functions of its voxels: errors, correlations, shared information."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Values = NDArray[np.float32] | NDArray[np.float64]
Gradients = Sequence[tuple[Values, Values]]

BINS = 32
"""Bins of the joint histogram along either image."""


def normalised_mse(made: Floats, real: Floats, means: tuple[float, float]) -> float:
    """Return the mean squared error after dividing each image by its mean; NaN where one is not above 0.

    Parameters
    ----------
    made, real : ndarray of float64, shape (n,)
        The voxels of one region.
    means : (float, float)
        Of either image over the *brain*, whatever the region.
    """
    if not min(means) > 0:
        return math.nan
    return float(np.mean((made / means[0] - real / means[1]) ** 2))


def psnr(mse: float, data_range: float) -> float:
    """Return 10 log10(data_range² / mse) in dB; infinite where nothing differs."""
    return 10 * math.log10(data_range**2 / mse) if mse > 0 else math.inf


def correlation(first: Values, second: Values) -> float:
    """Return Pearson's coefficient of two arrays of shape (n,); NaN where either is constant."""
    if first.min() == first.max() or second.min() == second.max():
        return math.nan
    first, second = first - np.mean(first, dtype=np.float64), second - np.mean(second, dtype=np.float64)
    return float(first @ second / math.sqrt(float(first @ first) * float(second @ second)))


def gradient_correlation(gradients: Gradients) -> float:
    """Return the mean over the axes of the correlation between the two images' derivatives.

    Parameters
    ----------
    gradients : sequence of (made, real)
        Per axis, the derivatives of either image at the region's voxels, shape (n,).

    Returns
    -------
    float
        Axes along which an image does not change are left out; NaN where none remains.
    """
    return mean_of_known(correlation(made, real) for made, real in gradients)


def mean_of_known(values: Iterable[float]) -> float:
    """Return the mean of those values that are not NaN; NaN where there is none."""
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def joint_bins(made: Floats, real: Floats) -> NDArray[np.intp]:
    """Return in which cell of the joint histogram every voxel falls, shape (n,), 0 to BINS² - 1.

    Each image has `BINS` equal bins from its own minimum to its own maximum over the region.
    """
    return _bins(made) * BINS + _bins(real)


def mutual_information(histogram: NDArray[np.number]) -> float:
    """Return the mutual information in nats of joint histograms, shape (BINS²,), counted by `joint_bins`."""
    return float(mutual_informations(np.asarray(histogram, dtype=np.float64)[None])[0])


def mutual_informations(histograms: Floats) -> Floats:
    """Return the mutual information of each of several histograms, shape (m, BINS²), as shape (m,)."""
    joint = histograms.reshape(len(histograms), BINS, BINS)
    total = joint.sum(axis=(1, 2))

    def entropy(counts: Floats) -> Floats:
        share = counts / total[:, None]
        logs = np.log(share, out=np.zeros_like(share), where=share > 0)
        summed: Floats = -(share * logs).sum(axis=1)
        return summed

    whole = entropy(joint.reshape(len(joint), -1))
    return np.maximum(entropy(joint.sum(axis=2)) + entropy(joint.sum(axis=1)) - whole, 0.0)


def _bins(values: Floats) -> NDArray[np.intp]:
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return np.zeros(values.shape, np.intp)
    return np.minimum(((values - low) * (BINS / (high - low))).astype(np.intp), BINS - 1)
