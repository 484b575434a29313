"""Write a file whole or not at all: a temporary beside it, renamed when everything went well."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_mrsynth.errors import OutputError

_HINTS = {
    errno.ENOSPC: "The disk is full: free some space or choose another folder.",
    errno.EDQUOT: "Your disk quota is used up: free some space or choose another folder.",
    errno.EROFS: "The disk is read-only: choose another folder.",
    errno.EACCES: "You may not write there: choose another folder.",
    errno.EPERM: "You may not write there: choose another folder.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.ENOTDIR: "A file stands where a folder is needed: choose another folder.",
    errno.EEXIST: "A file stands where a folder is needed: choose another folder.",
    errno.EISDIR: "A folder of that name exists: choose another name.",
}


def require_makeable(folder: Path, hint: str = "Choose another folder.") -> None:
    """Refuse a folder that could not be written to, or could not be made; nothing is made yet.

    Parameters
    ----------
    folder : Path
    hint : str
        What to do instead.

    Raises
    ------
    OutputError
        Naming the folder, and what stands in the way.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise OutputError(f"{folder} cannot be made: {there} is a file.", hint=hint)
    if not os.access(there, os.W_OK):
        raise OutputError(f"{folder} cannot be written: {there} is read-only.", hint=hint)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path that becomes `path` on success and disappears on failure.

    The temporary lies in the same folder (which is made where it is missing), keeps the extensions of
    `path`, and is flushed to the disk before it is renamed, so that a crash leaves the old file or the
    new one, never half of one.

    Parameters
    ----------
    path : path-like
        The file to make or to replace.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    OutputError
        If the operating system refuses, for example on a read-only or full disk.
    """
    target = Path(path)
    temporary = target.with_name(f".{secrets.token_hex(4)}.part.{target.name}"[-255:])
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush(temporary)
        os.replace(temporary, target)
    except OSError as error:
        raise OutputError(
            f"“{target}” cannot be written: {error.strerror or error}.",
            hint=_HINTS.get(error.errno or 0, "Choose another folder, and look whether the disk is well."),
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
