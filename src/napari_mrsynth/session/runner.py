"""Who runs the session's work: one job and one preview at a time; what was dropped is not heard of again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from napari_mrsynth.progress import Progress
from napari_mrsynth.session.job import Executor, Job, Outcome, Work
from napari_mrsynth.session.status import State, Status

T = TypeVar("T")


class Runner:
    """Starts work on an executor and says how far it is.

    Invariant: at most one job and one preview; neither steps nor the outcome of a job or preview that was
    dropped reach anybody, even where its thread is still on its way out.

    Parameters
    ----------
    executor : Executor
        Where the work runs.
    say : callable
        Called with a busy status when a job starts and with each of its steps.
    """

    def __init__(self, executor: Executor, say: Callable[[Status], None]) -> None:
        self._executor = executor
        self._say = say
        self._job: Job[Any] | None = None
        self._preview: Job[Any] | None = None

    @property
    def busy(self) -> bool:
        """Whether a job is running (a preview does not count)."""
        return self._job is not None

    @property
    def asynchronous(self) -> bool:
        """Whether work runs beside the caller."""
        return self._executor.asynchronous

    def start(
        self,
        doing: str,
        begin: Work[T],
        ended: Callable[[Outcome[T]], None],
        on_step: Callable[[Any], None] | None = None,
    ) -> None:
        """Start a job in place of a preview that is being made; nobody may be busy.

        Parameters
        ----------
        doing : str
            What to say while it runs.
        begin : callable
            The work; each of its steps is a :class:`Progress` or has one as its `progress`.
        ended : callable
            Called with the outcome, when the runner is free again.
        on_step : callable, optional
            Called with each step, after its progress was said.
        """
        self.forget_preview()

        def step_taken(step: Any) -> None:
            if self._job is not job:
                return
            progress = step if isinstance(step, Progress) else step.progress
            hint = "" if doing.startswith(progress.message) else progress.message
            self._say(Status(State.BUSY, doing, hint, progress))
            if on_step is not None:
                on_step(step)

        def job_ended(outcome: Outcome[T]) -> None:
            if self._job is job:
                self._job = None
                ended(outcome)

        job: Job[T] = Job(begin, step_taken, job_ended)
        self._job = job
        self._say(Status(State.BUSY, doing, progress=Progress(0.0, doing)))
        self._executor.run(job)

    def cancel(self) -> None:
        """Ask the running job, if any, to stop, and forget it."""
        if self._job is not None:
            self._job.cancel()
            self._job = None

    def preview(self, begin: Work[T], ended: Callable[[Outcome[T]], None]) -> None:
        """Start a preview in place of the one that is being made; it says nothing while it runs."""
        self.forget_preview()

        def preview_ended(outcome: Outcome[T]) -> None:
            if self._preview is job:
                self._preview = None
                ended(outcome)

        job: Job[T] = Job(begin, on_end=preview_ended)
        self._preview = job
        self._executor.run(job)

    def forget_preview(self) -> None:
        """Ask the preview that is being made, if any, to stop, and forget it."""
        if self._preview is not None:
            self._preview.cancel()
            self._preview = None
