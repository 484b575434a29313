"""An image on a grid: a scan (scalar, interpolated smoothly) or a label map (integers, never blended)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import GridError, LabelError
from napari_mrsynth.imaging.geometry import Grid


@dataclass(frozen=True)
class Source:
    """Where a volume came from.

    Attributes
    ----------
    path : Path or None
        The file, or the DICOM folder; None for a layer or an array made in memory.
    format : str
        ``nifti``, ``mgz``, ``nrrd``, ``mha``, ``dicom``, ``layer`` or ``synthetic``.
    header : object
        What the format's own writer needs to keep the header fields; opaque here.
    synthetic : mapping or None
        The provenance of a volume that this or an earlier session synthesised; None for a real scan.
    """

    path: Path | None = None
    format: str = "memory"
    header: Any = field(default=None, repr=False, compare=False)
    synthetic: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class _Image:
    """An array that lies on a grid: shapes agree, values never change."""

    array: NDArray[Any]
    grid: Grid
    name: str = ""
    source: Source = Source()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.array.shape != self.grid.shape:
            raise GridError(
                f"{self.name or 'An image'} has shape {self.array.shape}, its grid {self.grid.shape}."
            )

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest of voxels, dtype and affine: equal for equal images, whatever their file."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(str((self.array.dtype.str, self.array.shape)).encode())
        digest.update(np.ascontiguousarray(self.grid.affine.matrix).tobytes())
        digest.update(np.ascontiguousarray(self.array).data)
        return digest.hexdigest()

    @property
    def display(self) -> NDArray[Any]:
        """The voxels as a zero-copy (S, A, R) view."""
        return self.grid.as_display(self.array)

    def noting(self, *notes: str) -> Self:
        """Return the same image with further notes for the user."""
        return replace(self, notes=(*self.notes, *notes))


@dataclass(frozen=True, eq=False)
class Volume(_Image):
    """A scan of one contrast.

    Parameters
    ----------
    array : ndarray, shape (i, j, k)
        Real numbers; finite. Stored as read (integers stay integers where no scaling applies).
    grid : Grid
        Where the voxels are.
    name : str
        What to call it: the layer's or the file's name.
    source : Source
        Where it came from.
    notes : tuple of str
        What was corrected or assumed while reading, for the user to see.
    contrast : str or None
        ``T1w``, ``T1ce``, ``T2w``, ``FLAIR`` or any name of the user's; None while unknown.
    confidence : float
        How sure the guess of the contrast is, 0 to 1; 1 when the user said so.
    """

    contrast: str | None = None
    confidence: float = 1.0

    @property
    def is_synthetic(self) -> bool:
        """Whether the voxels were made by a model, now or in an earlier session."""
        return self.source.synthetic is not None

    def identity(self) -> dict[str, Any]:
        """Return what provenance says of this scan, as plain data: which it is, not what was done to it."""
        return {
            "file": self.source.path.name if self.source.path is not None else None,
            "name": self.name,
            "contrast": self.contrast,
            "fingerprint": self.fingerprint,
            "synthetic": self.is_synthetic,
        }

    def as_contrast(self, contrast: str, confidence: float = 1.0) -> Volume:
        """Return the same voxels as another contrast."""
        return replace(self, contrast=contrast, confidence=confidence)

    def with_array(self, array: NDArray[Any], grid: Grid | None = None) -> Volume:
        """Return the same scan with other voxels, on another grid where one is given."""
        return replace(self, array=array, grid=self.grid if grid is None else grid)


@dataclass(frozen=True, eq=False)
class LabelVolume(_Image):
    """A label map: an integer per voxel, 0 for background.

    Parameters
    ----------
    array, grid, name, source, notes
        As for :class:`Volume`; the dtype is an integer or bool.
    labels : mapping of int to str
        Names of the classes, where they are known.
    """

    labels: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.array.dtype.kind not in "iub":
            raise LabelError(
                f"{self.name or 'A label map'} has {self.array.dtype} voxels; labels are integers.",
                hint="Round and cast it, or open it as an image.",
            )

    @cached_property
    def present(self) -> tuple[int, ...]:
        """The classes that occur, background left out."""
        return tuple(int(value) for value in np.unique(self.array) if value != 0)
