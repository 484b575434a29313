"""Samples are made in steps, so that a window can show progress and stop them between two steps."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from napari_mrsynth.progress import Progress

Made = TypeVar("Made")
Steps = Generator[Progress, None, Made]
"""Yields progress and returns what was made; closing it stops the work."""


def finish(steps: Steps[Made]) -> Made:
    """Run the steps to their end and return what they made."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            made: Made = end.value
            return made
