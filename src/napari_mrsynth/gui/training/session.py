"""What the “Training” dock works on: patients, one training at a time, its figures. Neither Qt nor napari."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from platformdirs import user_data_path
from psygnal import Signal

from napari_mrsynth.errors import MrsynthError
from napari_mrsynth.gui.training import telling
from napari_mrsynth.gui.training.figures import Figures
from napari_mrsynth.gui.training.listing import Listing, Scratch
from napari_mrsynth.gui.training.patients import DataFolder, Patient, copying, looking, looking_through
from napari_mrsynth.gui.training.process import Ended, Process
from napari_mrsynth.gui.training.tasks import (
    TRAININGS,
    FineTuneTask,
    ResumeTask,
    Task,
    checkpoint_in,
    unfinished,
)
from napari_mrsynth.gui.training.telling import Phase, Said
from napari_mrsynth.progress import Progress, sentence
from napari_mrsynth.session import Status
from napari_mrsynth.session.job import Executor, Failed, ImmediateExecutor, Ok, Outcome, Work
from napari_mrsynth.session.runner import Runner
from napari_mrsynth.session.work import simply

if TYPE_CHECKING:
    from napari_mrsynth.imaging.study import Study

T = TypeVar("T")

INTERRUPTED = 130
_READY = Said(Phase.READY, "Ready.", "Start when the list is right.")


class Mode(Enum):
    """What is to be done."""

    FINE_TUNE = "fine-tune"
    TRAIN = "train"


class TrainingSession:
    """What is known of the patients, and the one training that runs.

    Invariant: at most one process and one job run; a process is told to end once.

    Parameters
    ----------
    process : Process
        Where trainings run.
    executor : Executor, optional
        Where folders are looked through; the caller's thread if not given.
    home : Path, optional
        Where runs and models are kept; the user's data folder if not given.
    """

    patients_changed: ClassVar[Signal] = Signal()
    said_changed: ClassVar[Signal] = Signal(Said)
    figures_changed: ClassVar[Signal] = Signal()
    fine_tuned: ClassVar[Signal] = Signal(object)
    model_made: ClassVar[Signal] = Signal(str)

    def __init__(self, process: Process, executor: Executor | None = None, home: Path | None = None) -> None:
        self.mode = Mode.FINE_TUNE
        self.cohort: tuple[Patient, ...] = ()
        self.data: DataFolder | None = None
        self.said = telling.NOBODY
        self._refusal: Said | None = None
        self._ends: dict[Mode, tuple[Said, Task | None]] = {}
        self.task: Task | None = None
        self.figures = Figures()
        self._home = home or user_data_path("napari-mrsynth", appauthor=False)
        self._process = process
        self._runner = Runner(executor or ImmediateExecutor(), self._say_looking)
        self._running = False
        self._stopping = False
        self._checkpoint: int | None = None
        self._scratch = Scratch()
        self._listing = Listing(self._scratch)
        self._pictures = 0

    @property
    def running(self) -> bool:
        """Whether a process runs."""
        return self._running

    @property
    def busy(self) -> bool:
        """Whether a process or a look through folders runs."""
        return self._running or self._runner.busy

    @property
    def runs(self) -> Path:
        """Where the run folders are."""
        return self._home / "runs"

    def choose(self, mode: Mode) -> None:
        """Choose what is to be done; how the last of its kind ended is said again."""
        self.mode = mode
        if not self.busy:
            said, task = self._ends.get(mode, (None, None))
            if said is not None and task is not self.task:  # what was drawn is of the other
                self.task, self.figures = task, Figures(task)
                self.figures.read()
                self.figures.find_picture()
            self.figures_changed.emit()
            self._say(said or self.situation())

    @property
    def can_resume(self) -> bool:
        """Whether the last training was interrupted, left a checkpoint, and can go on from it."""
        return not self.busy and self._resumable_end() is not None

    @property
    def has_checkpoint(self) -> bool:
        """Whether the training that runs, or ran last, left something to go on from."""
        return self._checkpoint_time() is not None

    # ------------------------------------------------------------------ patients

    @property
    def mine(self) -> tuple[Patient, ...]:
        """Who is listed for fine-tuning."""
        return self._listing.patients

    def add(self, folders: Sequence[Path]) -> None:
        """Look at folders of single patients and list them for fine-tuning.

        Raises
        ------
        InputError
            If one cannot stand beside who is listed; see `Listing.refuse_listed`.
        """
        self._listing.refuse_listed(folders)
        given = [(folder.name, folder) for folder in folders]
        self._start("Looking at the patients …", lambda: looking(given), self._list)

    def take(self, study: Study) -> None:
        """List the patient that is open in the Synthesis dock, as a copy in a temporary folder.

        Raises
        ------
        InputError
            If the patient, or another session of the same person, is listed.
        """
        folder = self._listing.room_for(study.name)
        self._start(f"Copying {study.name} …", lambda: copying(study, folder), self._list)

    def remove(self, name: str) -> None:
        """Take a patient off the list for fine-tuning."""
        self._refuse_while_busy("remove a patient")
        self._listing.remove(name)
        self.patients_changed.emit()
        self._say(self.situation())

    def look_through(self, data: DataFolder) -> None:
        """Look through a data folder for a training."""

        def show(found: tuple[Patient, ...]) -> None:
            self.data, self.cohort = data, found
            self.patients_changed.emit()

        self._refuse_while_busy("look at other patients")
        if self.data is not None and self.data.root == data.root:  # who was found is found no longer
            self.cohort = ()
            self.patients_changed.emit()
        self._start(f"Looking through {data.root.name} …", lambda: looking_through(data), show)

    def new_picture(self) -> Path:
        """Return where the next fine-tuning can draw; it is gone with the session."""
        self._pictures += 1
        return self._scratch.folder / "pictures" / f"before-and-after-{self._pictures}.png"

    def _list(self, found: tuple[Patient, ...]) -> None:
        self._listing.add(found)
        self.patients_changed.emit()

    # ------------------------------------------------------------------ the training

    def start(self, task: Task) -> None:
        """Start a training, or go on with the one whose run folder it names.

        Raises
        ------
        MrsynthError
            If something is running.
        """
        self._refuse_while_busy("start a training")
        self.task = task
        self._ends.pop(self.mode, None)
        self.figures = Figures(task)
        self._stopping, self._checkpoint = False, None
        self._running = True
        self.figures_changed.emit()
        self._say(Said(Phase.RUNNING, "Starting …", progress=Progress(0.0, "Starting")))
        self._process.start(task.arguments, self._told, self._ended)

    def resume(self) -> None:
        """Go on with the training that was paused, stopped or broke off."""
        if isinstance(self.task, TRAININGS) and self.can_resume:
            self.start(self.task)

    def unfinished(self) -> tuple[ResumeTask, ...]:
        """Return the trainings that can be gone on with, whoever interrupted them, newest first."""
        return unfinished(self.runs)

    def pause(self) -> None:
        """End the process as soon as it has written a checkpoint; before its first step, at once."""
        if not self._running or self._stopping or not isinstance(self.task, TRAININGS):
            return
        self._checkpoint = self._checkpoint_time()
        seen, progress = self.figures, self.said.progress
        left = None if progress is None else progress.seconds_left
        due = telling.next_checkpoint(seen.step, seen.steps, self.task.checkpoint_every, left)
        hint = f"{due}Nothing that was learnt is lost."
        self._say(Said(Phase.PAUSING, "Pausing at the next checkpoint …", hint, progress))
        if not self.figures.step:
            self._interrupt()

    def stop(self) -> None:
        """End now what runs; what was learnt since the last checkpoint is lost."""
        if self._runner.busy:
            self._runner.cancel()
            self._say(self.situation())
        if self._running and not self._stopping:
            self._say(Said(Phase.STOPPING, "Stopping …", progress=self.said.progress))
            self._interrupt()

    def close(self) -> None:
        """End everything without a word."""
        self._runner.cancel()
        self._process.kill()
        self._running = False
        self._scratch.remove()

    def tick(self) -> None:
        """Read what the training has written; called every now and then while it runs."""
        if self.figures.read():
            self.figures_changed.emit()
        if self.said.phase is Phase.PAUSING and self._running and not self._stopping:
            written = self._checkpoint_time()
            if written is not None and written != self._checkpoint:
                self._interrupt()

    def situation(self) -> Said:
        """Say how things stand before a training; one that can be gone on with stays offered."""
        end = self._resumable_end()
        if end is not None:
            return end
        if self.mode is Mode.FINE_TUNE:
            return _READY if self.mine else telling.NOBODY
        return _READY if self.cohort else telling.NO_DATA

    def report(self, error: MrsynthError) -> None:
        """Say that something the user asked for cannot be done."""
        if not self._running:
            self._refuse(error.message, error.hint)

    def forget_refusal(self) -> None:
        """Say how things stand where a refusal is still said; for when the user did something else."""
        if self.said is self._refusal and not self.busy:
            self._say(self.situation())

    # ------------------------------------------------------------------ inside

    def _interrupt(self) -> None:
        self._stopping = True
        self._process.interrupt()

    def _resumable_end(self) -> Said | None:
        end, _ = self._ends.get(self.mode, (None, None))
        return end if end is not None and end.resumable and self.has_checkpoint else None

    def _checkpoint_time(self) -> int | None:
        if not isinstance(self.task, TRAININGS):
            return None
        with suppress(OSError):
            return checkpoint_in(self.task.folder).stat().st_mtime_ns
        return None

    def _told(self, progress: Progress) -> None:
        if self.figures.hear(progress.message):
            self.figures_changed.emit()
        if self.said.phase in (Phase.PAUSING, Phase.STOPPING):  # the last steps do not take the word back
            self._say(replace(self.said, progress=progress))
        else:
            self._say(Said(Phase.RUNNING, sentence(progress.message), progress=progress))

    def _ended(self, ended: Ended) -> None:
        self._running = False
        self.tick()
        if self.figures.find_picture():
            self.figures_changed.emit()
        asked, pausing = self._stopping, self.said.phase is Phase.PAUSING
        if ended.exit_code == 0 and not ended.crashed and ended.report:
            self._finish(ended.report)
        elif isinstance(self.task, FineTuneTask) and ended.report.get("rolled_back"):
            self.fine_tuned.emit(ended.report)
            self._say_end(telling.fine_tuned(ended.report))
        elif asked and (ended.crashed or ended.exit_code == INTERRUPTED):
            self._say_end(self._interrupted(paused=pausing))
        else:
            self._say_end(telling.failure(ended, can_resume=self.has_checkpoint))

    def _interrupted(self, *, paused: bool) -> Said:
        if isinstance(self.task, FineTuneTask):
            return Said(Phase.READY, "Stopped. Nothing was written.")
        where = f" at step {self.figures.step}" if self.figures.step else " before the first step"
        word = "Paused" if paused else "Stopped"
        if not self.has_checkpoint:
            return Said(Phase.READY, f"{word}{where}.", "There is no checkpoint yet: Start begins anew.")
        hint = "Resume goes on from the last checkpoint, also after a restart."
        return Said(Phase.PAUSED, f"{word}{where}.", hint, resumable=True)

    def _finish(self, report: Mapping[str, Any]) -> None:
        if isinstance(self.task, FineTuneTask):
            self.fine_tuned.emit(report)
            self._say_end(telling.fine_tuned(report))
            self.model_made.emit(Path(report["bundle"]).name)
            return
        bundle = Path(report["bundle"])

        def ended(outcome: Outcome[None]) -> None:
            why = outcome.message if isinstance(outcome, Failed) else ""
            self._say_end(telling.trained(report, bundle.name, why))
            if not why:
                self.model_made.emit(bundle.name)

        self._runner.start("Putting the model on the list …", partial(self._putting, bundle), ended)

    def _putting(self, bundle: Path) -> Generator[Progress, None, None]:
        return simply(lambda: _copy(bundle, self._home / "models" / bundle.name))

    def _start(self, doing: str, begin: Work[T], done: Callable[[T], None]) -> None:
        self._refuse_while_busy("look at other patients")

        def ended(outcome: Outcome[T]) -> None:
            if isinstance(outcome, Ok):
                done(outcome.value)
                self._say(self.situation())
            elif isinstance(outcome, Failed):
                self._refuse(outcome.message, outcome.hint)

        self._runner.start(doing, begin, ended)

    def _say_looking(self, status: Status) -> None:
        self._say(Said(Phase.LOOKING, status.message, status.hint, status.progress))

    def _say_end(self, said: Said) -> None:
        self._ends[self.mode] = (said, self.task)
        self._say(said)

    def _refuse(self, message: str, hint: str) -> None:
        self._refusal = Said(Phase.FAILED, message, hint)
        self._say(self._refusal)

    def _say(self, said: Said) -> None:
        self.said = said
        self.said_changed.emit(said)

    def _refuse_while_busy(self, what: str) -> None:
        if self.busy:
            raise MrsynthError(
                f"Cannot {what} now: {self.said.message}", hint="Wait for it to end, or stop it."
            )


def _copy(bundle: Path, target: Path) -> None:
    from napari_mrsynth.training.newfolder import new_folder

    with new_folder(target) as fresh:
        shutil.copytree(bundle, fresh, dirs_exist_ok=True)
