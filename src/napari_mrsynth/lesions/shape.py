"""The shape of one real lesion, cut out of its patient's label map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import LabelError
from napari_mrsynth.imaging import Affine, Grid, LabelVolume
from napari_mrsynth.imaging.geometry import FloatArray

SMALLEST_PART_ML = 0.01


@dataclass(frozen=True, eq=False)
class LesionShape:
    """A lesion without its brain.

    Parameters
    ----------
    name : str
    labels : LabelVolume
        Cut to the lesion; not empty.
    """

    name: str
    labels: LabelVolume

    @classmethod
    def of(cls, labels: LabelVolume, name: str = "") -> LesionShape:
        """Cut a label map to its lesions, all of them together.

        Raises
        ------
        LabelError
            If it holds none.
        """
        if not labels.present:
            raise LabelError(f"“{name or labels.name}” is empty: it holds no lesion.")
        return cls(name or labels.name, cut(labels))

    @cached_property
    def volume_ml(self) -> float:
        """Volume of all classes together."""
        return float(np.count_nonzero(self.labels.array) * np.prod(self.labels.grid.spacing) / 1000)

    @cached_property
    def centre_mm(self) -> FloatArray:
        """RAS mm of its centre of mass, where it was found."""
        centre: FloatArray = np.argwhere(self.labels.array).mean(axis=0)
        return self.labels.grid.affine.apply(centre)

    @property
    def radius_mm(self) -> float:
        """Radius of the ball of the same volume."""
        return float((3000 * self.volume_ml / (4 * np.pi)) ** (1 / 3))

    @cached_property
    def parts(self) -> tuple[LesionShape, ...]:
        """The separate lesions in it (26 neighbours), largest first; specks below 0.01 ml left out."""
        from scipy import ndimage

        array = self.labels.array
        pieces, count = ndimage.label(array > 0, np.ones((3, 3, 3), dtype=bool))
        if count == 1:
            return (self,)
        sizes = np.bincount(pieces.ravel())[1:]
        order = np.argsort(-sizes, kind="stable")
        found: list[LesionShape] = []
        for number in order:
            only = np.where(pieces == number + 1, array, array.dtype.type(0))
            part = LesionShape.of(LabelVolume(only, self.labels.grid, labels=self.labels.labels), self.name)
            if part.volume_ml < SMALLEST_PART_ML and found:
                break
            found.append(part)
        return tuple(found)


def cut(labels: LabelVolume) -> LabelVolume:
    """Return a label map cut to the box around its classes, at the same place in space."""
    box = box_of(labels.array)
    first = [edge.start for edge in box]
    array = np.ascontiguousarray(labels.array[box])
    i, j, k = array.shape
    matrix = labels.grid.affine.matrix.copy()
    matrix[:3, 3] = labels.grid.affine.apply(first)
    grid = Grid((i, j, k), Affine(matrix))
    return LabelVolume(array, grid, labels.name, labels.source, labels.notes, labels.labels)


def box_of(array: NDArray[Any]) -> tuple[slice, slice, slice]:
    """Return the box around everything above 0 in a three-dimensional array that is not empty."""
    edges = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        occupied = np.flatnonzero((array > 0).any(axis=others))
        edges.append(slice(int(occupied[0]), int(occupied[-1]) + 1))
    return edges[0], edges[1], edges[2]
