"""Removing layers without the pause that comes with it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def left_for_later() -> Iterator[None]:
    """Spare what is done inside a search of the whole program for garbage.

    napari calls ``gc.collect()`` whenever a layer is removed, against a fault of OpenGL drivers on Windows.
    With torch imported that takes a fifth of a second per layer, in which the window does not answer. On
    other systems everything alive is hidden from that search and shown again afterwards; Python's own, later
    searches find what was left. Where somebody else has frozen objects, nothing is done.
    """
    if sys.platform == "win32" or gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
