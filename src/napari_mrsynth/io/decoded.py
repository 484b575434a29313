"""What a format's decoder hands over: voxels, an affine and the header, before anything is checked."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_mrsynth.errors import FormatError, MrsynthError
from napari_mrsynth.imaging.geometry import FloatArray

MAX_VOXELS = 2**31
"""More than any brain scan has (0.15 mm isotropic); a header that claims more is damaged."""


@dataclass(frozen=True)
class Decoded:
    """One file's content.

    Attributes
    ----------
    array : ndarray
        Voxels in (i, j, k, ...) order, scaling applied; any dtype and number of axes.
    matrix : ndarray, shape (4, 4)
        Voxel indices to RAS millimetres.
    format : str
        ``nifti``, ``mgz``, ``nrrd`` or ``mha``.
    header : object
        What the NIfTI writer can keep; None for other formats.
    description : str
        The header's free text, where the format has one.
    notes : tuple of str
        What was assumed, for the user to see.
    """

    array: NDArray[Any]
    matrix: FloatArray
    format: str
    header: Any = None
    description: str = ""
    notes: tuple[str, ...] = ()


@contextmanager
def refusing_damage(path: Path, format_name: str) -> Iterator[None]:
    """Turn whatever a decoding library raises about a bad file into a :class:`FormatError` that quotes it."""
    try:
        yield
    except MrsynthError:
        raise
    except (
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        KeyError,
        TypeError,
        zlib.error,
        MemoryError,
    ) as error:
        raise FormatError(
            f"“{path.name}” cannot be read as {format_name}: {_first_line(error)}.", hint=explain_bytes(path)
        ) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("nibabel", "pydicom"):
            raise
        raise FormatError(
            f"“{path.name}” cannot be read as {format_name}: {_first_line(error)}.", hint=explain_bytes(path)
        ) from error


def require_file(path: Path) -> None:
    """Refuse a path that is missing or an empty file.

    Raises
    ------
    FormatError
        Quoting the path.
    """
    if not path.exists():
        raise FormatError(f"There is no “{path}”.", hint="Check the spelling, and that the disk is there.")
    if path.is_file() and path.stat().st_size == 0:
        raise FormatError(
            f"“{path.name}” is empty (0 bytes).", hint="Copy or download it again from where it came."
        )


def explain_bytes(path: Path) -> str:
    """Say from a file's first bytes what is probably wrong with it, as a hint."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        return f"The file cannot be opened ({error.strerror}): check its permissions."
    if start.startswith(b"version https://git-lfs"):
        return "It is a Git LFS pointer, not the scan itself: run “git lfs pull”."
    if start.lstrip()[:1] == b"<":
        return "It is a web page, not a scan: the download went wrong, fetch it again."
    if start.startswith(b"\x1f\x8b") and path.suffix.lower() not in (".gz", ".mgz"):
        return "It is gzip-compressed: add “.gz” to its name."
    if path.suffix.lower() == ".gz" and not start.startswith(b"\x1f\x8b"):
        return "Its name ends in .gz but it is not compressed: if it is whole, take “.gz” off its name."
    return "The file is damaged or cut short, or another format: copy or export it again."


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).rstrip(".")
