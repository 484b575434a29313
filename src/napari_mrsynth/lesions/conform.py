"""Label maps from anywhere, made to fit: the classes of a disease, on a scan's grid, inside its brain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import GridError, LabelError
from napari_mrsynth.imaging import Grid, LabelVolume
from napari_mrsynth.lesions.classes import LabelSet
from napari_mrsynth.preprocess.members import labels_on


def conform(
    labels: LabelVolume, classes: LabelSet, grid: Grid | None = None, *, of: str = "the scan"
) -> LabelVolume:
    """Return a lesion map with a disease's numbers and names, on a grid.

    Numbers of another convention are translated, another grid is resampled by nearest voxel; both are noted.

    Parameters
    ----------
    labels : LabelVolume
    classes : LabelSet
        What the map may hold.
    grid : Grid, optional
        Where the result lies; the map's own grid by default.
    of : str
        Whose grid it is, for the notes.

    Raises
    ------
    LabelError
        If the map is empty, before or after resampling, or has a class that the disease has not.
    GridError
        If the map shares no space with the grid.
    """
    called = f"“{labels.name}”" if labels.name else "The label map"
    if not labels.present:
        raise LabelError(f"{called} is empty: every voxel is background.", hint="Paint or choose a lesion.")
    labels = _renumbered(labels, classes, called)
    if grid is not None:
        moved, _, notes = labels_on(grid, of, labels, "lesion labels")
        if not moved.present:
            raise LabelError(
                f"{called} has no voxel left on the grid of {of}: its lesions are too small or lie outside.",
                hint="Check that it belongs to this patient.",
            )
        labels = moved.noting(*notes)
    return replace(labels, labels=classes.names)


def require_inside(labels: LabelVolume, brain: NDArray[np.bool_]) -> None:
    """Refuse lesions that reach out of the brain.

    Parameters
    ----------
    labels : LabelVolume
    brain : ndarray of bool
        On the same grid.

    Raises
    ------
    GridError
        If the shapes differ.
    LabelError
        Quoting the share that lies outside.
    """
    if labels.array.shape != brain.shape:
        raise GridError(f"The lesions are {labels.array.shape} voxels, the brain mask {brain.shape}.")
    lesion = labels.array > 0
    outside = int(np.count_nonzero(lesion & ~brain))
    if outside:
        total = int(np.count_nonzero(lesion))
        raise LabelError(
            f"{in_words(outside / total)} of the lesion lies outside the brain"
            f" ({outside} of {total} voxels).",
            hint="Erase it there, or move the lesion inwards.",
        )


def _renumbered(labels: LabelVolume, classes: LabelSet, called: str) -> LabelVolume:
    present = set(labels.present)
    unknown = sorted(present - classes.values)
    if not unknown:
        return labels
    translation = {theirs: classes.elsewhere[theirs] for theirs in unknown if theirs in classes.elsewhere}
    clash = present & set(translation.values())
    if len(translation) < len(unknown) or clash:
        both = f", and {sorted(clash)} beside it" if clash else ""
        raise LabelError(
            f"{called} has the classes {sorted(present)}; {classes.title} knows no {unknown}{both}.",
            hint=f"It has {classes.described()}: renumber the map, or choose another disease.",
        )
    array = labels.array.copy()
    for theirs, ours in translation.items():
        array[labels.array == theirs] = ours
    told = ", ".join(f"{theirs} was read as {ours}" for theirs, ours in translation.items())
    renumbered = LabelVolume(array, labels.grid, labels.name, labels.source, labels.notes)
    return renumbered.noting(f"Numbered as in {classes.convention}: {told}.")


def in_words(share: float) -> str:
    """Return a share as people write it; a small one is never "0 %"."""
    return f"{share:.0%}" if share >= 0.005 else "Less than 1 %"
