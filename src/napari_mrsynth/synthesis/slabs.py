"""A volume cut into slabs of axial slices, each cropped to the brain that lies in it.

Arrays are (S, A, R) in a working frame. Slices without brain belong to no slab and are never computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MARGIN = 8
"""Voxels kept around the brain in a frame: as many as any network asks for."""

QUANTUM = 16
"""Slabs begin at multiples of it, and their sizes are multiples of it. A network that pools or packs voxels
then groups them as it would in the whole frame; and the few sizes let compiled kernels be used again."""


@dataclass(frozen=True)
class Slab:
    """Axial slices ``start:stop`` and the box in them that is computed.

    Attributes
    ----------
    start, stop : int
        S indices.
    a, r : int
        First A and R index of the box.
    height, width : int
        Voxels of the box along A and R, within the frame.
    padded : (int, int)
        Height and width that the network sees; zeros beyond the box.
    """

    start: int
    stop: int
    a: int
    r: int
    height: int
    width: int
    padded: tuple[int, int]

    @property
    def planes(self) -> int:
        """Number of slices."""
        return self.stop - self.start

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """The box within the frame, (S, A, R)."""
        return (
            slice(self.start, self.stop),
            slice(self.a, self.a + self.height),
            slice(self.r, self.r + self.width),
        )


def plan_slabs(
    mask: NDArray[np.bool_], size: int, multiple: int, margin: int, *, quantum: int = QUANTUM
) -> list[Slab]:
    """Cut a frame into slabs of `size` slices.

    Parameters
    ----------
    mask : ndarray of bool, shape (S, A, R)
        The brain.
    size : int
        Slices per slab; the last may have fewer.
    multiple : int
        Padded heights and widths are multiples of it.
    margin : int
        Voxels around the brain.
    quantum : int
        Padded heights and widths are multiples of it too, and so are the boxes' first indices.

    Returns
    -------
    list of Slab
        From inferior to superior; every voxel of `mask` lies in exactly one.
    """
    step = int(np.lcm(multiple, quantum))
    by_row, by_column = np.asarray(mask.any(axis=2)), np.asarray(mask.any(axis=1))
    slabs = []
    for start in range(0, mask.shape[0], size):
        stop = min(start + size, mask.shape[0])
        rows = np.flatnonzero(by_row[start:stop].any(axis=0))
        columns = np.flatnonzero(by_column[start:stop].any(axis=0))
        if rows.size == 0:
            continue
        a, height, tall = _extent(rows, mask.shape[1], margin, step)
        r, width, wide = _extent(columns, mask.shape[2], margin, step)
        slabs.append(Slab(start, stop, a, r, height, width, (tall, wide)))
    return slabs


def _extent(used: NDArray[np.intp], length: int, margin: int, step: int) -> tuple[int, int, int]:
    """Return first index, extent and padded extent around `used` along an axis of `length`."""
    low = max(int(used[0]) - margin, 0) // step * step
    high = min(int(used[-1]) + 1 + margin, length)
    padded = -(-(high - low) // step) * step
    return low, min(padded, length - low), padded


def outwards(slabs: list[Slab], plane: int | None) -> list[Slab]:
    """Return the slabs by their distance from a slice; as they are where there is none."""
    if plane is None:
        return slabs
    return sorted(slabs, key=lambda slab: max(slab.start - plane, plane - slab.stop + 1, 0))


def take(array: NDArray[Any], slab: Slab, neighbours: int) -> NDArray[np.float32]:
    """Return a slab's slices with their neighbours as channels.

    Parameters
    ----------
    array : ndarray, shape (S, A, R)
        Normalised.
    slab : Slab
    neighbours : int
        Slices on each side; the frame's first and last slice repeat beyond it.

    Returns
    -------
    ndarray of float32, shape (planes, 1 + 2 neighbours, *padded)
    """
    channels = 1 + 2 * neighbours
    slices = np.zeros((slab.planes, channels, *slab.padded), dtype=np.float32)
    _, rows, columns = slab.box
    for channel in range(channels):
        planes = np.arange(slab.start, slab.stop) + channel - neighbours
        planes = np.clip(planes, 0, array.shape[0] - 1)
        slices[:, channel, : slab.height, : slab.width] = array[planes, rows, columns]
    return slices


def put(target: NDArray[Any], slab: Slab, slices: NDArray[Any]) -> None:
    """Write a slab's results, shape (planes, *padded), to their place in `target`, shape (S, A, R)."""
    target[slab.box] = slices[:, : slab.height, : slab.width]
