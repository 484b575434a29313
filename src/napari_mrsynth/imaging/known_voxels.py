"""Voxels that a model made, known again where their record is lost: copied, stacked, split, put elsewhere.

The mark of a layer is in its metadata, that of a volume in its source; not all that handles arrays keeps
them. Every slice of a synthetic image, along each of its axes, therefore leaves a digest of a lattice of its
voxels: of their values in order of size, so that a slice is known again however it is turned or mirrored. The
values without their fractions leave one too: that is what napari makes labels of. Arithmetic, resampling and
cutting along several axes make other voxels of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.imaging.volume import LabelVolume, Volume

Found = TypeVar("Found", Volume, LabelVolume, Volume | LabelVolume)

LATTICE = 16
"""About so many voxels along either side of a slice go into its digest."""

FEWEST = 16
"""A slice with fewer different values in it than this says nothing."""

MOST = 200_000
"""Digests that are kept, of about 150 images; the oldest go first."""

_records: dict[bytes, Mapping[str, Any]] = {}


def remember(data: Any, record: Mapping[str, Any]) -> None:
    """Know the slices of an array from now on; not those of a real scan into which something was painted.

    Most of that scan's slices are real. Where nothing but the file's name or header tells that a scan is
    synthetic, it may be such a one.

    Parameters
    ----------
    data : ndarray, shape (..., S, A, R)
        A synthetic image's, in display order; anything that is no array in memory is left alone.
    record : mapping
        How they were made.
    """
    if "into" in record or set(record) <= {"description"}:
        return
    for sides, values in _slices(data):
        for digest in _digests(sides, values), _digests(sides, np.trunc(values)):
            _records.update(dict.fromkeys(digest, record))
    while len(_records) > MOST:
        del _records[next(iter(_records))]


def record_of(data: Any) -> Mapping[str, Any] | None:
    """Return how the first known slice of an array was made, or None where none is known."""
    if not _records:
        return None
    digests = (digest for sides, values in _slices(data) for digest in _digests(sides, values))
    return next((_records[digest] for digest in digests if digest in _records), None)


def known_again(image: Found, data: Any) -> Found:
    """Return an image as synthetic where a model made its voxels, though nothing about it says so.

    Parameters
    ----------
    image : Volume or LabelVolume
    data : ndarray, shape (..., S, A, R)
        Its voxels in display order, as a layer holds them.
    """
    record = None if image.source.synthetic is not None else record_of(data)
    if record is None:
        return image
    return replace(image, source=replace(image.source, format="synthetic", synthetic=record))


def remembered(image: Found) -> Found:
    """Know a synthetic image's voxels from now on; return the image."""
    if image.source.synthetic is not None:
        remember(image.display, image.source.synthetic)
    return image


def _slices(data: Any) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
    """Return the slices along each of the last three axes: the sides of one, and the values of each.

    The values are those of a lattice that is the same from either end of a side, a row per slice, in order of
    size: neither mirroring nor turning a slice changes them.
    """
    if not isinstance(data, np.ndarray) or data.ndim < 2 or data.dtype.kind not in "fiu" or not data.size:
        return
    for plane in combinations(range(max(data.ndim - 3, 0), data.ndim), 2):
        slices = np.moveaxis(data, plane, (-2, -1))
        rows, columns = (_lattice(side) for side in slices.shape[-2:])
        values = slices[..., rows[:, None], columns].astype(np.float32)
        yield sorted(slices.shape[-2:]), np.sort(values.reshape(-1, rows.size * columns.size), axis=1)


def _lattice(side: int) -> NDArray[np.intp]:
    indices = np.arange(side)
    chosen: NDArray[np.intp] = np.flatnonzero(
        np.minimum(indices, side - 1 - indices) % max(1, side // LATTICE) == 0
    )
    return chosen


def _digests(sides: list[int], values: NDArray[np.float32]) -> Iterator[bytes]:
    """Return a digest for each slice that says something, of its values in order of size."""
    several = 1 + np.count_nonzero(np.diff(values, axis=1), axis=1) >= FEWEST
    for row in values[several] + np.float32(0):  # there is but one zero
        yield hashlib.blake2b(row.data, digest_size=16, person=str(sides).encode()[:16]).digest()
