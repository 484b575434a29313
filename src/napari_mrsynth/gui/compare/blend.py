"""Several volumes shown as one, computed for the displayed slice only: swipe, checkerboard, mosaic, edges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = tuple[int, int]


class _SliceByQuestion:
    """What napari needs to take an object for an array of shape (S, A, R)."""

    ndim = 3

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        whole = self[:, :, :]
        return whole if dtype is None else whole.astype(dtype)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        raise NotImplementedError


class Mixed(_SliceByQuestion):
    """One volume where a mask is True, another elsewhere; or a third alone.

    Parameters
    ----------
    first, second : ndarray, shape (S, A, R)

    Attributes
    ----------
    mask : ndarray of bool
        Broadcasts to (S, A, R); True shows `first`. May be replaced at any time.
    only : ndarray, shape (S, A, R), or None
        What is shown instead of both.
    """

    def __init__(self, first: NDArray[Any], second: NDArray[Any]) -> None:
        super().__init__(first.shape, np.float32)
        self.first, self.second = first, second
        self.mask: NDArray[np.bool_] = np.ones((1, 1, 1), bool)
        self.only: NDArray[Any] | None = None

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        if self.only is not None:
            return np.asarray(self.only[key], dtype=np.float32)
        chosen = np.broadcast_to(self.mask, self.shape)[key]
        mixed: NDArray[np.float32] = np.where(chosen, self.first[key], self.second[key]).astype(np.float32)
        return mixed


class Mosaic(_SliceByQuestion):
    """Volumes of one shape beside one another along an axis.

    Parameters
    ----------
    volumes : sequence of ndarray, each of shape (S, A, R)
    axis : int
        The axis along which they follow one another.
    """

    def __init__(self, volumes: Sequence[NDArray[Any]], axis: int) -> None:
        shape = list(volumes[0].shape)
        self._volumes, self._axis, self._length = list(volumes), axis, shape[axis]
        shape[axis] *= len(volumes)
        super().__init__(tuple(shape), np.float32)

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        key = key if isinstance(key, tuple) else (key,)
        key = (*key, *(slice(None),) * (3 - len(key)))
        along = key[self._axis]
        if isinstance(along, slice):
            parts = [
                volume[tuple(slice(None) if axis == self._axis else k for axis, k in enumerate(key))]
                for volume in self._volumes
            ]
            place = sum(isinstance(k, slice) for k in key[: self._axis])
            whole = np.concatenate(parts, axis=place, dtype=np.float32, casting="unsafe")
            found: NDArray[np.float32] = whole[(slice(None),) * place + (along,)]
            return found
        number, rest = divmod(int(along), self._length)
        return np.asarray(
            self._volumes[number][(*key[: self._axis], rest, *key[self._axis + 1 :])], np.float32
        )


class Edges(_SliceByQuestion):
    """The edges of a volume (Canny 1986), found in each slice when it is asked for.

    Parameters
    ----------
    image : ndarray, shape (S, A, R)
    full_scale : float
        What thresholds are shares of.
    """

    SIGMA = 1.5
    LOW, HIGH = 0.04, 0.10

    def __init__(self, image: NDArray[Any], full_scale: float) -> None:
        super().__init__(image.shape, np.float32)
        self._image = image
        self._thresholds = {
            "low_threshold": self.LOW * full_scale,
            "high_threshold": self.HIGH * full_scale,
        }

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        part = np.asarray(self._image[key], dtype=np.float32)
        if part.ndim < 2:
            return np.zeros(part.shape, np.float32)
        if part.ndim == 2:
            return self._of(part)
        sliced = part.shape.index(1) if 1 in part.shape else 0
        planes = [self._of(plane) for plane in np.moveaxis(part, sliced, 0)]
        return np.stack(planes, axis=sliced)

    def _of(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        from skimage.feature import canny

        found: NDArray[np.float32] = canny(plane, self.SIGMA, **self._thresholds).astype(np.float32)
        return found


def swipe_mask(shape: tuple[int, ...], axis: int, share: float, *, from_end: bool) -> NDArray[np.bool_]:
    """Return a mask that is True over the first `share` of an axis as it is seen on the screen.

    Parameters
    ----------
    shape : (int, int, int)
        Of the volumes, (S, A, R).
    axis : int
        The axis that runs across the screen.
    share : float
        0 to 1, counted from the left of the screen.
    from_end : bool
        Whether the axis runs from right to left on the screen.
    """
    length = shape[axis]
    count = round(min(max(share, 0.0), 1.0) * length)
    line = np.arange(length) >= length - count if from_end else np.arange(length) < count
    return line.reshape([-1 if each == axis else 1 for each in range(3)])


def checker_mask(
    shape: tuple[int, ...], plane: Plane, tile_mm: float, spacing: tuple[float, ...]
) -> NDArray[np.bool_]:
    """Return the mask of a checkerboard in the displayed plane.

    Parameters
    ----------
    shape : (int, int, int)
        Of the volumes, (S, A, R).
    plane : (int, int)
        The two displayed axes.
    tile_mm : float
        Edge of a tile.
    spacing : (float, float, float)
        Voxel size in mm.
    """
    tiles = np.zeros((1, 1, 1), int)
    for axis in plane:
        voxels = max(1, round(tile_mm / spacing[axis]))
        line = np.arange(shape[axis]) // voxels
        tiles = tiles + line.reshape([-1 if each == axis else 1 for each in range(3)])
    even: NDArray[np.bool_] = tiles % 2 == 0
    return even
