"""Painted lesions made fit for an anatomy: known classes, its grid, inside its brain."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import LabelError
from napari_mrsynth.generation.anatomy import Anatomy
from napari_mrsynth.imaging import LabelVolume
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

    @property
    def present(self) -> tuple[int, ...]:
        """The classes that were painted."""
        return self.labels.present


def paint_on(labels: LabelVolume, classes: LabelSet, anatomy: Anatomy) -> Painted:
    """Fit a label map to an anatomy.

    Numbers of another convention are translated, another grid takes the nearest voxels; both are noted.

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
    require_inside(fitted, anatomy.brain.array)
    framed = anatomy.in_frame(fitted)
    if not framed.any():
        raise LabelError(
            f"Nothing of the lesion is left at the model's voxel size, {anatomy.frame.spacing_mm:g} mm.",
            hint="Paint it larger.",
        )
    return Painted(fitted, framed)
