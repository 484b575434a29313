"""How far a prediction is from the truth: one set of figures per region, nothing hidden or rescaled.

What is *not* done here matters as much as what is. The background is never zeroed before scoring, so errors
outside the brain count in ``whole``. No image is stretched by its own percentiles, so a wrong intensity is an
error. The mean squared error comes in both of the field's meanings, over the whole volume and over the
foreground, under different names. The mean absolute error is a mean of absolute differences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import GridError, InputError
from napari_mrsynth.evaluation.regions import NAMES, Mask, regions_of
from napari_mrsynth.evaluation.similarity import ssim_map

METRICS = ("mse", "nmse", "mae", "psnr", "ssim", "ncc")
"""The figures of every region."""


@dataclass(frozen=True)
class RegionScores:
    """The figures of one region.

    Attributes
    ----------
    voxels : int
        How many voxels it has.
    mse : float
        Mean squared difference, in squared units of the images.
    nmse : float
        The same after dividing each volume by its own mean over the *brain* (whatever the region); NaN where
        such a mean is not above 0. Without a unit, and blind to a global scale.
    mae : float
        Mean absolute difference, in units of the images.
    psnr : float
        10 log10(data_range² / mse) in dB; infinite where nothing differs.
    ssim : float
        Mean over the region of the local structural similarity (Wang et al. 2004; Gaussian window of
        sigma 1.5 voxels in 3D, population covariance).
    ncc : float
        Correlation coefficient; NaN where either image is constant in the region.
    data_range : float
        What psnr and ssim call full scale: the truth's maximum minus minimum over the brain.
    """

    voxels: int
    mse: float
    nmse: float
    mae: float
    psnr: float
    ssim: float
    ncc: float
    data_range: float


@dataclass(frozen=True)
class Scores:
    """A prediction against its truth.

    Attributes
    ----------
    regions : mapping of str to RegionScores
        ``whole`` and ``brain``; with lesions also ``healthy`` and ``lesion``.
    data_range : float
        The truth's maximum minus minimum over the brain, the same for all regions.
    pred_mean, truth_mean : float
        Means over the brain: what nmse divides by.
    """

    regions: Mapping[str, RegionScores]
    data_range: float
    pred_mean: float
    truth_mean: float

    def as_dict(self) -> dict[str, object]:
        """Return plain data for JSON; regions that were not scored are None."""
        return {
            "regions": {name: asdict(self.regions[name]) if name in self.regions else None for name in NAMES},
            "data_range": self.data_range,
            "pred_mean": self.pred_mean,
            "truth_mean": self.truth_mean,
        }


def score(
    pred: NDArray[np.generic],
    truth: NDArray[np.generic],
    *,
    brain: NDArray[np.generic],
    lesions: NDArray[np.generic] | None = None,
    field: NDArray[np.generic] | None = None,
    regions: Sequence[str] = NAMES,
    in_plane: bool = False,
) -> Scores:
    """Score a prediction against the truth, voxel by voxel on one grid.

    Parameters
    ----------
    pred, truth : ndarray, shape (i, j, k)
        Real numbers, finite, in the same units (nmse alone is blind to a global scale).
    brain : ndarray, same shape
        Brain where not 0.
    lesions : ndarray, same shape, optional
        Lesion where not 0.
    field : ndarray, same shape, optional
        Where both images were measured (not 0); ``whole`` is this field. By default everywhere.
    regions : sequence of str
        Which regions to score; leaving ``whole`` out saves most of the time on large fields of view.
    in_plane : bool
        Whether ssim's window is flat, each slice of the first axis by itself; for slices that are not
        neighbours.

    Raises
    ------
    GridError
        If the shapes differ.
    InputError
        If either image holds NaN or infinite numbers, the mask is empty or the truth is constant over the
        brain.
    LabelError
        If no lesion lies in the brain.
    """
    pred, truth = np.asarray(pred), np.asarray(truth)
    for what, array in (("The truth", truth), ("The brain mask", np.asarray(brain))):
        if array.shape != pred.shape:
            raise GridError(
                f"{what} has shape {array.shape}, the prediction {pred.shape}.",
                hint="Bring both onto one grid first.",
            )
    if pred.ndim != 3:
        raise GridError(f"Volumes have three axes, not {pred.ndim} (shape {pred.shape}).")
    _require_finite(pred, "prediction")
    _require_finite(truth, "truth")
    every = regions_of(brain, lesions, field=field)
    inside = every["brain"]
    masks = {name: mask for name, mask in every.items() if name in regions}
    known = truth[inside]
    data_range = float(known.max()) - float(known.min())
    if not data_range > 0:
        raise InputError(
            f"The truth has the same value, {float(known[0]):.6g}, at every voxel of the brain: "
            "nothing can be compared with it.",
            hint="Check that the truth and the mask belong together.",
        )
    means = float(pred[inside].mean(dtype=np.float64)), float(known.mean(dtype=np.float64))
    similarity = _similarity(pred, truth, masks, data_range, in_plane)
    figures = {
        name: _figures(pred[mask], truth[mask], means, similarity[name], data_range)
        for name, mask in masks.items()
    }
    return Scores(figures, data_range, *means)


def normalised_mse(made: NDArray[np.float64], real: NDArray[np.float64], means: tuple[float, float]) -> float:
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


def _figures(
    pred: NDArray[np.generic],
    truth: NDArray[np.generic],
    means: tuple[float, float],
    ssim: float,
    data_range: float,
) -> RegionScores:
    """Score the voxels of one region, shape (n,)."""
    made, real = pred.astype(np.float64), truth.astype(np.float64)
    error = made - real
    mse = float(np.mean(error**2))
    return RegionScores(
        voxels=int(made.size),
        mse=mse,
        nmse=normalised_mse(made, real, means),
        mae=float(np.mean(np.abs(error))),
        psnr=10 * math.log10(data_range**2 / mse) if mse > 0 else math.inf,
        ssim=ssim,
        ncc=_correlation(made, real),
        data_range=data_range,
    )


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    if first.min() == first.max() or second.min() == second.max():
        return math.nan
    first, second = first - first.mean(), second - second.mean()
    return float(first @ second / math.sqrt(float(first @ first) * float(second @ second)))


def _similarity(
    pred: NDArray[np.generic],
    truth: NDArray[np.generic],
    masks: Mapping[str, Mask],
    data_range: float,
    in_plane: bool,
) -> dict[str, float]:
    """Average the SSIM map over each region, one slab of the map in memory at a time."""
    union = np.logical_or.reduce(list(masks.values()))
    totals = dict.fromkeys(masks, 0.0)
    for box, values in ssim_map(pred, truth, data_range, union, in_plane=in_plane):
        for name, mask in masks.items():
            totals[name] += float(values[mask[box]].sum())
    return {name: total / np.count_nonzero(masks[name]) for name, total in totals.items()}


def _require_finite(array: NDArray[np.generic], what: str) -> None:
    if array.dtype.kind not in "fiub":
        raise InputError(f"The {what} holds {array.dtype} values, not real numbers.")
    broken = array.size - int(np.count_nonzero(np.isfinite(array)))
    if broken:
        raise InputError(
            f"The {what} holds {broken} NaN or infinite voxels of {array.size}.",
            hint="Mend the image first: scores over the other voxels would hide them.",
        )
