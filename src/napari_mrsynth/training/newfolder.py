"""A folder made whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_mrsynth.errors import OutputError


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `target` on success and disappears on failure.

    Raises
    ------
    OutputError
        If `target` is there and not an empty folder, or cannot be written.
    """
    if target.exists() and (target.is_file() or any(target.iterdir())):
        raise OutputError(f"{target} is there already.", hint="Remove it, or choose another folder.")
    fresh: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        fresh.chmod(0o755)
        yield fresh
        if target.exists():
            target.rmdir()
        fresh.rename(target)
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written: {error.strerror or error}.", hint="Choose another folder."
        ) from error
    finally:
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)
