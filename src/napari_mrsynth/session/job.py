"""A piece of long work: steps while it runs, one outcome at the end, and a flag that cancels it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Generic, Protocol, TypeVar

from napari_mrsynth.errors import MrsynthError

T = TypeVar("T")
Work = Callable[[], Generator[Any, None, T]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ok(Generic[T]):
    """The work was finished.

    Attributes
    ----------
    value : object
        What it returned.
    """

    value: T


@dataclass(frozen=True)
class Failed:
    """The work stopped at an error.

    Attributes
    ----------
    message : str
        What went wrong, for people.
    hint : str
        What can be done about it; empty when nobody knows.
    expected : bool
        Whether the project raised it on purpose (else it is a bug, and its traceback is in the log).
    """

    message: str
    hint: str = ""
    expected: bool = True


@dataclass(frozen=True)
class Cancelled:
    """The work was cancelled and left nothing behind."""


Outcome = Ok[T] | Failed | Cancelled


def _ignore(_: object) -> None:
    """Take a step or an outcome nobody asked for."""


@dataclass(eq=False)
class Job(Generic[T]):
    """Work, and who wants to hear about it.

    Parameters
    ----------
    work : callable
        Returns a generator that yields steps and returns the result; called where the executor runs it.
    on_step, on_end : callable
        Called on the session's own thread with every step, and once with the outcome.
    """

    work: Work[T]
    on_step: Callable[[Any], None] = _ignore
    on_end: Callable[[Outcome[T]], None] = _ignore
    _stop: Event = field(default_factory=Event, init=False)

    def cancel(self) -> None:
        """Ask the work to stop at its next step; safe from any thread."""
        self._stop.set()

    def is_cancelled(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()


class Executor(Protocol):
    """Where jobs run: a worker thread in the window, the caller's own thread in tests and scripts.

    Attributes
    ----------
    asynchronous : bool
        Whether :meth:`run` returns before the job has ended.
    """

    asynchronous: bool

    def run(self, job: Job[Any]) -> None:
        """Start `job`; its callbacks are called on the thread that called this."""


class ImmediateExecutor:
    """Runs every job to its end before returning."""

    asynchronous = False

    def run(self, job: Job[Any]) -> None:
        """Run `job` here and now."""
        steps = drive(job)
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                job.on_end(end.value)
                return
            job.on_step(step)


def drive(job: Job[T]) -> Generator[Any, None, Outcome[T]]:
    """Run a job's work step by step, turning every way it can end into an outcome.

    The work's generator is closed before a cancelled or failed outcome is returned, so that whatever it
    held is free again.
    """
    if job.is_cancelled():
        return Cancelled()
    steps: Generator[Any, None, T] | None = None
    try:
        steps = job.work()
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                return Cancelled() if job.is_cancelled() else Ok(end.value)
            if job.is_cancelled():
                return Cancelled()
            yield step
            if job.is_cancelled():
                return Cancelled()
    except MrsynthError as error:
        return Failed(error.message, error.hint)
    except MemoryError:
        return Failed(
            "There is not enough memory for this.", "Close other programs, or make fewer contrasts at once."
        )
    except Exception as error:
        _log.exception("A background job failed")
        return Failed(f"{type(error).__name__}: {error}", "This is a bug; please report it.", expected=False)
    finally:
        if steps is not None:
            steps.close()
