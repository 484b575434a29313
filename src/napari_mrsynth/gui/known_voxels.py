"""Voxels that a model made, known again where their record is lost: copied, stacked, split, put elsewhere.

A layer's mark is in its metadata, which not everything in a viewer keeps. Every axial slice of a synthetic
layer therefore leaves a digest of a lattice of its voxels; a slice with the same voxels is the same slice.
Arithmetic, and cutting within the slices, make other voxels of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from napari_mrsynth.imaging.volume import LabelVolume, Volume

Found = TypeVar("Found", Volume, LabelVolume, Volume | LabelVolume)

LATTICE = 24
"""About so many voxels along either side of a slice go into its digest."""

FEWEST = 16
"""A slice with fewer different values in it than this says nothing."""

_records: dict[bytes, Mapping[str, Any]] = {}


def remember(data: Any, record: Mapping[str, Any]) -> None:
    """Know the slices of an array from now on; not those of a real scan into which something was painted.

    Most of that scan's slices are real. Where nothing but the file's name or header tells that a scan is
    synthetic, it may be such a one.

    Parameters
    ----------
    data : ndarray, shape (..., A, R)
        A synthetic layer's; anything that is no array in memory is left alone.
    record : mapping
        How they were made.
    """
    if "into" in record or set(record) <= {"description"}:
        return
    for digest in _digests(data):
        _records[digest] = record


def record_of(data: Any) -> Mapping[str, Any] | None:
    """Return how the first known slice of an array was made, or None where none is known."""
    if not _records:
        return None
    return next((_records[digest] for digest in _digests(data) if digest in _records), None)


def known_again(image: Found, data: Any) -> Found:
    """Return an image as synthetic where a model made its voxels, though nothing about it says so.

    Parameters
    ----------
    image : Volume or LabelVolume
    data : ndarray, shape (..., A, R)
        Its voxels as a layer holds them.
    """
    record = None if image.source.synthetic is not None else record_of(data)
    if record is None:
        return image
    return replace(image, source=replace(image.source, format="synthetic", synthetic=record))


def _digests(data: Any) -> Iterator[bytes]:
    if not isinstance(data, np.ndarray) or data.ndim < 2 or data.dtype.kind not in "fiu":
        return
    rows, columns = (max(1, side // LATTICE) for side in data.shape[-2:])
    lattice = data[..., ::rows, ::columns]
    for plane in np.ascontiguousarray(lattice, np.float32).reshape(-1, *lattice.shape[-2:]):
        if np.unique(plane).size >= FEWEST:
            yield hashlib.blake2b(plane.data, digest_size=16, person=str(plane.shape).encode()[:16]).digest()
