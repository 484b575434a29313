"""How things stand in the “Lesion studio” dock: what is chosen, what runs, and the sentence about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
from psygnal import Signal

from napari_mrsynth.errors import InputError, LabelError
from napari_mrsynth.imaging.study import BrainMask
from napari_mrsynth.imaging.volume import LabelVolume, Volume
from napari_mrsynth.lesions import LabelSet, LesionLibrary, LesionShape, PlacedLesion, Placement, label_set
from napari_mrsynth.session import State, Status
from napari_mrsynth.session.job import Executor, Failed, ImmediateExecutor, Ok, Outcome, Work
from napari_mrsynth.session.runner import Runner

T = TypeVar("T")

_EMPTY = Status(
    State.EMPTY, "No scan is chosen.", "Open one (File > Open, or the Synthesis dock) and choose it above."
)


@dataclass(frozen=True, eq=False)
class Ghost:
    """A shape where it would be stamped.

    Attributes
    ----------
    placed : PlacedLesion
    refusal : LabelError or None
        Why it cannot be stamped there.
    """

    placed: PlacedLesion
    refusal: LabelError | None = None


@dataclass(frozen=True)
class Measured:
    """What has been painted.

    Attributes
    ----------
    volumes_ml : mapping of int to float
        By class.
    outside_ml : float
        How much of it lies outside the brain.
    """

    volumes_ml: dict[int, float]
    outside_ml: float


class LesionSituation:
    """What the user has chosen and what is running; what can be done with it is the session's.

    Invariant: at most one job runs; a shape has a placement; the ghost is the shape at its placement, or None
    while it is being computed.

    Parameters
    ----------
    executor : Executor, optional
        Where work runs; the caller's thread if not given.
    """

    choice_changed: ClassVar[Signal] = Signal()
    status_changed: ClassVar[Signal] = Signal(Status)
    ghost_changed: ClassVar[Signal] = Signal(object)
    labels_ready: ClassVar[Signal] = Signal(LabelVolume)
    measured: ClassVar[Signal] = Signal(Measured)
    stamped: ClassVar[Signal] = Signal(PlacedLesion)

    def __init__(self, executor: Executor | None = None) -> None:
        self.volume: Volume | None = None
        self.brain: BrainMask | None = None
        self.classes: LabelSet = label_set("tumour")
        self.library: LesionLibrary | None = None
        self.lesion: LesionShape | None = None
        self.part: int | None = None
        self.placement: Placement | None = None
        self.ghost: Ghost | None = None
        self._measured: Measured | None = None
        self.status = _EMPTY
        self.executor = executor = executor or ImmediateExecutor()
        self._runner = Runner(executor, self.say)
        self._measuring = Runner(executor, self.say)

    @property
    def busy(self) -> bool:
        """Whether a job is running."""
        return self._runner.busy

    @property
    def shape(self) -> LesionShape | None:
        """The lesion, or the part of it, that is chosen."""
        if self.lesion is None or self.part is None:
            return self.lesion
        return self.lesion.parts[self.part]

    def start(
        self,
        doing: str,
        begin: Work[T],
        done: Callable[[T], None],
        on_step: Callable[[Any], None] | None = None,
    ) -> None:
        """Run a job beside the window and say how far it is; `done` gets what it returned.

        Raises
        ------
        InputError
            If another one is running.
        """
        self.refuse_while_busy("start another")

        def ended(outcome: Outcome[T]) -> None:
            if isinstance(outcome, Ok):
                done(outcome.value)
            elif isinstance(outcome, Failed):
                self.say(Status(State.FAILED, outcome.message, outcome.hint))
            else:
                self._settle()

        self._runner.start(doing, begin, ended, on_step)

    # ------------------------------------------------------------------ for the session

    def _settle(self) -> None:
        if self.volume is None:
            self.say(_EMPTY)
        elif self.brain is None:
            self.say(
                Status(State.BLOCKED, "The brain has not been found.", "Choose the scan again, or another.")
            )
        elif self.ghost is not None and self.ghost.refusal is not None:
            refusal = self.ghost.refusal
            self.say(Status(State.BLOCKED, refusal.message, refusal.hint))
        elif self.ghost is not None and self.shape is not None:
            millilitres = self.ghost.placed.voxels * float(np.prod(self.volume.grid.spacing)) / 1000
            size = f"{millilitres:.1f} ml" if millilitres >= 1 else f"{millilitres:.2f} ml"
            self.say(Status(State.READY, f"“{self.ghost.placed.name}” ({size}) fits.", "Press Stamp lesion."))
        else:
            self.say(Status(State.READY, "Ready to paint.", f"Brain: {self.brain.how}."))

    def say(self, status: Status) -> None:
        """Say how things stand now."""
        self.status = status
        self.status_changed.emit(status)

    def _require_brain(self, purpose: str) -> tuple[Volume, BrainMask]:
        if self.volume is None or self.brain is None:
            raise InputError(f"There is no brain to {purpose} in.", hint="Choose a scan first.")
        return self.volume, self.brain

    def _require_library(self) -> LesionLibrary:
        if self.library is None:
            raise InputError("No library of lesions is open.", hint="Open a folder of lesion maps first.")
        return self.library

    def refuse_while_busy(self, purpose: str) -> None:
        """Refuse what would change what a running job works on.

        Raises
        ------
        InputError
            If one is running.
        """
        if self.busy:
            raise InputError(
                f"Something is running: one cannot {purpose} now.", hint="Wait for it, or press Cancel."
            )
