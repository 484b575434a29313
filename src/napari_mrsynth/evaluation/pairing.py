"""A prediction and its truth on one grid: the same way for the command line and the Compare dock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import GridError
from napari_mrsynth.evaluation.metrics import Scores, score
from napari_mrsynth.evaluation.regions import NAMES
from napari_mrsynth.imaging import Grid, LabelVolume, Volume


@dataclass(frozen=True, eq=False)
class Pair:
    """A prediction and its truth, ready to be scored.

    Invariant: every array lies on `grid`, the prediction's own.

    Attributes
    ----------
    grid : Grid
        The prediction's native grid.
    pred, truth : ndarray, shape (i, j, k)
        The two images; the truth interpolated where it lies on another grid.
    brain, field : ndarray of bool, shape (i, j, k)
        The brain, and where the truth was measured.
    lesions : ndarray of int, shape (i, j, k), or None
        Labels, 0 outside lesions.
    mask_from : str
        Where the brain mask comes from, for people.
    notes : tuple of str
        What was resampled or assumed.
    """

    grid: Grid
    pred: NDArray[np.generic]
    truth: NDArray[np.generic]
    brain: NDArray[np.bool_]
    field: NDArray[np.bool_]
    lesions: NDArray[np.generic] | None
    mask_from: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        pred: Volume,
        truth: Volume,
        *,
        mask: LabelVolume | None = None,
        lesions: LabelVolume | None = None,
    ) -> Pair:
        """Bring everything onto the prediction's grid.

        Parameters
        ----------
        pred, truth : Volume
            The two images.
        mask : LabelVolume, optional
            The brain; computed from the truth alone where it is not given.
        lesions : LabelVolume, optional
            Lesion labels.

        Raises
        ------
        GridError
            If the truth's field of view does not meet the prediction's.
        """
        from napari_mrsynth.preprocess.mask import brain_mask

        notes = list(_notes_of(pred, truth))
        real, field = truth.array, np.ones(pred.grid.shape, dtype=bool)
        reason = pred.grid.mismatch(truth.grid)
        if reason is not None:
            real, field = _moved(truth, pred.grid)
            share = np.count_nonzero(field) / field.size
            notes.append(
                f"The truth lies on another grid ({reason}): it was interpolated onto the prediction's"
                + ("." if share == 1 else f", {share:.0%} of which it covers; only these voxels are scored.")
            )
        if mask is None:
            found = brain_mask([truth])
            mask = LabelVolume(found.array.astype(np.uint8), truth.grid, "brain mask")
            mask_from = f"found in the truth ({found.how})"
        else:
            mask_from = mask.name or "given"
        brain = np.asarray(_labels_on(mask, pred.grid, "brain mask", notes)) != 0
        labels = None if lesions is None else _labels_on(lesions, pred.grid, "lesion labels", notes)
        return cls(pred.grid, pred.array, real, brain, field, labels, mask_from, tuple(notes))

    def score(self, regions: Sequence[str] = NAMES) -> Scores:
        """Score the prediction (see :func:`napari_mrsynth.evaluation.score`)."""
        return score(
            self.pred, self.truth, brain=self.brain, lesions=self.lesions, field=self.field, regions=regions
        )


def _moved(truth: Volume, grid: Grid) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Interpolate the truth onto a grid; also return where on that grid it was measured."""
    from napari_mrsynth.preprocess.resample import resample

    measured = LabelVolume(np.ones(truth.grid.shape, np.uint8), truth.grid, "field of view")
    field = resample(measured, grid).array != 0
    if not field.any():
        raise GridError(
            "The truth's field of view does not meet the prediction's: there is nothing to compare.",
            hint="Check that both belong to one patient and one space.",
        )
    return resample(truth, grid).array, field


def _labels_on(labels: LabelVolume, grid: Grid, what: str, notes: list[str]) -> NDArray[np.generic]:
    reason = grid.mismatch(labels.grid)
    if reason is None:
        return labels.array
    from napari_mrsynth.preprocess.resample import resample

    if what != "brain mask" or labels.source.path is not None:
        notes.append(f"The {what} lie on another grid ({reason}): nearest labels were taken.")
    return resample(labels, grid).array


def _notes_of(pred: Volume, truth: Volume) -> tuple[str, ...]:
    notes = [f"Prediction: {note}" for note in pred.notes] + [f"Truth: {note}" for note in truth.notes]
    if truth.is_synthetic:
        notes.append("The truth is itself synthetic: these scores compare two predictions.")
    if pred.contrast and truth.contrast and pred.contrast != truth.contrast:
        notes.append(f"The prediction is {pred.contrast}, the truth {truth.contrast}.")
    return tuple(dict.fromkeys(notes))
