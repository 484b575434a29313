"""How far a prediction is from the truth: one set of figures per region, nothing hidden or rescaled.

What is *not* done here matters as much as what is. The background is never zeroed before scoring, so errors
outside the brain count in ``whole``. No image is stretched by its own percentiles, so a wrong intensity is an
error. The mean squared error comes in both of the field's meanings, over the whole volume and over the
foreground, under different names. The mean absolute error is a mean of absolute differences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import GridError, InputError
from napari_mrsynth.evaluation.bootstrap import Bootstrap, Interval
from napari_mrsynth.evaluation.figures import (
    BINS,
    Floats,
    Gradients,
    Values,
    correlation,
    gradient_correlation,
    joint_bins,
    mutual_information,
    normalised_mse,
    psnr,
)
from napari_mrsynth.evaluation.regions import NAMES, Mask, box_of, regions_of
from napari_mrsynth.evaluation.similarity import ssim_map

METRICS = ("mse", "nmse", "mae", "psnr", "ssim", "ncc", "gradient_correlation", "mutual_information")
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
    gradient_correlation : float
        The same of the images' derivatives (central differences), averaged over the axes: whether edges lie
        where they should (Penney et al. 1998).
    mutual_information : float
        In nats, of the joint histogram with 32 equal bins from each image's minimum to its maximum in the
        region. It grows where a region has few voxels: compare it between predictions, not between regions.
    data_range : float
        What psnr and ssim call full scale: the truth's maximum minus minimum over the brain.
    intervals : mapping of str to (float, float), or None
        Where each figure lies in most resampled copies of the region; None where they were not asked for or
        the region is too small.
    """

    voxels: int
    mse: float
    nmse: float
    mae: float
    psnr: float
    ssim: float
    ncc: float
    gradient_correlation: float
    mutual_information: float
    data_range: float
    intervals: Mapping[str, Interval] | None = None


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
    bootstrap: Bootstrap | None = None,
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
        Whether ssim's window is flat and derivatives are taken within the slices of the first axis only; for
        slices that are not neighbours.
    bootstrap : Bootstrap, optional
        How intervals are made; none are by default.

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
    _require_comparable(pred, truth, np.asarray(brain))
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
    cubes = bootstrap.cubes(pred.shape) if bootstrap is not None and bootstrap.replicates else None
    similarity, by_cube = _similarity(pred, truth, masks, data_range, in_plane, cubes)
    gradients = _gradients(pred, truth, masks, in_plane)
    figures = {}
    for name, mask in masks.items():
        made, real = pred[mask].astype(np.float64), truth[mask].astype(np.float64)
        intervals = None
        if bootstrap is not None and cubes is not None:
            intervals = bootstrap.intervals(
                made, real, gradients[name], by_cube[name], cubes[mask], means, data_range
            )
        ssim = similarity[name] / made.size
        figures[name] = _figures(made, real, means, ssim, gradients[name], data_range, intervals)
    return Scores(figures, data_range, *means)


def _figures(
    made: Floats,
    real: Floats,
    means: tuple[float, float],
    ssim: float,
    gradients: Gradients,
    data_range: float,
    intervals: Mapping[str, Interval] | None,
) -> RegionScores:
    """Score the voxels of one region, shape (n,)."""
    error = made - real
    mse = float(np.mean(error**2))
    return RegionScores(
        voxels=int(made.size),
        mse=mse,
        nmse=normalised_mse(made, real, means),
        mae=float(np.mean(np.abs(error))),
        psnr=psnr(mse, data_range),
        ssim=ssim,
        ncc=correlation(made, real),
        gradient_correlation=gradient_correlation(gradients),
        mutual_information=mutual_information(np.bincount(joint_bins(made, real), minlength=BINS**2)),
        data_range=data_range,
        intervals=intervals,
    )


def _similarity(
    pred: NDArray[np.generic],
    truth: NDArray[np.generic],
    masks: Mapping[str, Mask],
    data_range: float,
    in_plane: bool,
    cubes: NDArray[np.int32] | None,
) -> tuple[dict[str, float], dict[str, Floats]]:
    """Sum the SSIM map over each region, and over each region's part in every cube, slab by slab."""
    union = np.logical_or.reduce(list(masks.values()))
    count = 0 if cubes is None else int(cubes.max()) + 1
    totals = dict.fromkeys(masks, 0.0)
    by_cube = {name: np.zeros(count) for name in masks}
    for box, values in ssim_map(pred, truth, data_range, union, in_plane=in_plane):
        for name, mask in masks.items():
            chosen = values[mask[box]]
            totals[name] += float(chosen.sum())
            if cubes is not None:
                by_cube[name] += np.bincount(cubes[box][mask[box]], weights=chosen, minlength=count)
    return totals, by_cube


def _gradients(
    pred: NDArray[np.generic], truth: NDArray[np.generic], masks: Mapping[str, Mask], in_plane: bool
) -> dict[str, list[tuple[Values, Values]]]:
    """Take both images' derivatives at each region's voxels, along every axis with neighbours."""
    box = box_of(np.logical_or.reduce(list(masks.values())), margin=1)
    images = [image[box].astype(np.float64) for image in (pred, truth)]
    found: dict[str, list[tuple[Values, Values]]] = {name: [] for name in masks}
    for axis in range(1 if in_plane else 0, 3):
        if images[0].shape[axis] < 2:
            continue
        made, real = (np.gradient(image, axis=axis).astype(np.float32) for image in images)
        for name, mask in masks.items():
            found[name].append((made[mask[box]], real[mask[box]]))
    return found


def _require_comparable(
    pred: NDArray[np.generic], truth: NDArray[np.generic], brain: NDArray[np.generic]
) -> None:
    for what, array in (("The truth", truth), ("The brain mask", brain)):
        if array.shape != pred.shape:
            raise GridError(
                f"{what} has shape {array.shape}, the prediction {pred.shape}.",
                hint="Bring both onto one grid first.",
            )
    if pred.ndim != 3:
        raise GridError(f"Volumes have three axes, not {pred.ndim} (shape {pred.shape}).")
    _require_finite(pred, "prediction")
    _require_finite(truth, "truth")


def _require_finite(array: NDArray[np.generic], what: str) -> None:
    if array.dtype.kind not in "fiub":
        raise InputError(f"The {what} holds {array.dtype} values, not real numbers.")
    broken = array.size - int(np.count_nonzero(np.isfinite(array)))
    if broken:
        raise InputError(
            f"The {what} holds {broken} NaN or infinite voxels of {array.size}.",
            hint="Mend the image first: scores over the other voxels would hide them.",
        )
