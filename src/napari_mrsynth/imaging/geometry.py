"""Where voxels are: an affine into RAS millimetres, and the grid that a shape and an affine make.

Every point is in RAS millimetres (x to the patient's right, y anterior, z superior), every index in
native voxels ``(i, j, k)``, unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mrsynth.errors import GridError

FloatArray = NDArray[np.float64]

_POSITIVE = ("R", "A", "S")
_NEGATIVE = ("L", "P", "I")
DISPLAY_AXES = ("S", "A", "R")


@dataclass(frozen=True, eq=False)
class Affine:
    """Voxel indices to RAS millimetres, as a read-only invertible 4x4 matrix.

    Parameters
    ----------
    matrix : array-like, shape (4, 4)
        Last row 0, 0, 0, 1.

    Raises
    ------
    GridError
        If the matrix is not 4x4, not finite, not affine or not invertible.
    """

    matrix: FloatArray

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.shape != (4, 4):
            raise GridError(f"An affine is a 4x4 matrix, not {matrix.shape}.")
        if not np.isfinite(matrix).all():
            raise GridError("The affine holds NaN or infinite numbers.", hint="Mend the header.")
        if not np.allclose(matrix[3], (0, 0, 0, 1)):
            raise GridError(f"The affine's last row is {matrix[3].tolist()}, not 0 0 0 1.")
        lengths = np.linalg.norm(matrix[:3, :3], axis=0)
        if (lengths <= 0).any() or abs(np.linalg.det(matrix[:3, :3] / lengths)) < 1e-6:
            raise GridError(
                f"The affine flattens space: column lengths {np.round(lengths, 6).tolist()} mm.",
                hint="Two axes point the same way or a voxel size is zero; mend the header.",
            )
        matrix.setflags(write=False)
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def from_parts(
        cls, spacing: Sequence[float], origin: Sequence[float] = (0, 0, 0), codes: str = "RAS"
    ) -> Affine:
        """Build an axis-aligned affine from voxel sizes, the first voxel's RAS mm and axis codes."""
        matrix = np.eye(4)
        matrix[:3, :3] = 0
        for axis, code in enumerate(codes):
            row = _POSITIVE.index(code) if code in _POSITIVE else _NEGATIVE.index(code)
            matrix[row, axis] = spacing[axis] if code in _POSITIVE else -spacing[axis]
        matrix[:3, 3] = origin
        return cls(matrix)

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size along i, j, k in mm."""
        i, j, k = np.linalg.norm(self.matrix[:3, :3], axis=0)
        return float(i), float(j), float(k)

    @cached_property
    def directions(self) -> FloatArray:
        """Unit column vectors of i, j, k in RAS, shape (3, 3)."""
        directions: FloatArray = self.matrix[:3, :3] / np.asarray(self.spacing)
        return directions

    @property
    def origin(self) -> tuple[float, float, float]:
        """RAS mm of voxel (0, 0, 0)."""
        x, y, z = self.matrix[:3, 3]
        return float(x), float(y), float(z)

    @cached_property
    def nearest_axes(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """World axis (0 x, 1 y, 2 z) nearest to each voxel axis, and its sign.

        The assignment is the one-to-one match with the largest sum of absolute cosines, so that
        two voxel axes never claim one world axis, however oblique the grid.
        """
        cosines = self.directions
        best = max(
            permutations(range(3)), key=lambda rows: sum(abs(cosines[r, c]) for c, r in enumerate(rows))
        )
        signs = tuple(1 if cosines[row, column] >= 0 else -1 for column, row in enumerate(best))
        return (best[0], best[1], best[2]), (signs[0], signs[1], signs[2])

    @property
    def codes(self) -> str:
        """Where each voxel axis points, nearest anatomical direction: ``LPS``, ``RAS`` ..."""
        worlds, signs = self.nearest_axes
        return "".join(_POSITIVE[w] if s > 0 else _NEGATIVE[w] for w, s in zip(worlds, signs, strict=True))

    @cached_property
    def obliquity_deg(self) -> float:
        """Largest angle in degrees between a voxel axis and its nearest anatomical axis."""
        worlds, _ = self.nearest_axes
        cosines = [abs(self.directions[world, axis]) for axis, world in enumerate(worlds)]
        return float(np.degrees(np.arccos(np.clip(min(cosines), 0, 1))))

    @property
    def is_oblique(self) -> bool:
        """Whether some axis is tilted by more than 0.1 degree."""
        return self.obliquity_deg > 0.1

    @property
    def is_sheared(self) -> bool:
        """Whether the voxel axes are not at right angles (beyond 0.1 degree)."""
        gram = self.directions.T @ self.directions
        return bool(np.abs(gram - np.eye(3)).max() > np.sin(np.radians(0.1)))

    @cached_property
    def inverse(self) -> FloatArray:
        """RAS millimetres to voxel indices, shape (4, 4)."""
        inverse: FloatArray = np.linalg.inv(self.matrix).astype(np.float64)
        return inverse

    def apply(self, points_vox: ArrayLike) -> FloatArray:
        """Map voxel points, shape (..., 3), to RAS millimetres, same shape."""
        points = np.asarray(points_vox, dtype=np.float64)
        mapped: FloatArray = points @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return mapped

    def unapply(self, points_mm: ArrayLike) -> FloatArray:
        """Map RAS millimetre points, shape (..., 3), to voxel indices, same shape."""
        points = np.asarray(points_mm, dtype=np.float64)
        mapped: FloatArray = points @ self.inverse[:3, :3].T + self.inverse[:3, 3]
        return mapped

    def __repr__(self) -> str:
        sizes = " x ".join(f"{size:.3g}" for size in self.spacing)
        tilt = f", {self.obliquity_deg:.1f} deg oblique" if self.is_oblique else ""
        return f"Affine({self.codes}, {sizes} mm{tilt})"


@dataclass(frozen=True, eq=False)
class Grid:
    """A shape placed in space: the one answer to "are these two images in the same space?".

    Parameters
    ----------
    shape : (int, int, int)
        Number of voxels along i, j, k; each at least 1.
    affine : Affine
        Voxel indices to RAS millimetres.
    """

    shape: tuple[int, int, int]
    affine: Affine

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise GridError(f"A grid has three axes of at least one voxel, not {self.shape}.")
        object.__setattr__(self, "shape", shape)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size along i, j, k in mm."""
        return self.affine.spacing

    @property
    def size_mm(self) -> tuple[float, float, float]:
        """Extent along i, j, k in mm, whole voxels."""
        i, j, k = (n * s for n, s in zip(self.shape, self.spacing, strict=True))
        return i, j, k

    @property
    def centre_mm(self) -> FloatArray:
        """RAS mm of the middle of the field of view."""
        return self.affine.apply((np.asarray(self.shape) - 1) / 2)

    @property
    def corners_mm(self) -> FloatArray:
        """RAS mm of the centres of the eight corner voxels, shape (8, 3)."""
        last = np.asarray(self.shape) - 1
        return self.affine.apply(np.array(list(np.ndindex(2, 2, 2))) * last)

    def mismatch(self, other: Grid, tolerance_mm: float = 0.01) -> str | None:
        """Say why `other` is another space, or return None where it is the same.

        Two grids are the same when their shapes are equal and no corner voxel lies further than
        `tolerance_mm` from its counterpart.
        """
        if self.shape != other.shape:
            return f"shape {_times(self.shape)} against {_times(other.shape)}"
        apart = float(np.linalg.norm(self.corners_mm - other.corners_mm, axis=1).max())
        if apart <= tolerance_mm:
            return None
        if self.affine.codes != other.affine.codes:
            return f"axes {self.affine.codes} against {other.affine.codes}"
        if not np.allclose(self.spacing, other.spacing, rtol=1e-3):
            return f"voxels {_sizes(self.spacing)} mm against {_sizes(other.spacing)} mm"
        return f"same shape and voxel size, but up to {apart:.2f} mm apart"

    def same_as(self, other: Grid, tolerance_mm: float = 0.01) -> bool:
        """Whether both describe the same space (see :meth:`mismatch`)."""
        return self.mismatch(other, tolerance_mm) is None

    @property
    def to_display(self) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
        """How native (i, j, k) becomes the display order (S, A, R).

        Returns
        -------
        order : (int, int, int)
            The native axis shown as S, as A and as R.
        flips : (bool, bool, bool)
            Whether S, A and R run against that native axis.
        """
        worlds, signs = self.affine.nearest_axes
        axes = [worlds.index(2), worlds.index(1), worlds.index(0)]
        flips = [signs[axis] < 0 for axis in axes]
        return (axes[0], axes[1], axes[2]), (flips[0], flips[1], flips[2])

    def as_display(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """View an (i, j, k) array in display order (S, A, R), without copying.

        Writing into the view writes the native array.
        """
        self._check(array)
        order, flips = self.to_display
        view = array.transpose(order)
        return view[tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)]

    def from_display(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """View an (S, A, R) array in native order (i, j, k): the inverse of :meth:`as_display`."""
        order, flips = self.to_display
        view = array[tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)]
        native = view.transpose(tuple(int(axis) for axis in np.argsort(order)))
        self._check(native)
        return native

    @cached_property
    def display(self) -> Grid:
        """The same space with its axes permuted and flipped to run along (S, A, R)."""
        order, flips = self.to_display
        matrix = np.eye(4)
        corner = np.zeros(3)
        for new, (axis, flip) in enumerate(zip(order, flips, strict=True)):
            column = self.affine.matrix[:3, axis]
            matrix[:3, new] = -column if flip else column
            corner[axis] = self.shape[axis] - 1 if flip else 0
        matrix[:3, 3] = self.affine.apply(corner)
        shape = tuple(self.shape[axis] for axis in order)
        return Grid((shape[0], shape[1], shape[2]), Affine(matrix))

    def _check(self, array: NDArray[np.generic]) -> None:
        if array.shape != self.shape:
            raise GridError(f"An array of shape {array.shape} does not lie on a grid of {self.shape}.")

    def __repr__(self) -> str:
        return f"Grid({_times(self.shape)}, {self.affine!r})"


def _times(shape: Sequence[int]) -> str:
    return " x ".join(str(n) for n in shape)


def _sizes(spacing: Sequence[float]) -> str:
    return " x ".join(f"{size:.3g}" for size in spacing)
