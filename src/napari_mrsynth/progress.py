"""Progress of long work: a fraction, a sentence, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a piece of work is.

    Attributes
    ----------
    fraction : float
        Done share, 0 to 1.
    message : str
        What is being done, for people.
    seconds_left : float or None
        Estimate of the time left; None while nothing is known.
    """

    fraction: float
    message: str
    seconds_left: float | None = None

    def __str__(self) -> str:
        percent = f"{100 * self.fraction:3.0f} %"
        if self.seconds_left is None:
            return f"{percent}  {self.message}"
        return f"{percent}  {self.message}, {format_seconds(self.seconds_left)} left"


ProgressCallback = Callable[[Progress], None]


def sentence(message: str) -> str:
    """Return a message as it begins a line, its first letter large."""
    return message[:1].upper() + message[1:]


def ended(work: Generator[Any, None, Outcome]) -> Outcome:
    """Run work that tells how far it is to its end, listening to none of it; return its result."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome


class Stopwatch:
    """Turns fractions into :class:`Progress` with an estimate of the time left.

    Parameters
    ----------
    clock : callable, optional
        Returns seconds; replaced in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def at(self, fraction: float, message: str) -> Progress:
        """Progress at `fraction` (0 to 1), the time left extrapolated once 2 % are done."""
        fraction = min(max(fraction, 0.0), 1.0)
        left = self.seconds * (1 - fraction) / fraction if fraction >= 0.02 else None
        return Progress(fraction, message, left)


def format_seconds(seconds: float) -> str:
    """Return `seconds` as people write them: ``8 s``, ``2 min 05 s``, ``1 h 20 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
