"""Keep a folder to one process: a lock the system takes back when its holder ends, however it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_mrsynth.errors import ConfigError

LOCK = ".lock"
"""The file in a folder that is held."""


@contextmanager
def alone_in(
    folder: Path, what: str, hint: str, wait_s: float = 10.0, waiting: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold a folder while the block runs; on a disk that knows no locks, just run it.

    Parameters
    ----------
    folder : Path
        Which exists.
    what : str
        What may run there once only: "training".
    hint : str
        What to do while another one runs.
    wait_s : float
        How long to wait for another one; by default for one that is just ending.
    waiting : callable, optional
        Called once where there is another one to wait for.

    Raises
    ------
    ConfigError
        If another one holds the folder.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if waiting is not None:
                waiting()
            lock.acquire(timeout=wait_s)
    except Timeout as error:
        raise ConfigError(f"Another {what} runs in {folder}.", hint=hint) from error
    except (OSError, NotImplementedError):
        pass  # a disk that knows no locks
    try:
        yield
    finally:
        lock.release()
