"""Runs a session's jobs in worker threads, one after the other; the news comes on the window's thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from typing import Any

from napari.qt.threading import thread_worker
from qtpy.QtCore import QObject, Signal, Slot

from napari_mrsynth.gui.warmup import warm_up
from napari_mrsynth.session.job import Cancelled, Job, Outcome, drive

QUIET_S = 0.05
"""Steps that follow one another faster are not told, unless they carry something to show."""


class _Relay(QObject):
    """Carries a job's steps and outcome across threads: its slots run on the thread it was made on."""

    stepped = Signal(object)
    ended = Signal(object)

    def __init__(self, job: Job[Any], release: Callable[[], None]) -> None:
        super().__init__()
        self._job = job
        self._release = release
        self.stepped.connect(self._step)
        self.ended.connect(self._end)

    @Slot(object)
    def _step(self, step: object) -> None:
        self._job.on_step(step)

    @Slot(object)
    def _end(self, outcome: Outcome[Any]) -> None:
        self._release()
        self._job.on_end(outcome)


class QtExecutor:
    """Runs each job as a generator worker of napari's.

    Jobs wait for one another: one that was cancelled lets go at its next step, and the one after it then
    has the engine to itself.
    """

    asynchronous = True

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._running: set[_Relay] = set()

    def run(self, job: Job[Any]) -> None:
        """Start `job` and return at once."""
        relay = _Relay(job, lambda: self._running.discard(relay))
        self._running.add(relay)
        self._work(job, relay).start()

    @thread_worker(start_thread=False)
    def _work(self, job: Job[Any], relay: _Relay) -> Generator[None, None, None]:
        outcome: Outcome[Any] = Cancelled()
        while not self._turn.acquire(timeout=0.05):
            if job.is_cancelled():
                relay.ended.emit(outcome)
                return
            yield
        try:
            warm_up()
            steps, told = drive(job), 0.0
            try:
                while True:
                    try:
                        step = next(steps)
                    except StopIteration as end:
                        outcome = end.value
                        break
                    if getattr(step, "planes", None) or time.monotonic() - told > QUIET_S:
                        told = time.monotonic()
                        relay.stepped.emit(step)
                    yield
            finally:
                steps.close()
        finally:
            self._turn.release()
            relay.ended.emit(outcome)

    @property
    def idle(self) -> bool:
        """Whether no job is running or waiting."""
        return not self._running
