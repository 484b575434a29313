"""Where a prediction is scored: the whole field of view, the brain, its healthy part and its lesions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import GridError, InputError, LabelError
from napari_mrsynth.imaging import LabelVolume

Mask = NDArray[np.bool_]
Box = tuple[slice, slice, slice]

NAMES = ("whole", "brain", "healthy", "lesion")
"""Every region, from the largest to the smallest."""


def regions_of(
    brain: NDArray[np.generic],
    lesions: NDArray[np.generic] | None = None,
    *,
    field: NDArray[np.generic] | None = None,
) -> Mapping[str, Mask]:
    """Return the regions as masks.

    Parameters
    ----------
    brain : ndarray, shape (i, j, k)
        Brain where not 0.
    lesions : ndarray, same shape, optional
        Lesion where not 0, whatever the label.
    field : ndarray, same shape, optional
        Where both images were measured (not 0); by default everywhere. No region reaches beyond it.

    Returns
    -------
    mapping of str to ndarray of bool
        ``whole`` and ``brain``; with lesions also ``lesion`` (labelled voxels of the brain) and ``healthy``
        (the rest of the brain). Without labels nobody knows which part is healthy, so neither is made.

    Raises
    ------
    GridError
        If the shapes differ.
    InputError
        If the brain is empty, or lies beyond the field.
    LabelError
        If lesions are given but none lies in the brain, or nothing else does.
    """
    inside = np.asarray(brain) != 0
    if not inside.any():
        raise InputError(
            "The brain mask is empty: there is no voxel to score.", hint="Give a mask that covers the brain."
        )
    whole = np.ones(inside.shape, dtype=bool) if field is None else np.asarray(field) != 0
    if whole.shape != inside.shape:
        raise GridError(f"The field has shape {whole.shape}, the brain mask {inside.shape}.")
    inside = inside & whole
    if not inside.any():
        raise InputError(
            "The brain mask lies wholly outside the field that both images cover.",
            hint="The images belong to different patients, or one needs aligning.",
        )
    regions = {"whole": whole, "brain": inside}
    if lesions is None:
        return regions
    labelled = np.asarray(lesions) != 0
    if labelled.shape != inside.shape:
        raise GridError(f"The lesion labels have shape {labelled.shape}, the brain mask {inside.shape}.")
    if not labelled.any():
        raise LabelError("The lesion labels are empty.", hint="Leave them out, or give labels with lesions.")
    lesion, healthy = inside & labelled, inside & ~labelled
    if not lesion.any():
        raise LabelError(
            f"None of the {np.count_nonzero(labelled)} lesion voxels lies in the brain mask.",
            hint="The labels or the mask belong to another patient or another grid.",
        )
    if not healthy.any():
        raise LabelError(
            "The lesion labels cover the whole brain mask: no healthy voxel is left.",
            hint="Check that the lesion labels are not the brain mask.",
        )
    return {**regions, "healthy": healthy, "lesion": lesion}


def scored_lesions(lesions: LabelVolume | None) -> tuple[LabelVolume | None, str | None]:
    """Return lesions that can be scored, and why not where a patient's label map is empty.

    In a set of patients an empty map says that this one has no lesion: the brain is scored all the same.
    """
    if lesions is None or np.asarray(lesions.array).any():
        return lesions, None
    return None, "The lesion labels are empty: the brain is scored as a whole."


def box_of(mask: Mask, margin: int = 0) -> Box:
    """Return the smallest box that holds a mask's True voxels, widened by `margin` where there is room."""
    sides = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        hit = np.flatnonzero(mask.any(axis=others))
        sides.append(slice(max(int(hit[0]) - margin, 0), min(int(hit[-1]) + 1 + margin, mask.shape[axis])))
    return sides[0], sides[1], sides[2]
