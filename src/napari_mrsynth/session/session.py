"""The synthesis session: what a user can do with a study, one thing at a time.

Views call its methods and listen to its signals. Every method that may take long starts a job on the
executor and returns at once; the signals come on the thread that called the method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from napari_mrsynth.errors import ContrastError, MrsynthError, OutputError, SampleError
from napari_mrsynth.imaging.contrasts import canonical
from napari_mrsynth.imaging.study import Study
from napari_mrsynth.imaging.volume import LabelVolume, Volume
from napari_mrsynth.session import saving, work
from napari_mrsynth.session.choices import Choices
from napari_mrsynth.session.job import Cancelled, Executor, Failed, ImmediateExecutor, Ok, Outcome, Work
from napari_mrsynth.session.outputs import Outputs
from napari_mrsynth.session.painted import PaintedMask
from napari_mrsynth.session.parts import Parts
from napari_mrsynth.session.runner import Runner
from napari_mrsynth.session.situation import Situation
from napari_mrsynth.session.status import State, Status

if TYPE_CHECKING:
    from napari_mrsynth.synthesis import Result

T = TypeVar("T")


class SynthesisSession(Situation):
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

    def __init__(
        self,
        executor: Executor | None = None,
        parts: Parts | None = None,
        choices: Choices | None = None,
        cache_bytes: int = 2**30,
        default_contrast: str = "",
    ) -> None:
        super().__init__(parts or Parts(), choices or Choices(), cache_bytes)
        self._default_contrast = default_contrast
        self._runner = Runner(executor or ImmediateExecutor(), self._say)
        self._writing: saving.Writing | None = None

    @property
    def busy(self) -> bool:
        """Whether a job is running (a preview does not count)."""
        return self._runner.busy

    @property
    def asynchronous(self) -> bool:
        """Whether jobs run beside the caller."""
        return self._runner.asynchronous

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

    def add(
        self, volumes: Sequence[Volume], *, mask: LabelVolume | None = None, instead: bool = False
    ) -> None:
        """Add scans that are already in memory, making a study of them if there is none.

        A scan of a contrast that is already here takes its place if `instead` is given, else it is refused.
        """
        given, study = tuple(volumes), self._study
        done = self._show_new if study is None else self._show_changed
        self._start("Adding …", lambda: work.adding(self.parts, study, given, mask, instead), done)

    def close(self) -> None:
        """Forget the patient."""
        self._refuse_while_busy("close the patient")
        self._drop_preview()
        self._study = self._painted = None
        self._outputs = Outputs()
        self.study_changed.emit()
        self._settle()

    def rename(self, old: str, new: str) -> None:
        """Correct a contrast's name; it is switched on when it was unknown before."""
        study = self._require_study("rename a contrast")
        name = canonical(new)
        if name == old and study.members[old].native.confidence == 1:
            return
        self._show(self.plan.renaming(study, old, name))

    def remove(self, contrast: str) -> None:
        """Take a contrast out of the study."""
        study = self._require_study("remove a contrast")
        if study.contrasts == (contrast,):
            self.close()
            return
        self._edit(f"Removing {contrast} …", lambda: self.parts.remove(study, contrast))

    def refer_to(self, contrast: str) -> None:
        """Make a contrast's native grid the study's, and resample the others onto it."""
        study = self._require_study("choose a reference")
        self._edit(f"Resampling onto {contrast} …", lambda: self.parts.refer(study, contrast))

    def use_mask(self, look: Callable[[], LabelVolume]) -> None:
        """Use a label map as the brain mask.

        Parameters
        ----------
        look : callable
            Returns the label map as it is now: what is painted on it until the next synthesis or preview
            counts there.
        """
        self._require_study("use a brain mask")
        self._set_mask(PaintedMask.seen(look), self._show_changed)

    def align(self, contrasts: Sequence[str] | None = None) -> None:
        """Estimate how contrasts (all, if None) must be moved to lie on the reference, and move them."""
        study = self._require_study("align")
        what = "all contrasts" if contrasts is None else ", ".join(contrasts)
        self._start(f"Aligning {what} …", lambda: self.parts.align(study, contrasts), self._show_changed)

    def undo_alignment(self, contrast: str) -> None:
        """Put a contrast back to where its header says it lies."""
        study = self._require_study("undo an alignment")
        self._edit(
            f"Undoing the alignment of {contrast} …", lambda: self.parts.undo_alignment(study, contrast)
        )

    # ------------------------------------------------------------------ choices

    def switch(self, contrast: str, on: bool) -> None:
        """Switch an input on or off; see :meth:`~napari_mrsynth.session.plan.Plan.switching`."""
        study = self._require_study("switch an input")
        plan = self.plan.switching(study, contrast, on)
        if plan.study is not study:
            self._choose(plan)

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
        """Choose ``auto``, ``fp32``, ``bf16`` or ``fp16``."""
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
        if self._follow_painting(partial(self.synthesise, first_slice)):
            return
        self._start(
            f"Making {', '.join(request.wanted)} from {', '.join(request.used)} …",
            lambda: self.engine.run(study, request, first_slice=first_slice),
            self._show_result,
            on_step=self._show_planes,
        )

    def preview(self, display_slice: int) -> None:
        """Make one axial slice of what is ticked; a preview that is still running is forgotten."""
        self.forget_preview()
        if self.busy or self._study is None or self.why_not() is not None:
            self.previews_dropped.emit()
            return
        if self._follow_painting(partial(self.preview, display_slice)):
            return
        study, request = self._study, self.request
        self._runner.preview(
            lambda: work.simply(lambda: self.engine.preview(study, request, display_slice)),
            partial(self._show_preview, display_slice),
        )

    def forget_preview(self) -> None:
        """Stop the preview that is being made, if any; what is shown stays."""
        self._runner.forget_preview()

    def cancel(self) -> None:
        """Stop the running job now; what it had begun is dropped, but files that are written stay."""
        if not self.busy:
            return
        self._runner.cancel()
        self.previews_dropped.emit()
        left = "Nothing was changed."
        if self._writing is not None:
            left = saving.written_so_far(self._writing)
            self._note_written(self._writing)
            self._writing = None
        self._settle(f"Cancelled: {self._status.message.rstrip(' …')}. {left}")

    # ------------------------------------------------------------------ saving

    def targets(self, folder: Path) -> dict[str, Path]:
        """Return where each image that :meth:`save` would write now, source maps too, goes in `folder`.

        Raises
        ------
        OutputError
            If there is no result.
        """
        if self._outputs.last is None or self._study is None:
            raise OutputError("There is nothing to save yet.", hint="Synthesise first.")
        return saving.targets(self.parts, self._study.name, self._outputs.to_save, folder)

    def save(self, folder: Path, *, overwrite: bool = False) -> None:
        """Write the last result, and what earlier ones left unsaved, into `folder`.

        Each contrast comes with its provenance, and the source map where there is one.

        Raises
        ------
        OutputError
            If there is no result, or a file exists and `overwrite` is False.
        """
        writing = saving.Writing(self._outputs.to_save, self.targets(folder))
        if not overwrite:
            saving.refuse_to_overwrite(writing.files, folder)
        self._refuse_while_busy("save")
        self._writing = writing
        self._start(
            "Saving …",
            lambda: saving.saving(self.parts, writing),
            self._show_saved,
            on_step=lambda _: self._note_written(writing),
        )

    def report(self, error: MrsynthError) -> None:
        """Say that something the user asked for cannot be done; what was chosen stays."""
        self._say(Status(State.FAILED, error.message, error.hint))

    # ------------------------------------------------------------------ jobs, from their start to their end

    def _follow_painting(self, go_on: Callable[[], None]) -> bool:
        """Set the brain mask anew and go on after that, if it was painted on; else return False."""
        if self._painted is None:
            return False
        try:
            painted = self._painted.seen_again()
        except MrsynthError as error:
            self.report(error)
            return True

        def use(study: Study) -> None:
            self._choose(replace(self.plan, study=study))
            go_on()

        if painted is self._painted:
            return False
        self._set_mask(painted, use)
        return True

    def _set_mask(self, painted: PaintedMask, use: Callable[[Study], None]) -> None:
        study = self._require_study("use a brain mask")

        def done(changed: Study) -> None:
            self._painted = painted
            use(changed)

        masked = partial(self.parts.mask, study, painted.labels)
        self._start("Setting the brain mask …", lambda: work.simply(masked), done)

    def _edit(self, doing: str, edit: Callable[[], Study]) -> None:
        self._start(doing, lambda: work.simply(edit), self._show_changed)

    def _start(
        self,
        doing: str,
        begin: Work[T],
        done: Callable[[T], None],
        on_step: Callable[[Any], None] | None = None,
    ) -> None:
        self._refuse_while_busy(doing.rstrip(" …").lower())
        self._runner.start(doing, begin, partial(self._end, done), on_step)

    def _end(self, done: Callable[[T], None], outcome: Outcome[T]) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            self._note_written(writing)
        if isinstance(outcome, Ok):
            done(outcome.value)
        elif isinstance(outcome, Failed):
            self.previews_dropped.emit()
            self._say(Status(State.FAILED, outcome.message, outcome.hint))
        elif isinstance(outcome, Cancelled):
            self._settle()

    def _show_new(self, study: Study) -> None:
        self._painted = None
        self._outputs = Outputs()
        self._patient += 1
        self._show(self.plan.opening(study, self._default_contrast))

    def _show_changed(self, study: Study) -> None:
        self._show(replace(self.plan, study=study))

    def _show_planes(self, step: Any) -> None:
        if step.planes:
            self.planes_made.emit(step.planes)

    def _show_preview(self, display_slice: int, outcome: Outcome[Mapping[str, Any]]) -> None:
        if isinstance(outcome, Ok):
            self.planes_made.emit({c: (display_slice, plane) for c, plane in outcome.value.items()})
        elif isinstance(outcome, Failed):
            self._say(Status(State.FAILED, f"No preview: {outcome.message}", outcome.hint))

    def _show_result(self, result: Result) -> None:
        self._outputs.add(result)
        self.synthesised.emit(result)
        self.previews_dropped.emit()
        self._say(work.done_status(result))

    def _note_written(self, writing: saving.Writing) -> None:
        self._outputs.saved(writing.written)

    def _show_saved(self, paths: tuple[Path, ...]) -> None:
        self.saved.emit(paths)
        self._say(saving.saved_status(paths))

    def _change(self, **choices: Any) -> None:
        plan = self.plan.choosing(**choices)
        if plan.choices != self._choices:
            self._choose(plan)

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
