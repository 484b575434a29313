"""What the “Lesion studio” makes of painted lesions: slices, volumes, twins. No Qt, no napari."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_mrsynth.errors import BundleError, InputError, LabelError
from napari_mrsynth.gui.lesions.whose import patient_name
from napari_mrsynth.imaging.study import BrainMask
from napari_mrsynth.imaging.volume import LabelVolume, Volume
from napari_mrsynth.progress import Progress, format_seconds
from napari_mrsynth.session import State, Status
from napari_mrsynth.session.job import Failed, Ok, Outcome
from napari_mrsynth.session.runner import Runner
from napari_mrsynth.session.work import simply

if TYPE_CHECKING:
    from napari_mrsynth.bundles import BundleStore
    from napari_mrsynth.generation import Anatomy, Generated, LesionCheck, LesionMaker
    from napari_mrsynth.gui.lesions.session import LesionSession
    from napari_mrsynth.synthesis.result import Step

Planes = Mapping[str, tuple[int, NDArray[np.float32]]]


@dataclass(frozen=True, eq=False)
class Made:
    """What came of a painted lesion.

    Attributes
    ----------
    generated : Generated
    labels : LabelVolume
        What was painted then, on the scan's grid.
    into : mapping of str to Volume
        Real scans with the lesion painted in; empty where that was not asked for.
    """

    generated: Generated
    labels: LabelVolume
    into: Mapping[str, Volume] = field(default_factory=dict)

    def shows(self, labels: LabelVolume) -> bool:
        """Whether it was made of what is painted now."""
        return _same(labels, self.labels)


class LesionImages:
    """Makes images of what is painted in a session.

    Invariant: `wanted` are contrasts that the model makes; the anatomy that is kept is that of the session's
    scan without `own`.

    Parameters
    ----------
    session : LesionSession
        Its scan, brain and disease; jobs run and are told of there.
    store : BundleStore, optional
        Where models are found; the default folders if not given.
    device, precision : str
    """

    changed: ClassVar[Signal] = Signal()
    planes_made: ClassVar[Signal] = Signal(object)
    made: ClassVar[Signal] = Signal(Made)
    drawn: ClassVar[Signal] = Signal(Volume)

    def __init__(
        self,
        session: LesionSession,
        store: BundleStore | None = None,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        self.session = session
        self.wanted: tuple[str, ...] = ()
        self.own: LabelVolume | None = None
        self.result: Made | None = None
        self._store, self._on = store, (device, precision)
        self._maker: LesionMaker | None = None
        self._checker: LesionCheck | None = None
        self._missing: Status | None = None
        self._looked_for = ""
        self._anatomy: tuple[Volume, LabelVolume | None, Anatomy] | None = None
        self._random: list[Anatomy] = []
        self._previews = Runner(session.executor, session.say)

    # ------------------------------------------------------------------ models and choices

    @property
    def contrasts(self) -> tuple[str, ...]:
        """What can be made."""
        return self._maker.contrasts if self._maker is not None else ()

    @property
    def models_in_words(self) -> str:
        """What makes and what judges, or what is missing and how to mend it."""
        if self._maker is None:
            return "" if self._missing is None else f"{self._missing.message} {self._missing.hint}"
        judge = self._checker.card.id if self._checker is not None else "no segmenter is installed"
        return f"Made by {self._maker.card.id}, checked by {judge}."

    def look_for_models(self) -> None:
        """Find the models of the session's disease; cards only are read."""
        identity = self.session.classes.id
        if identity == self._looked_for and self._maker is not None:
            return
        from napari_mrsynth.bundles import BundleStore
        from napari_mrsynth.generation import (
            LesionCheck,
            LesionMaker,
            generator_bundle,
            segmenter_bundle,
        )

        self._looked_for, self._maker, self._checker, self._missing = identity, None, None, None
        store = self._store = BundleStore() if self._store is None else self._store
        store.refresh()
        try:
            self._maker = LesionMaker(generator_bundle(store, self.session.classes), *self._on)
        except BundleError as error:
            self._missing = Status(State.BLOCKED, error.message, error.hint)
        else:
            try:
                self._checker = LesionCheck(segmenter_bundle(store, self.session.classes), *self._on)
            except BundleError:
                self._checker = None
        kept = tuple(name for name in self.wanted if name in self.contrasts)
        self.wanted = kept or self.contrasts
        self.changed.emit()

    def want(self, contrast: str, yes: bool) -> None:
        """Make a contrast from now on, or not."""
        chosen = {*self.wanted, contrast} if yes else {*self.wanted} - {contrast}
        self.wanted = tuple(name for name in self.contrasts if name in chosen)
        self.changed.emit()

    def leave_out(self, own: LabelVolume | None) -> None:
        """Take the patient's own lesions out of the anatomy."""
        self.own = own
        self.changed.emit()

    def why_not(self, *, painting: bool) -> Status | None:
        """Say why no image can be made now; None where it can."""
        if self._maker is None:
            return self._missing or Status(State.BLOCKED, "No model was looked for yet.")
        if self.session.volume is None or self.session.brain is None:
            return Status(State.BLOCKED, "Choose a scan, or draw a random anatomy.")
        if not painting:
            return Status(State.BLOCKED, "Press Start painting first.")
        if not self.wanted:
            return Status(State.BLOCKED, "Tick at least one contrast.")
        return None

    # ------------------------------------------------------------------ random anatomy

    def draw(self, seed: int) -> None:
        """Draw a random anatomy; it comes as a made scan without lesion, to paint into.

        Raises
        ------
        BundleError
            If a model is missing.
        """
        from napari_mrsynth.generation import RandomAnatomy, anatomy_bundle

        maker, store = self._require_maker(), self._store
        if store is None:
            return
        drawer = RandomAnatomy(anatomy_bundle(store), self._on[0])
        contrast = next((name for name in ("T1w", "FLAIR") if name in maker.contrasts), maker.contrasts[0])

        def draw() -> tuple[Anatomy, Volume, str]:
            found = drawer.draw(seed)
            scan = maker.healthy(found.anatomy, contrast)
            scan = replace(scan, name=f"random anatomy, seed {seed} ({contrast}, synthetic)")
            drawn = f"{found.attempts} drawn" if found.attempts > 1 else "the first one drawn"
            return found.anatomy, scan, " ".join((f"Seed {seed}, {drawn}.", *found.anatomy.notes))

        def done(outcome: tuple[Anatomy, Volume, str]) -> None:
            anatomy, scan, told = outcome
            self._random.append(anatomy)
            self.drawn.emit(scan)
            self.session.say(
                Status(State.READY, "A random anatomy, one axial slice: press Start painting.", told)
            )

        self.session.start(f"Drawing anatomy with seed {seed} …", lambda: simply(draw), done)

    def brain_of(self, volume: Volume) -> BrainMask | None:
        """Return the brain of a scan where it is known: that of the random anatomy it was made of."""
        random = self._random_of(volume)
        return random.brain if random is not None else None

    # ------------------------------------------------------------------ making

    def preview(self, labels: LabelVolume, display_slice: int) -> None:
        """Make the displayed slice, in place of a preview that is being made; nothing where it cannot be."""
        if self.session.busy or self.why_not(painting=True) is not None:
            return
        from napari_mrsynth.generation import paint_slice

        maker, wanted, anatomy_of = self._require_maker(), self.wanted, self._anatomy_maker(self._own_now())

        def make() -> Planes:
            anatomy = anatomy_of()
            painted = paint_slice(labels, anatomy, display_slice)
            planes = maker.preview(anatomy, painted, wanted, display_slice)
            return {name: (display_slice, plane) for name, plane in planes.items()}

        def ended(outcome: Outcome[Planes]) -> None:
            if isinstance(outcome, Ok):
                self.planes_made.emit(outcome.value)
            elif isinstance(outcome, Failed):
                self.session.say(Status(State.FAILED, outcome.message, outcome.hint))

        self._previews.preview(lambda: simply(make), ended)

    def make(
        self,
        labels: LabelVolume,
        first_slice: int | None,
        *,
        healthy: bool,
        into: Mapping[str, Volume] | None = None,
    ) -> None:
        """Make the wanted contrasts of the whole volume and let the segmenter look for the lesion.

        Parameters
        ----------
        labels : LabelVolume
            What is painted; copied first.
        first_slice : int or None
            Display slice to make first.
        healthy : bool
            Whether to make the healthy twin and the difference too.
        into : mapping of str to Volume, optional
            Real scans to paint the lesion into.

        Raises
        ------
        LabelError
            If nothing is painted.
        InputError
            If something is missing, or running.
        """
        blocked = self.why_not(painting=True)
        if blocked is not None:
            raise InputError(blocked.message, hint=blocked.hint)
        if not labels.array.any():
            raise LabelError("Nothing has been painted yet.", hint="Paint or stamp a lesion first.")
        self.forget_preview()
        maker, checker, wanted, own = self._require_maker(), self._checker, self.wanted, self._own_now()
        anatomy_of, classes = self._anatomy_maker(own), self.session.classes
        kept = replace(labels, array=np.array(labels.array))

        def work() -> Generator[Progress | Step, None, Made]:
            from napari_mrsynth.generation import paint_into, paint_on

            yield Progress(0.0, "Taking the anatomy")
            anatomy = anatomy_of()
            painted = paint_on(kept, classes, anatomy)
            generated = yield from maker.run(
                anatomy, painted, wanted, healthy=healthy, first_slice=first_slice
            )
            if checker is not None:
                check = yield from checker.run(generated.outputs, painted.labels, anatomy.brain)
                generated = replace(generated, check=check)
            inside = {}
            for name, real in (into or {}).items():
                if name in generated.outputs:
                    yield Progress(0.99, f"Painting into {name}")
                    inside[name] = paint_into(
                        real, generated.outputs[name], painted.labels, anatomy.brain, own_lesions=own
                    )
            return Made(generated, kept, inside)

        def step_taken(step: Any) -> None:
            planes = getattr(step, "planes", None)
            if planes:
                self.planes_made.emit(planes)

        def done(made: Made) -> None:
            self.result = made
            self.made.emit(made)
            self.session.say(_done(made))

        self.session.start(f"Making {', '.join(wanted)} …", work, done, step_taken)

    def save(self, folder: Path, *, overwrite: bool) -> None:
        """Write everything that was made into a folder; an earlier result of the patient there goes.

        Its images would lie beside a label that they do not show.
        """
        made = self.result
        if made is None:
            return

        def write() -> list[Path]:
            from napari_mrsynth.generation.saving import remove_results, results_of, save

            written = [path for _, path in save(folder, made.generated, made.into, overwrite=overwrite)]
            earlier = results_of(folder, made.generated.anatomy.name)
            remove_results(path for path in earlier if path not in written)
            return written

        def saved(paths: list[Path]) -> None:
            self.session.say(Status(State.DONE, f"Saved {len(paths)} images.", f"In {folder}."))

        self.session.start(f"Saving into {folder.name} …", lambda: simply(write), saved)

    def existing(self, folder: Path) -> list[str]:
        """Return the names of files in a folder that saving would replace or take away."""
        from napari_mrsynth.generation.saving import items_of, results_of

        if self.result is None:
            return []
        items = items_of(self.result.generated, self.result.into)
        replaced = [item.file for item in items if (folder / item.file).exists()]
        earlier = (path.name for path in results_of(folder, self.result.generated.anatomy.name))
        return list(dict.fromkeys((*replaced, *earlier)))

    def forget_preview(self) -> None:
        """Ask for no preview any more."""
        self._previews.forget_preview()

    # ------------------------------------------------------------------ inside

    def _random_of(self, volume: Volume) -> Anatomy | None:
        """Return the random anatomy that a scan was made of; its grid is the very same."""
        return next((anatomy for anatomy in self._random if anatomy.grid is volume.grid), None)

    def _require_maker(self) -> LesionMaker:
        if self._maker is None:
            missing = self._missing or Status(State.BLOCKED, "No model was looked for yet.")
            raise BundleError(missing.message, hint=missing.hint)
        return self._maker

    def _own_now(self) -> LabelVolume | None:
        """Return the own lesions as they are drawn now, in a copy that later strokes do not reach."""
        own, kept = self.own, self._anatomy
        if own is None:
            return None
        if kept is not None and kept[1] is not None and _same(kept[1], own):
            return kept[1]
        return replace(own, array=np.array(own.array))

    def _anatomy_maker(self, own: LabelVolume | None) -> Any:
        """Return a function that takes the anatomy, to be called in a worker; the last one is kept."""
        volume, brain = self.session.volume, self.session.brain
        random = None if volume is None else self._random_of(volume)
        spacing = self._require_maker().spacing_mm

        def take() -> Anatomy:
            if volume is None:
                raise InputError("There is no scan.", hint="Choose one.")
            if random is not None:
                return random
            kept = self._anatomy
            if kept is not None and kept[0] is volume and kept[1] is own:
                return kept[2]
            from napari_mrsynth.generation import patient_anatomy

            name = patient_name(volume)
            anatomy = patient_anatomy(volume, spacing, name=name, brain=brain, lesions=own)
            self._anatomy = (volume, own, anatomy)
            return anatomy

        return take


def _same(one: LabelVolume, other: LabelVolume) -> bool:
    return one.grid.same_as(other.grid) and np.array_equal(one.array, other.array)


def dice_in_words(made: Made) -> str:
    """Return the segmenter's answer, class by class; empty where it was not asked."""
    check = made.generated.check
    if check is None:
        return ""
    names = made.generated.painted.labels.labels

    def said(key: str) -> str:
        if key == "lesion":
            return "whole lesion"
        return names.get(int(key.removeprefix("label-")), key)

    parts = [f"{said(name)} {value:.2f}" for name, value in check.dice.items() if value is not None]
    return "  ·  ".join(reversed(parts))


def _done(made: Made) -> Status:
    generated = made.generated
    what = (
        f"Made {', '.join(generated.outputs)} in {format_seconds(generated.seconds)} on {generated.device}."
    )
    check = generated.check
    overall = "" if check is None or check.overall is None else f" Dice {check.overall:.2f} by the segmenter."
    dice = dice_in_words(made)
    hints = (f"Dice: {dice}." if dice else "", *generated.warnings)
    return Status(State.DONE, what + overall, " ".join(hint for hint in hints if hint))
