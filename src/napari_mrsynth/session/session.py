"""The synthesis session: one study, what to make of it, and the one job that is running.

Views call its methods and listen to its signals. Every method that may take long starts a job on the
executor and returns at once; the signals come on the thread that called the method.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from psygnal import Signal

from napari_mrsynth.errors import ContrastError, MrsynthError, OutputError, SampleError
from napari_mrsynth.imaging.contrasts import canonical
from napari_mrsynth.imaging.study import Study
from napari_mrsynth.imaging.volume import LabelVolume, Volume
from napari_mrsynth.progress import Progress
from napari_mrsynth.session import work
from napari_mrsynth.session.choices import Choices
from napari_mrsynth.session.edit import renamed
from napari_mrsynth.session.job import Cancelled, Executor, Failed, ImmediateExecutor, Job, Ok, Outcome, Work
from napari_mrsynth.session.parts import Parts
from napari_mrsynth.session.rows import ContrastRow, MakeRow, contrast_rows, in_field_order, make_rows
from napari_mrsynth.session.status import State, Status

if TYPE_CHECKING:
    from napari_mrsynth.bundles import BundleStore, Card
    from napari_mrsynth.synthesis import Request, Result

T = TypeVar("T")


class SynthesisSession:
    """What the user has chosen and what is running.

    Invariant: at most one job and one preview run; while a job runs, nothing else can be started and the
    study does not change.

    Parameters
    ----------
    executor : Executor, optional
        Where jobs run; the caller's thread if not given.
    parts : Parts, optional
        The parts of the library it calls.
    choices : Choices, optional
        What to start with (preferences); its `wanted` is replaced when a study is opened.
    cache_bytes : int
        How much memory the engine's cache may hold.
    default_contrast : str
        What to switch off and make of a patient who lacks nothing; empty for nothing.
    """

    study_changed = Signal()
    choice_changed = Signal()
    status_changed = Signal(object)
    planes_made = Signal(object)
    previews_dropped = Signal()
    synthesised = Signal(object)
    saved = Signal(object)

    def __init__(
        self,
        executor: Executor | None = None,
        parts: Parts | None = None,
        choices: Choices | None = None,
        cache_bytes: int = 2**30,
        default_contrast: str = "",
    ) -> None:
        self.parts = parts or Parts()
        self._executor = executor or ImmediateExecutor()
        self._choices = choices or Choices()
        self._cache_bytes = cache_bytes
        self._default_contrast = default_contrast
        self._study: Study | None = None
        self._result: Result | None = None
        self._result_saved = False
        self._job: Job[Any] | None = None
        self._preview: Job[Any] | None = None
        self._status = work.idle_status(None, ())

    # ------------------------------------------------------------------ what is

    @property
    def study(self) -> Study | None:
        """The patient that is open."""
        return self._study

    @property
    def choices(self) -> Choices:
        """What has been chosen for the next synthesis."""
        return self._choices

    @property
    def result(self) -> Result | None:
        """The last synthesis of this study."""
        return self._result

    @property
    def status(self) -> Status:
        """What is going on."""
        return self._status

    @property
    def busy(self) -> bool:
        """Whether a job is running (a preview does not count)."""
        return self._job is not None

    @property
    def asynchronous(self) -> bool:
        """Whether jobs run beside the caller."""
        return self._executor.asynchronous

    @property
    def unsaved(self) -> bool:
        """Whether there is a result that has not been saved."""
        return self._result is not None and not self._result_saved

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

    @property
    def rows(self) -> tuple[ContrastRow, ...]:
        """The study as a table."""
        return () if self._study is None else contrast_rows(self._study)

    @property
    def make_rows(self) -> tuple[MakeRow, ...]:
        """What the chosen model can make of this study."""
        return make_rows(self._study, self.offered, set(self._choices.wanted))

    @property
    def offered(self) -> tuple[str, ...]:
        """The contrasts that the chosen model (or, when automatic, any model) can make."""
        cards = self.store.cards()
        if self._choices.bundle != "auto":
            cards = [card for card in cards if card.id == self._choices.bundle]
        return in_field_order({contrast for card in cards for contrast in card.outputs})

    @property
    def wanted(self) -> tuple[str, ...]:
        """The contrasts the next synthesis would make."""
        return tuple(row.contrast for row in self.make_rows if row.ticked)

    @property
    def card(self) -> Card | None:
        """The card of the model the next synthesis would use; None where there is none."""
        if self._choices.bundle != "auto":
            return next((c for c in self.store.cards() if c.id == self._choices.bundle), None)
        try:
            return self.store.default(self._study.inputs if self._study else (), self.wanted)
        except MrsynthError:
            return next(iter(self.store.cards()), None)

    @property
    def request(self) -> Request:
        """The next synthesis, as the engine and the command line know it."""
        from napari_mrsynth.synthesis import Request

        return Request(
            wanted=self.wanted,
            used=self._study.inputs if self._study else (),
            bundle=self._choices.bundle,
            device=self._choices.device,
            precision=self._choices.precision,
            source_map=self._choices.source_map,
        )

    def why_not(self) -> Status | None:
        """Say why nothing can be synthesised now, or return None where it can."""
        status = work.idle_status(self._study, self.wanted)
        if status.state is not State.READY or self._study is None:
            return status
        reason = self.engine.check(self._study, self.request)
        return Status(State.BLOCKED, reason) if reason else None

    # ------------------------------------------------------------------ the study

    def open(self, specs: Iterable[str | Path]) -> None:
        """Read a patient's folder or files and make the study of them."""
        given = tuple(specs)
        self._start("Opening …", lambda: work.opening(self.parts, given), self._show_new)

    def open_sample(self, name: str) -> None:
        """Open a sample patient by its id."""
        known = {sample.id: sample for sample in self.parts.samples()}
        if name not in known:
            raise SampleError(f"There is no sample {name!r}.", hint=f"Choose one of {', '.join(known)}.")
        sample = known[name]
        self._start(f"Opening {sample.title} …", lambda: work.sampling(self.parts, sample), self._show_new)

    def add(self, volumes: Sequence[Volume], *, mask: LabelVolume | None = None) -> None:
        """Add scans that are already in memory, making a study of them if there is none."""
        given, study = tuple(volumes), self._study
        done = self._show_new if study is None else self._show
        self._start("Adding …", lambda: work.adding(self.parts, study, given, mask), done)

    def close(self) -> None:
        """Forget the patient."""
        self._refuse_while_busy("close the patient")
        self._drop_preview()
        self._study = self._result = None
        self.study_changed.emit()
        self._settle()

    def rename(self, old: str, new: str) -> None:
        """Correct a contrast's name; it is switched on when it was unknown before."""
        study = self._require_study("rename a contrast")
        name = canonical(new)
        if name == old and study.members[old].native.confidence == 1:
            return
        was_unknown = old in study.members and study.members[old].native.confidence == 0
        changed = renamed(study, old, name)
        if was_unknown:
            changed = changed.using(changed.active | {name})
        self._want((self._choices.wanted - {name}) | self._missing(changed) & {old})
        self._show(changed)

    def remove(self, contrast: str) -> None:
        """Take a contrast out of the study."""
        study = self._require_study("remove a contrast")
        if study.contrasts == (contrast,):
            self.close()
            return
        self._start(
            f"Removing {contrast} …",
            lambda: work.simply(lambda: self.parts.remove(study, contrast)),
            self._show,
        )

    def refer_to(self, contrast: str) -> None:
        """Make a contrast's native grid the study's, and resample the others onto it."""
        study = self._require_study("choose a reference")
        self._start(
            f"Resampling onto {contrast} …",
            lambda: work.simply(lambda: self.parts.refer(study, contrast)),
            self._show,
        )

    def use_mask(self, mask: LabelVolume) -> None:
        """Use a label map as the brain mask."""
        study = self._require_study("use a brain mask")
        self._start(
            "Setting the brain mask …", lambda: work.simply(lambda: self.parts.mask(study, mask)), self._show
        )

    def align(self, contrasts: Sequence[str] | None = None) -> None:
        """Estimate how contrasts (all, if None) must be moved to lie on the reference, and move them."""
        study = self._require_study("align")
        what = "all contrasts" if contrasts is None else ", ".join(contrasts)
        self._start(f"Aligning {what} …", lambda: self.parts.align(study, contrasts), self._show)

    def undo_alignment(self, contrast: str) -> None:
        """Put a contrast back to where its header says it lies."""
        study = self._require_study("undo an alignment")
        self._start(
            f"Undoing the alignment of {contrast} …",
            lambda: work.simply(lambda: self.parts.undo_alignment(study, contrast)),
            self._show,
        )

    def switch(self, contrast: str, on: bool) -> None:
        """Switch an input on or off.

        The first contrast switched off while nothing is to be made is ticked for making: that is then
        the only thing switching it off can be for.
        """
        study = self._require_study("switch an input")
        if contrast not in study.members:
            raise ContrastError(f"There is no {contrast} here, only {', '.join(study.members)}.")
        if (contrast in study.active) == on:
            return
        self._study = study.using(study.active | {contrast} if on else study.active - {contrast})
        if on:
            self._choices = replace(self._choices, wanted=self._choices.wanted - {contrast})
        elif not self.wanted and contrast in self.offered:
            self._choices = replace(self._choices, wanted=self._choices.wanted | {contrast})
        self._chosen()

    # ------------------------------------------------------------------ choices

    def want(self, contrast: str, yes: bool) -> None:
        """Tick or untick a contrast to be made."""
        wanted = self._choices.wanted
        self._change(wanted=wanted | {contrast} if yes else wanted - {contrast})

    def use_model(self, bundle: str) -> None:
        """Choose a model by its id, or ``auto``."""
        self._change(bundle=bundle)

    def use_device(self, device: str) -> None:
        """Choose ``auto``, ``cpu``, ``cuda`` or ``mps``."""
        self._change(device=device)

    def use_precision(self, precision: str) -> None:
        """Choose ``auto``, ``fp32`` or ``bf16``."""
        self._change(precision=precision)

    def map_sources(self, yes: bool) -> None:
        """Ask for the map of which scan each voxel came from."""
        self._change(source_map=yes)

    # ------------------------------------------------------------------ synthesis

    def synthesise(self, first_slice: int | None = None) -> None:
        """Make what is ticked from what is on, the axial slice `first_slice` (display order) first."""
        blocked = self.why_not()
        if blocked is not None:
            self._say(blocked)
            return
        study, request = self._require_study("synthesise"), self.request
        self._drop_preview()
        self._start(
            f"Making {', '.join(request.wanted)} from {', '.join(request.used)} …",
            lambda: self.engine.run(study, request, first_slice=first_slice),
            self._finish,
            on_step=self._show_planes,
        )

    def preview(self, display_slice: int) -> None:
        """Make one axial slice of what is ticked; a preview that is still running is forgotten."""
        self.forget_preview()
        if self.busy or self._study is None or self.why_not() is not None:
            self.previews_dropped.emit()
            return
        study, request = self._study, self.request

        def made(outcome: Outcome[Mapping[str, Any]]) -> None:
            if self._preview is not job:
                return
            self._preview = None
            if isinstance(outcome, Ok):
                self.planes_made.emit({c: (display_slice, plane) for c, plane in outcome.value.items()})
            elif isinstance(outcome, Failed):
                self._say(Status(State.FAILED, f"No preview: {outcome.message}", outcome.hint))

        job: Job[Mapping[str, Any]] = Job(
            lambda: work.simply(lambda: self.engine.preview(study, request, display_slice)), on_end=made
        )
        self._preview = job
        self._executor.run(job)

    def forget_preview(self) -> None:
        """Stop the preview that is being made, if any; what is shown stays."""
        if self._preview is not None:
            self._preview.cancel()
            self._preview = None

    def cancel(self) -> None:
        """Stop the running job now; what it had begun is dropped."""
        if self._job is None:
            return
        self._job.cancel()
        self._job = None
        self.previews_dropped.emit()
        self._settle(f"Cancelled: {self._status.message.rstrip(' …')}. Nothing was changed.")

    # ------------------------------------------------------------------ saving

    def targets(self, folder: Path) -> dict[str, Path]:
        """Return where each contrast of the last result would be saved in `folder`."""
        if self._result is None or self._study is None:
            raise OutputError("There is nothing to save yet.", hint="Synthesise first.")
        patient = self._study.name
        return {
            contrast: folder / self.parts.file_name(patient, contrast) for contrast in self._result.outputs
        }

    def save(self, folder: Path, *, overwrite: bool = False) -> None:
        """Write the last result into `folder`, each contrast with its provenance.

        Raises
        ------
        OutputError
            If there is no result, or a file exists and `overwrite` is False.
        """
        result, targets = self._result, self.targets(folder)
        if result is None:
            return
        existing = [path.name for path in targets.values() if path.exists()]
        if existing and not overwrite:
            raise OutputError(
                f"{', '.join(existing)} is already in {folder}.", hint="Choose another folder, or overwrite."
            )
        self._start("Saving …", lambda: work.saving(self.parts, result, targets), self._tell_saved)

    def report(self, error: MrsynthError) -> None:
        """Say that something the user asked for cannot be done; what was chosen stays."""
        self._say(Status(State.FAILED, error.message, error.hint))

    # ------------------------------------------------------------------ inside

    def _start(
        self,
        doing: str,
        begin: Work[T],
        done: Callable[[T], None],
        on_step: Callable[[Any], None] | None = None,
    ) -> None:
        self._refuse_while_busy(doing.rstrip(" …").lower())
        self.forget_preview()

        def stepped(step: Any) -> None:
            if self._job is not job:
                return
            progress = step if isinstance(step, Progress) else step.progress
            hint = "" if doing.startswith(progress.message) else progress.message
            self._say(Status(State.BUSY, doing, hint, progress))
            if on_step is not None:
                on_step(step)

        def ended(outcome: Outcome[Any]) -> None:
            if self._job is not job:
                return
            self._job = None
            if isinstance(outcome, Ok):
                done(outcome.value)
            elif isinstance(outcome, Failed):
                self.previews_dropped.emit()
                self._say(Status(State.FAILED, outcome.message, outcome.hint))
            elif isinstance(outcome, Cancelled):
                self._settle()

        job: Job[Any] = Job(begin, stepped, ended)
        self._job = job
        self._say(Status(State.BUSY, doing, progress=Progress(0.0, doing)))
        self._executor.run(job)

    def _show_new(self, study: Study) -> None:
        self._result = None
        wanted = self._missing(study)
        study = self._usable(study)
        default = self._default_contrast
        if not wanted and default in study.active and len(study.active) > 1:
            wanted, study = frozenset({default}), study.using(study.active - {default})
        self._choices = replace(self._choices, wanted=wanted)
        self._show(study)

    def _usable(self, study: Study) -> Study:
        """Switch off, and note, what no model takes as an input; all stays on if nothing would be left."""
        taken = {contrast for card in self.store.cards() for contrast in card.inputs}
        kept, others = study.active & taken, study.active - taken
        if not kept or not others:
            return study
        note = f"{', '.join(in_field_order(others))} switched off: no model here takes it as an input."
        return replace(study.using(kept), notes=(*study.notes, note))

    def _show(self, study: Study) -> None:
        self._study = study
        self.previews_dropped.emit()
        self.study_changed.emit()
        self._chosen()

    def _finish(self, result: Result) -> None:
        self._result, self._result_saved = result, False
        self.synthesised.emit(result)
        self.previews_dropped.emit()
        self._say(work.done_status(result))

    def _show_planes(self, step: Any) -> None:
        if step.planes:
            self.planes_made.emit(step.planes)

    def _tell_saved(self, paths: tuple[Path, ...]) -> None:
        self._result_saved = True
        self.saved.emit(paths)
        names = ", ".join(path.name for path in paths)
        self._say(Status(State.DONE, f"Saved {names}.", f"In {paths[0].parent}"))

    def _missing(self, study: Study) -> frozenset[str]:
        return frozenset(contrast for contrast in self.offered if contrast not in study.members)

    def _want(self, wanted: frozenset[str]) -> None:
        self._choices = replace(self._choices, wanted=wanted)

    def _change(self, **choices: Any) -> None:
        changed = replace(self._choices, **choices)
        if changed != self._choices:
            self._choices = changed
            self._chosen()

    def _chosen(self) -> None:
        self.choice_changed.emit()
        self._settle()

    def _settle(self, message: str = "") -> None:
        """Say how things stand now that nothing is running."""
        status = self.why_not() or work.idle_status(self._study, self.wanted)
        self._say(replace(status, message=message, hint=status.message) if message else status)

    def _say(self, status: Status) -> None:
        self._status = status
        self.status_changed.emit(status)

    def _drop_preview(self) -> None:
        self.forget_preview()
        self.previews_dropped.emit()

    def _require_study(self, what: str) -> Study:
        self._refuse_while_busy(what)
        if self._study is None:
            raise ContrastError(f"There is no patient to {what}.", hint="Open one first.")
        return self._study

    def _refuse_while_busy(self, what: str) -> None:
        if self.busy:
            raise MrsynthError(
                f"Cannot {what} now: {self._status.message}", hint="Wait for it to end, or cancel it."
            )
