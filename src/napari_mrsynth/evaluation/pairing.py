"""A prediction and its truth on one grid: the same way for the command line and the Compare dock."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import FormatError, GridError, InputError
from napari_mrsynth.evaluation.bootstrap import Bootstrap
from napari_mrsynth.evaluation.matching import Matching, scale_note
from napari_mrsynth.evaluation.metrics import Scores, score
from napari_mrsynth.evaluation.regions import NAMES, Mask, regions_of
from napari_mrsynth.imaging import Grid, LabelVolume, Volume

FEW = 10
"""A scan has more different values than this."""

MOST_LABELS = 1024
"""A label map has no more different values than this."""

LOST = 0.05
"""Where resampling takes away more than this share of a mask's volume, it reached beyond the field."""

EVEN = 0.6
"""Of a label map with more than :data:`FEW` values, at least this share of neighbours is equal."""

UNSCORED = 0.01
"""Where more than this share of a mask or of lesions cannot be scored, it is said."""


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
        What was resampled or assumed, and what of the mask or the lesions is not scored.
    matching : Matching
        What was done to the prediction's intensities.
    factor : float
        What `pred` was multiplied by; 1 where nothing was done.
    """

    grid: Grid
    pred: NDArray[np.generic]
    truth: NDArray[np.generic]
    brain: NDArray[np.bool_]
    field: NDArray[np.bool_]
    lesions: NDArray[np.generic] | None
    mask_from: str
    notes: tuple[str, ...] = ()
    matching: Matching = Matching.NONE
    factor: float = 1.0

    @classmethod
    def of(
        cls,
        pred: Volume,
        truth: Volume,
        *,
        mask: LabelVolume | None = None,
        lesions: LabelVolume | None = None,
        matching: Matching = Matching.NONE,
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
        matching : Matching
            Whether the prediction is brought to the truth's units.

        Raises
        ------
        GridError
            If the truth's field of view, the mask or the lesions do not meet the prediction's field of view.
        FormatError
            If one of the two is a label map.
        InputError
            If either image holds NaN or infinite numbers, the truth is constant, or means that are to be
            matched are not above 0.
        """
        from napari_mrsynth.preprocess.mask import brain_mask
        from napari_mrsynth.preprocess.resample import is_exact

        _refuse_labels(pred, truth)
        for what, image in (("prediction", pred), ("truth", truth)):
            _require_numbers(image, what)
        _refuse_constant(truth)
        notes = list(_notes_of(pred, truth))
        real, field = truth.array, np.ones(pred.grid.shape, dtype=bool)
        reason = pred.grid.mismatch(truth.grid)
        if reason is not None:
            real, field = _moved(truth, pred.grid)
            share = np.count_nonzero(field) / field.size
            moved = "its voxels were copied" if is_exact(truth.grid, pred.grid) else "it was interpolated"
            notes.append(
                f"The truth lies on another grid ({reason}): {moved} onto the prediction's"
                + ("." if share == 1 else f", {share:.0%} of which it covers; only these voxels are scored.")
            )
        if mask is None:
            found = brain_mask([truth])
            mask = LabelVolume(found.array.astype(np.uint8), truth.grid, "brain mask")
            mask_from = f"found in the truth ({found.how})"
        else:
            mask_from = mask.name or "given"
        brain = _labels_on(mask, pred.grid, "brain mask", "lies", notes) != 0
        labels = None if lesions is None else _labels_on(lesions, pred.grid, "lesion labels", "lie", notes)
        if labels is not None:
            notes += _beyond(labels, brain)
        plain = cls(pred.grid, pred.array, real, brain, field, labels, mask_from, tuple(notes))
        return plain._matched(matching)

    def score(self, regions: Sequence[str] = NAMES, *, bootstrap: Bootstrap | None = None) -> Scores:
        """Score the prediction (see :func:`napari_mrsynth.evaluation.score`)."""
        return score(
            self.pred,
            self.truth,
            brain=self.brain,
            lesions=self.lesions,
            field=self.field,
            regions=regions,
            bootstrap=bootstrap,
        )

    @property
    def difference(self) -> NDArray[np.float32]:
        """Prediction minus truth, shape (i, j, k): above 0 where the prediction is too bright."""
        return self.pred.astype(np.float32) - self.truth.astype(np.float32)

    @property
    def regions(self) -> Mapping[str, Mask]:
        """The regions as masks (errors as for :func:`~napari_mrsynth.evaluation.regions_of`)."""
        return regions_of(self.brain, self.lesions, field=self.field)

    def _matched(self, matching: Matching) -> Pair:
        """Bring the prediction to the truth's units, or say where it should be."""
        inside = self.brain & self.field
        if not inside.any():
            return self  # scoring says why nothing can be compared
        means = (
            float(self.pred[inside].mean(dtype=np.float64)),
            float(self.truth[inside].mean(dtype=np.float64)),
        )
        if matching is Matching.NONE:
            note = scale_note(*means)
            return self if note is None else replace(self, notes=(*self.notes, note))
        factor = matching.factor(*means)
        pred = (self.pred.astype(np.float64) * factor).astype(np.float32)
        return replace(self, pred=pred, matching=matching, factor=factor)


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


def _refuse_labels(pred: Volume, truth: Volume) -> None:
    """Refuse a label map on either side, unless both images look like one and it cannot be told."""
    made, real = _labels_of(pred), _labels_of(truth)
    for what, labels, other in (("truth", real, made), ("prediction", made, real)):
        if labels is not None and other is None:
            shown = ", ".join(map(str, labels[:FEW])) + (", ..." if len(labels) > FEW else "")
            raise FormatError(
                f"The {what} holds only the whole numbers {shown}: it is a label map, not a scan.",
                hint="Give a scan; labels belong to the lesions or the mask.",
            )


def _labels_of(image: Volume) -> tuple[int, ...] | None:
    """Return the values of an image that looks like a label map: few, or even over whole regions.

    Label maps hold whole numbers, none negative. A scan may be stored so too, but its noise changes from
    voxel to voxel, while most neighbours in a label map are equal.
    """
    values = np.unique(image.array[:: max(1, image.array.shape[0] // 8)])  # most scans differ in any slice
    if values.size > MOST_LABELS or not _are_labels(values):
        return None
    values = np.unique(image.array)
    if values.size < 2 or values.size > MOST_LABELS or not _are_labels(values):
        return None
    if values.size > FEW and _even(image.array) < EVEN:
        return None
    return tuple(int(value) for value in values)


def _are_labels(values: NDArray[np.generic]) -> bool:
    numbers = values.astype(np.float64)
    return bool(np.isfinite(numbers).all() and (numbers >= 0).all() and (numbers == np.rint(numbers)).all())


def _even(array: NDArray[np.generic]) -> float:
    """Return the share of voxels other than 0 whose neighbour along the first axis has the same value."""
    here, following = array[:-1], array[1:]
    marked = here != 0
    return float(np.mean(here[marked] == following[marked])) if marked.any() else 0.0


def _require_numbers(image: Volume, what: str) -> None:
    broken = image.array.size - int(np.count_nonzero(np.isfinite(image.array)))
    if broken:
        raise InputError(
            f"The {what} holds {broken} NaN or infinite voxels of {image.array.size}.",
            hint="Mend the image first: scores over the other voxels would hide them.",
        )


def _refuse_constant(truth: Volume) -> None:
    lowest = float(truth.array.min())
    if lowest == float(truth.array.max()):
        raise InputError(
            f"The truth has the same value, {lowest:.6g}, at every voxel: nothing can be compared with it.",
            hint="Its export went wrong, or it is no scan: choose the real scan.",
        )


def _beyond(lesions: NDArray[np.generic], brain: NDArray[np.bool_]) -> list[str]:
    """Say how much of the lesions lies outside the brain mask, and so is not scored."""
    marked = lesions != 0
    count = int(np.count_nonzero(marked))
    outside = int(np.count_nonzero(marked & ~brain))
    if outside <= UNSCORED * count or outside == count:  # scoring refuses lesions that all lie outside
        return []
    return [
        f"{outside} of the {count} lesion voxels ({outside / count:.0%}) lie outside the brain mask and are "
        "not scored."
    ]


def _labels_on(labels: LabelVolume, grid: Grid, what: str, lie: str, notes: list[str]) -> NDArray[np.generic]:
    reason = grid.mismatch(labels.grid)
    if reason is None:
        return labels.array
    from napari_mrsynth.preprocess.resample import resample

    if what != "brain mask" or labels.source.path is not None:
        notes.append(f"The {what} {lie} on another grid ({reason}): nearest labels were taken.")
    moved = resample(labels, grid).array
    given = np.count_nonzero(labels.array)
    if given and not moved.any():
        raise GridError(
            f"None of the {given} voxels of the {what} falls onto the prediction's grid.",
            hint="They belong to another patient or another space: choose those of this patient.",
        )
    sizes = (math.prod(each.spacing) for each in (grid, labels.grid))
    now, before = (count * size for count, size in zip((np.count_nonzero(moved), given), sizes, strict=True))
    if (lost := 1 - now / (before or 1.0)) > LOST:
        notes.append(f"{lost:.0%} of the {what} {lie} outside the prediction's field and cannot be scored.")
    return moved


def _notes_of(pred: Volume, truth: Volume) -> tuple[str, ...]:
    notes = [f"Prediction: {note}" for note in pred.notes] + [f"Truth: {note}" for note in truth.notes]
    if truth.is_synthetic:
        notes.append("The truth is itself synthetic: these scores compare two predictions.")
    if pred.contrast and truth.contrast and pred.contrast != truth.contrast:
        notes.append(f"The prediction is {pred.contrast}, the truth {truth.contrast}.")
    return tuple(dict.fromkeys(notes))
