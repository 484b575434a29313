"""Layers that come and go one by one, so that the window answers in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from qtpy.QtCore import QTimer

_END = object()

PAUSE_MS = 10
"""Between two steps: what was drawn anew, clicked or typed meanwhile comes first."""


class Arrival:
    """Takes steps with a pause after each.

    Parameters
    ----------
    arrived : callable
        Called when all steps of an iterator have been taken.
    """

    def __init__(self, arrived: Callable[[], None]) -> None:
        self._arrived = arrived
        self._coming: Iterator[None] | None = None

    def begin(self, coming: Iterator[None], *, at_once: bool) -> None:
        """Take the steps of `coming` soon, between other events, or all of them `at_once`."""
        self._coming = coming
        if at_once:
            self.finish()
        else:
            QTimer.singleShot(PAUSE_MS, self._step)

    def finish(self) -> None:
        """Take all steps that are still to come, now."""
        if self._coming is not None:
            coming, self._coming = self._coming, None
            for _ in coming:
                pass
            self._arrived()

    def forget(self) -> None:
        """Take no more steps."""
        self._coming = None

    def _step(self) -> None:
        if self._coming is None:
            return
        if next(self._coming, _END) is _END:
            self._coming = None
            self._arrived()
        else:
            QTimer.singleShot(PAUSE_MS, self._step)
