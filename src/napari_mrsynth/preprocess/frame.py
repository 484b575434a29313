"""What a network sees: the brain's box in display order (S, A, R) at the model's voxel size.

The way there and back is separable: one sparse matrix per axis. Where the scan already has the model's
voxel size along an axis, that matrix is the identity, and nothing is interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import GridError, InputError
from napari_mrsynth.imaging import Affine, Grid, LabelVolume, Member, Study
from napari_mrsynth.preprocess.mask import GIVE_MASK, no_mask

SAME_SPACING = 0.05
"""Voxel sizes within 5 % of the model's are taken as they are."""

FloatArray = NDArray[np.float32]
Triple = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class WorkingFrame:
    """A box of a study's reference grid at a model's voxel size.

    Attributes
    ----------
    native : Grid
        The study's grid, (i, j, k).
    spacing_mm : float
        The model's voxel size.
    whole : Grid
        The whole field of view at that voxel size, axes (S, A, R).
    start, shape : (int, int, int)
        The box within `whole`, in working voxels (S, A, R).
    mask : ndarray of bool, shape (S, A, R)
        The brain within the box.
    """

    native: Grid
    spacing_mm: float
    whole: Grid
    start: Triple
    shape: Triple
    mask: NDArray[np.bool_]

    @classmethod
    def of(cls, study: Study, spacing_mm: float, margin: int = 4, step: int = 1) -> WorkingFrame:
        """Lay the frame around a study's brain mask.

        Parameters
        ----------
        study : Study
            With a brain mask.
        spacing_mm : float
            The model's voxel size.
        margin : int
            Working voxels kept around the brain, where the field of view has them.
        step : int
            The box begins at a multiple of it.

        Raises
        ------
        InputError
            If the study has no mask, or an empty one.
        """
        if study.mask is None:
            raise no_mask(study)
        return cls.around(study.grid, study.mask.array, spacing_mm, margin, step)

    @classmethod
    def around(
        cls, native: Grid, mask: NDArray[np.bool_], spacing_mm: float, margin: int = 4, step: int = 1
    ) -> WorkingFrame:
        """Lay the frame around a brain mask, shape (i, j, k), on the grid `native` (see :meth:`of`)."""
        if not mask.any():
            raise InputError("The brain mask is empty.", hint=GIVE_MASK)
        whole = _at_spacing(native.display, spacing_mm)
        display_mask = np.asarray(native.as_display(mask), dtype=np.float32)
        working_mask = display_mask
        for axis in range(3):
            working_mask = _multiply(_weights_between(native.display, whole, axis), working_mask, axis)
        inside = working_mask >= 0.5
        if not inside.any():
            inside = working_mask >= working_mask.max()
        boxes = []
        for axis in range(3):
            others = tuple(a for a in range(3) if a != axis)
            where = np.flatnonzero(inside.any(axis=others))
            low = max(int(where[0]) - margin, 0) // step * step
            high = min(int(where[-1]) + 1 + margin, whole.shape[axis])
            boxes.append((low, high - low))
        start, shape = (tuple(values) for values in zip(*boxes, strict=True))
        crop = tuple(slice(s, s + n) for s, n in zip(start, shape, strict=True))
        return cls(native, spacing_mm, whole, start, shape, np.ascontiguousarray(inside[crop]))

    @property
    def grid(self) -> Grid:
        """The box as a grid of its own: where its voxels are in RAS mm."""
        matrix = self.whole.affine.matrix.copy()
        matrix[:3, 3] = self.whole.affine.apply(self.start)
        return Grid(self.shape, Affine(matrix))

    @property
    def is_exact(self) -> bool:
        """Whether getting here only permutes, flips and crops: no voxel of the reference is interpolated."""
        return self.whole.same_as(self.native.display)

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """The box within the whole field of view, (S, A, R)."""
        s, a, r = (slice(start, start + n) for start, n in zip(self.start, self.shape, strict=True))
        return s, a, r

    def bring(self, member: Member) -> FloatArray:
        """Return a contrast's voxels in this frame.

        The reference itself goes through the separable matrices; a scan with a grid or a motion of its own is
        interpolated once, straight from its native voxels.

        Returns
        -------
        ndarray of float32, shape (S, A, R)
            In the scan's units.
        """
        if member.is_resampled or not member.motion.is_identity:
            from napari_mrsynth.preprocess.resample import resample

            return np.asarray(
                resample(member.native, self.grid, motion=member.motion).array, dtype=np.float32
            )
        return self.bring_array(member.native.array)

    def seen_by(self, member: Member) -> NDArray[np.bool_]:
        """Return where a contrast was measured at all: its own field of view, shape (S, A, R)."""
        if not member.is_resampled and member.motion.is_identity:
            return np.ones(self.shape, dtype=bool)
        from napari_mrsynth.preprocess.resample import resample

        native = member.native.grid
        field = LabelVolume(np.ones(native.shape, dtype=np.uint8), native)
        seen: NDArray[np.bool_] = resample(field, self.grid, motion=member.motion).array > 0
        return seen

    def bring_array(self, array: NDArray[Any]) -> FloatArray:
        """Return an array on the native grid, shape (i, j, k), in this frame, as float32 (S, A, R)."""
        display = self.native.as_display(array)
        if self.is_exact:
            return np.array(display[self.box], dtype=np.float32)
        result = np.asarray(display, dtype=np.float32)
        for axis in (0, 2, 1):
            result = _multiply(self._inward[axis], result, axis)
        return np.ascontiguousarray(result)

    def bring_back(self, array: FloatArray, fill: float = 0.0) -> FloatArray:
        """Return a result of this frame, shape (S, A, R), on the native grid, shape (i, j, k).

        Voxels of the native grid outside the box get `fill`.
        """
        if array.shape != self.shape:
            raise GridError(f"A result of shape {array.shape} does not fit the frame's {self.shape}.")
        display = np.full(self.native.display.shape, fill, dtype=np.float32)
        if self.is_exact:
            display[self.box] = array
        else:
            inner = array
            for axis in (1, 2, 0):
                inner = _multiply(self._outward[axis].weights, inner, axis)
            s, a, r = (outward.rows for outward in self._outward)
            display[s, a, r] = inner
        return np.ascontiguousarray(self.native.from_display(display))

    def planes_for(self, display_slice: int) -> range:
        """Return the frame's S indices that make one displayed axial slice of the native grid.

        Empty when that slice lies outside the box.
        """
        weights, rows = self._outward[0].weights, self._outward[0].rows
        if not rows.start <= display_slice < rows.stop:
            return range(0)
        at = display_slice - rows.start
        used = np.flatnonzero(weights[at : at + 1].toarray()[0] > 1e-6)
        return range(int(used.min()), int(used.max()) + 1)

    def bring_back_plane(self, planes: FloatArray, display_slice: int) -> FloatArray:
        """Return one displayed axial slice of the native grid, shape (A, R), zero outside the box.

        Parameters
        ----------
        planes : ndarray of float32, shape (len(planes_for(display_slice)), A, R)
            The frame's planes of :meth:`planes_for`.
        display_slice : int
            S index on the native grid's display view.
        """
        needed = self.planes_for(display_slice)
        out = np.zeros(self.native.display.shape[1:], dtype=np.float32)
        if not needed:
            return out
        at = display_slice - self._outward[0].rows.start
        share = self._outward[0].weights[at : at + 1].toarray()[0, needed.start : needed.stop]
        plane = np.asarray(planes[0] if len(share) == 1 else np.tensordot(share, planes, axes=1))[None]
        for axis in (1, 2):
            plane = _multiply(self._outward[axis].weights, plane, axis)
        out[self._outward[1].rows, self._outward[2].rows] = plane[0]
        return out

    def nearest_plane(self, display_slice: int) -> int:
        """Return the frame's S index nearest to a displayed axial slice, clipped to the box."""
        ratio = self.native.display.spacing[0] / self.whole.spacing[0]
        centre = (display_slice + 0.5) * ratio - 0.5 - self.start[0]
        return int(np.clip(round(centre), 0, self.shape[0] - 1))

    @cached_property
    def _inward(self) -> list[Any]:
        crops = self.box
        return [_weights_between(self.native.display, self.whole, axis)[crops[axis]] for axis in range(3)]

    @cached_property
    def _outward(self) -> list[_Outward]:
        return [self._outward_along(axis) for axis in range(3)]

    def _outward_along(self, axis: int) -> _Outward:
        weights = _weights_between(self.whole, self.native.display, axis, smooth=False)
        inside = weights[:, self.box[axis]]
        covered = np.flatnonzero(np.asarray(inside.sum(axis=1)).ravel() > 1 - 1e-6)
        if covered.size == 0:
            covered = np.array([int(np.asarray(inside.sum(axis=1)).argmax())])
        rows = slice(int(covered[0]), int(covered[-1]) + 1)
        return _Outward(rows, inside[rows].tocsr())


@dataclass(frozen=True, eq=False)
class _Outward:
    """Which native display rows a box covers along one axis, and the weights that make them."""

    rows: slice
    weights: Any


def _at_spacing(display: Grid, spacing_mm: float) -> Grid:
    """Return the field of view of a display grid at another voxel size, about the same centre."""
    shape, sizes = [], []
    for n, size in zip(display.shape, display.spacing, strict=True):
        same = abs(size / spacing_mm - 1) <= SAME_SPACING
        shape.append(n if same else max(1, round(n * size / spacing_mm)))
        sizes.append(size if same else spacing_mm)
    matrix = np.eye(4)
    matrix[:3, :3] = display.affine.directions * np.asarray(sizes)
    matrix[:3, 3] = display.centre_mm - matrix[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return Grid((shape[0], shape[1], shape[2]), Affine(matrix))


def _weights_between(source: Grid, target: Grid, axis: int, *, smooth: bool = True) -> Any:
    """Return the sparse matrix (n_target, n_source) that resamples along one axis.

    Both grids share their centre. The kernel is a triangle: linear interpolation, widened to the target's
    voxel when that is the coarser one and `smooth` is set, so that nothing aliases.
    """
    from scipy.sparse import csr_array, eye_array

    n_source, n_target = source.shape[axis], target.shape[axis]
    size_source, size_target = source.spacing[axis], target.spacing[axis]
    if n_source == n_target and abs(size_source - size_target) < 1e-9:
        return csr_array(eye_array(n_source, dtype=np.float32))
    positions = (np.arange(n_target) - (n_target - 1) / 2) * size_target / size_source + (n_source - 1) / 2
    positions = np.clip(positions, 0, n_source - 1)
    width = max(1.0, size_target / size_source) if smooth else 1.0
    reach = int(np.ceil(width))
    columns = np.floor(positions).astype(int)[:, None] + np.arange(-reach, reach + 2)
    values = np.clip(1 - np.abs(columns - positions[:, None]) / width, 0, None)
    values[(columns < 0) | (columns >= n_source)] = 0
    values /= values.sum(axis=1, keepdims=True)
    rows = np.broadcast_to(np.arange(n_target)[:, None], columns.shape)
    keep = values > 0
    return csr_array(
        (values[keep].astype(np.float32), (rows[keep], columns[keep])), shape=(n_target, n_source)
    )


def _multiply(weights: Any, array: FloatArray, axis: int) -> FloatArray:
    """Apply a sparse (n_target, n_source) matrix along one axis of a 3-D array."""
    moved = np.moveaxis(array, axis, 0)
    flat = weights @ np.ascontiguousarray(moved).reshape(moved.shape[0], -1)
    return np.moveaxis(flat.reshape(weights.shape[0], *moved.shape[1:]), 0, axis)
