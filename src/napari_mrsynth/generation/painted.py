"""Painted lesions made fit for an anatomy: known classes, its grid, inside its brain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import GridError, LabelError
from napari_mrsynth.generation.anatomy import Anatomy
from napari_mrsynth.imaging import Affine, Grid, LabelVolume
from napari_mrsynth.lesions import LabelSet, conform, require_inside


@dataclass(frozen=True, eq=False)
class Painted:
    """Lesions in an anatomy.

    Attributes
    ----------
    labels : LabelVolume
        On the anatomy's native grid; with the notes of what was done to bring them there.
    framed : ndarray of uint8, (S, A, R)
        The same in the anatomy's frame.
    """

    labels: LabelVolume
    framed: NDArray[np.uint8]

    @cached_property
    def present(self) -> tuple[int, ...]:
        """The classes that were painted."""
        return tuple(int(value) for value in np.flatnonzero(np.bincount(self.framed.ravel())) if value)


def paint_on(labels: LabelVolume, classes: LabelSet, anatomy: Anatomy) -> Painted:
    """Fit a label map to an anatomy.

    Numbers of another convention are translated, another grid takes the nearest voxels; both are noted, and
    so is what a lesion at the brain's edge loses by the latter.

    Raises
    ------
    LabelError
        If the map is empty, has a class that the disease has not, reaches out of the brain, or is too small
        for the generator's voxels.
    GridError
        If the map shares no space with the anatomy.
    """
    fitted = conform(labels, classes, anatomy.grid, of=anatomy.name)
    fitted = replace(fitted, array=fitted.array.astype(np.uint8))
    if anatomy.grid.mismatch(labels.grid) is not None:
        fitted = _without_overhang(fitted, anatomy.brain.array, labels.grid)
    require_inside(fitted, anatomy.brain.array)
    framed = anatomy.in_frame(fitted)
    if not framed.any():
        raise LabelError(
            f"Nothing of the lesion is left at the model's voxel size, {anatomy.frame.spacing_mm:g} mm.",
            hint="Paint it larger.",
        )
    return Painted(fitted, framed)


def _without_overhang(labels: LabelVolume, brain: NDArray[np.bool_], drawn_on: Grid) -> LabelVolume:
    """Leave out what reaches over the brain's edge by no more than half a voxel of the grid it was drawn on.

    A lesion at the edge of the brain does that by being resampled.
    """
    from scipy import ndimage

    over = (labels.array > 0) & ~brain
    if not over.any():
        return labels
    reach_mm = float(np.linalg.norm(drawn_on.spacing)) / 2 + max(labels.grid.spacing)
    margin = [int(np.ceil(reach_mm / size)) + 1 for size in labels.grid.spacing]
    box = tuple(
        slice(max(int(at.min()) - edge, 0), int(at.max()) + edge + 1)
        for at, edge in zip(np.nonzero(over), margin, strict=True)
    )
    near = ndimage.distance_transform_edt(~brain[box], sampling=labels.grid.spacing) <= reach_mm
    left_out = over[box] & near & brain[box].any()
    array = labels.array.copy()
    array[box][left_out] = 0
    if not array.any():
        return labels
    note = f"{int(left_out.sum())} voxels of it that came to lie just outside the brain were left out."
    return replace(labels, array=array).noting(note)


def paint_slice(labels: LabelVolume, anatomy: Anatomy, display_slice: int) -> Painted:
    """Fit one displayed axial slice of labels to an anatomy, quickly, for a preview while they are painted.

    What lies outside the brain is left out, and nothing is an empty slice; classes are not looked at.

    Parameters
    ----------
    labels : LabelVolume
        On the anatomy's native grid.
    anatomy : Anatomy
    display_slice : int
        S index on the anatomy's display grid.

    Raises
    ------
    GridError
        If the labels lie on another grid.
    """
    frame = anatomy.frame
    reason = anatomy.grid.mismatch(labels.grid)
    if reason is not None:
        raise GridError(f"The labels do not lie on the anatomy's grid: {reason}.")
    framed = np.zeros(frame.shape, np.uint8)
    planes = frame.planes_for(display_slice)
    if planes:
        here = slice(planes.start, planes.stop)
        if frame.is_exact:
            s, a, r = frame.box
            part = labels.display[s.start + planes.start : s.start + planes.stop, a, r]
        else:
            from napari_mrsynth.preprocess.resample import resample

            matrix = frame.grid.affine.matrix.copy()
            matrix[:3, 3] = frame.grid.affine.apply((planes.start, 0, 0))
            grid = Grid((len(planes), frame.shape[1], frame.shape[2]), Affine(matrix))
            part = resample(labels, grid).array
        framed[here] = part * (anatomy.inside[here] > 0)
    return Painted(labels, framed)
