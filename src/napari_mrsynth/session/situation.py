"""How things stand: all that a view may look at and listen to."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_mrsynth.imaging.study import Study
from napari_mrsynth.io.naming import SOURCE_MAP
from napari_mrsynth.session import work
from napari_mrsynth.session.choices import Choices
from napari_mrsynth.session.outputs import Outputs
from napari_mrsynth.session.painted import PaintedMask
from napari_mrsynth.session.parts import Parts
from napari_mrsynth.session.plan import Plan
from napari_mrsynth.session.rows import ContrastRow, MakeRow, contrast_rows
from napari_mrsynth.session.status import State, Status

if TYPE_CHECKING:
    from napari_mrsynth.bundles import BundleStore, Card
    from napari_mrsynth.synthesis import Request, Result

_SOURCE_MAP_IN_WORDS = {SOURCE_MAP: "source map"}


class Situation:
    """The open study, what is to be made of it, what was made of it, and the last thing said about it.

    Views read it; only :class:`~napari_mrsynth.session.session.SynthesisSession` changes it.

    Parameters
    ----------
    parts : Parts
        The parts of the library it calls.
    choices : Choices
        What to start with.
    cache_bytes : int
        How much memory the engine's cache may hold.
    """

    study_changed = Signal()
    choice_changed = Signal()
    status_changed = Signal(object)
    planes_made = Signal(object)
    previews_dropped = Signal()
    synthesised = Signal(object)
    saved = Signal(object)

    def __init__(self, parts: Parts, choices: Choices, cache_bytes: int) -> None:
        self.parts = parts
        self._cache_bytes = cache_bytes
        self._study: Study | None = None
        self._patient = 0
        self._painted: PaintedMask | None = None
        self._choices = choices
        self._outputs = Outputs()
        self._status = work.idle_status(None, (), ())

    # ------------------------------------------------------------------ what is

    @property
    def study(self) -> Study | None:
        """The patient that is open."""
        return self._study

    @property
    def patient(self) -> int:
        """Which patient of the session it is: each that is opened has a number of its own."""
        return self._patient

    @property
    def rows(self) -> tuple[ContrastRow, ...]:
        """The study as a table."""
        return () if self._study is None else contrast_rows(self._study)

    @property
    def choices(self) -> Choices:
        """What has been chosen for the next synthesis."""
        return self._choices

    @property
    def result(self) -> Result | None:
        """The last synthesis of this study."""
        return self._outputs.last

    @property
    def unsaved(self) -> bool:
        """Whether anything that was made of this study, by whichever synthesis, has not been saved."""
        return bool(self._outputs.unsaved)

    @property
    def unsaved_in_words(self) -> str:
        """What has not been saved, for people: `FLAIR and T1ce`."""
        return work.listed([_SOURCE_MAP_IN_WORDS.get(name, name) for name in self._outputs.unsaved])

    @property
    def status(self) -> Status:
        """What is going on."""
        return self._status

    @property
    def device_in_words(self) -> str:
        """What the device choice comes to; unknown until the engine was needed for the first time."""
        if "torch" not in sys.modules:
            return "decided at the first run"
        return self.parts.device(self._choices.device, self._choices.precision)

    @cached_property
    def store(self) -> BundleStore:
        """The installed models."""
        return self.parts.store()

    @cached_property
    def engine(self) -> Any:
        """The engine, with its cache; made when first needed."""
        return self.parts.engine(self._cache_bytes)

    # ------------------------------------------------------------------ what would be made

    @property
    def plan(self) -> Plan:
        """What the next synthesis would be."""
        return Plan(self.store, self._study, self._choices)

    @property
    def offered(self) -> tuple[str, ...]:
        """The contrasts that the chosen model (or, when automatic, any model) can make."""
        return self.plan.offered

    @property
    def make_rows(self) -> tuple[MakeRow, ...]:
        """What the chosen model can make of this study."""
        return self.plan.make_rows

    @property
    def wanted(self) -> tuple[str, ...]:
        """The contrasts the next synthesis would make."""
        return self.plan.wanted

    @property
    def card(self) -> Card | None:
        """The card of the model the next synthesis would use; None where there is none."""
        return self.plan.card

    @property
    def request(self) -> Request:
        """The next synthesis, as the engine and the command line know it."""
        return self.plan.request

    def why_not(self) -> Status | None:
        """Say why nothing can be synthesised now, or return None where it can."""
        status = work.idle_status(self._study, self.wanted, self.offered)
        if status.state is not State.READY or self._study is None:
            return status
        reason = self.engine.check(self._study, self.request)
        return Status(State.BLOCKED, reason) if reason else None

    # ------------------------------------------------------------------ how it changes, for the session

    def _show(self, plan: Plan) -> None:
        """Take over a plan whose study is another one."""
        self._study, self._choices = plan.study, plan.choices
        self.previews_dropped.emit()
        self.study_changed.emit()
        self._settle_choice()

    def _choose(self, plan: Plan) -> None:
        """Take over a plan of which only the brain mask, what is on and the choices are others."""
        self._study, self._choices = plan.study, plan.choices
        self._settle_choice()

    def _settle_choice(self) -> None:
        self.choice_changed.emit()
        self._settle()

    def _settle(self, message: str = "") -> None:
        """Say how things stand now that nothing is running, after `message` if there is one."""
        status = self.why_not() or work.idle_status(self._study, self.wanted, self.offered)
        self._say(replace(status, message=message, hint=status.message) if message else status)

    def _say(self, status: Status) -> None:
        self._status = status
        self.status_changed.emit(status)
