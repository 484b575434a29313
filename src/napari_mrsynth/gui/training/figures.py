"""What is seen of one training while it runs: losses, errors, the newest picture, how far it is."""

from __future__ import annotations

import math
from pathlib import Path

from napari_mrsynth.gui.training.curves import Point, Tail, newest_sample, step_in
from napari_mrsynth.gui.training.tasks import TRAININGS, FineTuneTask, Task


class Figures:
    """The figures of a task; those of a training are read from its run folder, a fine-tuning tells its own.

    Parameters
    ----------
    task : Task or None
        None while nothing has been started.

    Attributes
    ----------
    losses, errors : list of (step, value)
        Of what is learnt from, and of the held-out patients.
    error_name : str
        What the errors are called in the log; empty where that is not known yet.
    sample : Path or None
        The newest picture.
    step, steps : int
        The last one taken, 0 before the first, and how many are to be taken.
    """

    def __init__(self, task: Task | None = None) -> None:
        self._task = task
        self._tails: tuple[Tail, Tail] | None = None
        self.losses: list[Point] = []
        self.errors: list[Point] = []
        self.error_name = ""
        self.sample: Path | None = None
        self.step, self.steps = 0, task.steps if task is not None else 0
        if isinstance(task, TRAININGS):
            log = task.folder / "log"
            self._tails = (Tail(log / "metrics.csv", "loss"), Tail(log / "held_out.csv"))

    def read(self) -> bool:
        """Read what the training has written; return whether there was anything new."""
        task = self._task
        if self._tails is None or not isinstance(task, TRAININGS):
            return False
        loss, error = self._tails
        new = any([loss.read(), error.read()])
        sample = newest_sample(task.folder)
        if not new and sample == self.sample:
            return False
        self.losses, self.errors, self.error_name = loss.points, error.points, error.name
        self.sample = sample
        return True

    def hear(self, message: str) -> bool:
        """Take the step out of a message of progress; return whether a loss came with it that counts."""
        found = step_in(message)
        if found is None:
            return False
        self.step, self.steps, loss = found
        if not isinstance(self._task, FineTuneTask) or not math.isfinite(loss):
            return False
        self.losses.append((self.step, loss))
        return True

    def find_picture(self) -> bool:
        """Take the picture that a fine-tuning draws at its end; return whether there is one."""
        picture = self._task.picture if isinstance(self._task, FineTuneTask) else None
        if picture is None or not picture.is_file():
            return False
        self.sample = picture
        return True
