"""A lesion's shape put into another brain: scaled, turned, mirrored, moved; inside the brain or refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import ConfigError, GridError, LabelError
from napari_mrsynth.imaging import Affine, Grid, LabelVolume
from napari_mrsynth.imaging.geometry import FloatArray
from napari_mrsynth.lesions.conform import in_words
from napari_mrsynth.lesions.shape import LesionShape
from napari_mrsynth.preprocess.resample import resample

Triple = tuple[float, float, float]
MAX_SCALE = 4.0


@dataclass(frozen=True)
class Placement:
    """What is done to a shape, about its centre of mass: mirrored, then scaled, then turned, then moved.

    Parameters
    ----------
    centre_mm : (float, float, float)
        RAS mm where its centre of mass comes to lie.
    scale : float
        1 for its own size.
    rotation_deg : (float, float, float)
        About the R, the A and the S axis, in that order, right-handed.
    mirror : (bool, bool, bool)
        Along R, A and S.

    Raises
    ------
    ConfigError
        If the scale is not above 0 and at most 4, or a number is not finite.
    """

    centre_mm: Triple
    scale: float = 1.0
    rotation_deg: Triple = (0.0, 0.0, 0.0)
    mirror: tuple[bool, bool, bool] = (False, False, False)

    def __post_init__(self) -> None:
        if not 0 < self.scale <= MAX_SCALE:
            raise ConfigError(f"A lesion cannot be scaled by {self.scale:g}.", hint=f"0 to {MAX_SCALE:g}.")
        if not all(math.isfinite(value) for value in (*self.centre_mm, *self.rotation_deg)):
            raise ConfigError(
                f"A lesion cannot be put at {self.centre_mm} and turned by {self.rotation_deg}."
            )

    def matrix(self, pivot_mm: FloatArray) -> FloatArray:
        """Return the 4x4 matrix from where a shape was found to where it is put, both RAS mm."""
        x, y, z = np.radians(self.rotation_deg)
        about_r = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
        about_a = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
        about_s = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
        signs = np.where(self.mirror, -1.0, 1.0)
        matrix: FloatArray = np.eye(4)
        matrix[:3, :3] = about_s @ about_a @ about_r @ np.diag(signs * self.scale)
        matrix[:3, 3] = np.asarray(self.centre_mm) - matrix[:3, :3] @ pivot_mm
        return matrix

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, eq=False)
class PlacedLesion:
    """A shape on a patient's grid.

    Attributes
    ----------
    name : str
    grid : Grid
        The patient's.
    box : tuple of three slices
        Where in the patient's array (i, j, k) it lies; within the field of view.
    array : ndarray, shape of `box`
        Class numbers, 0 where there is no lesion.
    lost : int
        Voxels that would lie outside the field of view. A grid of one slice has no above and below to lose
        anything in: only what the slice cuts counts.
    """

    name: str
    grid: Grid
    box: tuple[slice, slice, slice]
    array: NDArray[Any]
    lost: int = 0

    @property
    def voxels(self) -> int:
        """How many voxels it has, those outside the field of view included."""
        return int(np.count_nonzero(self.array)) + self.lost

    def outside(self, brain: NDArray[np.bool_]) -> float:
        """Return the share of it that lies outside the brain (an array on the patient's grid), 0 to 1."""
        if brain.shape != self.grid.shape:
            raise GridError(f"The brain mask is {brain.shape} voxels, the scan {self.grid.shape}.")
        out = np.count_nonzero((self.array > 0) & ~brain[self.box]) + self.lost
        return float(out) / self.voxels

    def stamped(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return a copy of a label array on the patient's grid with the lesion laid over what was there."""
        stamped = labels.copy()
        region = stamped[self.box]
        np.copyto(region, self.array.astype(labels.dtype), where=self.array > 0)
        return stamped

    def labels(self, names: Mapping[int, str]) -> LabelVolume:
        """Return it as a label map of the whole field of view."""
        array = self.stamped(np.zeros(self.grid.shape, np.uint8))
        return LabelVolume(array, self.grid, self.name, labels=names)


def lay(shape: LesionShape, placement: Placement, grid: Grid) -> PlacedLesion:
    """Put a shape onto a patient's grid, wherever that is; see :func:`place`.

    Raises
    ------
    LabelError
        If nothing of it would be left, or it does not reach the only slice of a grid.
    """
    moved = Affine(placement.matrix(shape.centre_mm) @ shape.labels.grid.affine.matrix)
    image = replace(shape.labels, grid=Grid(shape.labels.grid.shape, moved))
    first, last = _reach(image.grid, grid)
    thin = np.equal(grid.shape, 1)
    first[thin] = last[thin] = 0
    whole = resample(image, _part(grid, first, last)).array
    start = np.clip(-first, 0, whole.shape)
    stop = np.clip(np.asarray(grid.shape) - first, start, whole.shape)
    kept = np.ascontiguousarray(whole[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))])
    voxels = int(np.count_nonzero(whole))
    if not voxels and thin.any():
        raise LabelError(
            f"“{shape.name}” does not reach the only slice that there is.",
            hint="Put it onto the slice by a click, or make it larger.",
        )
    if not voxels:
        raise LabelError(
            f"Nothing of “{shape.name}” is left at {placement.scale:g} times its size.",
            hint="Make it larger, or choose another lesion.",
        )
    corner = np.clip(start + first, 0, grid.shape)
    i, j, k = (slice(int(a), int(a + n)) for a, n in zip(corner, kept.shape, strict=True))
    return PlacedLesion(shape.name, grid, (i, j, k), kept, voxels - int(np.count_nonzero(kept)))


def place(
    shape: LesionShape, placement: Placement, grid: Grid, brain: NDArray[np.bool_] | None = None
) -> PlacedLesion:
    """Put a shape onto a patient's grid, inside the brain.

    Nearest voxels are taken, so classes are never blended; put back where it was found, unturned and
    unscaled, on its own grid, it is the same bits.

    Parameters
    ----------
    shape : LesionShape
    placement : Placement
    grid : Grid
        The patient's; any spacing, axis order and obliquity.
    brain : ndarray of bool, shape `grid.shape`, optional
        Where the lesion must lie; anywhere in the field of view if not given.

    Raises
    ------
    LabelError
        If part of it would lie outside the brain or the field of view, or nothing of it would be left.
    """
    placed = lay(shape, placement, grid)
    require_placed_inside(placed, np.ones(grid.shape, dtype=bool) if brain is None else brain)
    return placed


def require_placed_inside(placed: PlacedLesion, brain: NDArray[np.bool_]) -> None:
    """Refuse a lesion that reaches out of the brain or the field of view.

    Raises
    ------
    LabelError
        Quoting the share that would lie outside.
    """
    outside = placed.outside(brain)
    if outside > 0:
        raise LabelError(
            f"{in_words(outside)} of “{placed.name}” would lie outside the brain.",
            hint="Move it inwards, turn it, or make it smaller.",
        )


def _reach(lesion: Grid, grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and the last voxel of `grid` that a lesion's grid can reach, also outside of it."""
    corners = np.array(list(np.ndindex(2, 2, 2))) * lesion.shape - 0.5
    there = grid.affine.unapply(lesion.affine.apply(corners))
    return np.floor(there.min(axis=0)).astype(np.int64), np.ceil(there.max(axis=0)).astype(np.int64)


def _part(grid: Grid, first: NDArray[np.int64], last: NDArray[np.int64]) -> Grid:
    matrix = grid.affine.matrix.copy()
    matrix[:3, 3] = grid.affine.apply(first)
    i, j, k = (int(n) for n in last - first + 1)
    return Grid((i, j, k), Affine(matrix))
