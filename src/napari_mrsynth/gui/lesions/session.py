"""What the “Lesion studio” dock works on: a brain, a disease, a shape, its place. No Qt, no napari."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import InputError, LabelError, MrsynthError
from napari_mrsynth.gui.lesions.situation import Ghost, LesionSituation, Measured
from napari_mrsynth.imaging.geometry import Grid
from napari_mrsynth.imaging.study import BrainMask
from napari_mrsynth.imaging.volume import LabelVolume, Volume
from napari_mrsynth.lesions import (
    DrawnLesion,
    LesionLibrary,
    LesionShape,
    PlacedLesion,
    Placement,
    conform,
    label_set,
    lay,
    random_lesion,
    require_placed_inside,
)
from napari_mrsynth.lesions.placing import Triple
from napari_mrsynth.progress import Progress
from napari_mrsynth.session import State, Status
from napari_mrsynth.session.job import Failed, Ok, Outcome
from napari_mrsynth.session.work import simply


class LesionSession(LesionSituation):
    """What can be done: choose a brain and a disease, take, draw, move and stamp a shape, measure, save."""

    # ------------------------------------------------------------------ the patient

    def choose(self, volume: Volume | None, brain: BrainMask | None = None) -> None:
        """Paint into another scan's space, or into none; its brain is found first, if it is not given."""
        self.refuse_while_busy("choose another scan")
        self._forget_ghost()
        self.volume, self.brain = volume, None
        self.choice_changed.emit()
        if volume is None:
            self._settle()
            return
        if brain is not None:
            self._set_brain(brain)
            return

        def find() -> BrainMask:
            from napari_mrsynth.preprocess.mask import brain_mask

            return brain_mask([volume])

        self.start("Finding the brain …", lambda: simply(find), self._set_brain)

    def use_disease(self, identity: str) -> None:
        """Paint the classes of another disease; library and shape are forgotten."""
        self.refuse_while_busy("choose another disease")
        self.classes = label_set(identity)
        self.library = self.lesion = self.part = None
        self._forget_ghost()
        self.choice_changed.emit()
        self._settle()

    def begin(self, labels: LabelVolume | None) -> None:
        """Make the labels to paint on: empty ones, or a copy of some on the scan's grid."""
        volume, _ = self._require_brain("paint")
        name = f"painted {self.classes.title.split(' (')[0].lower()}"
        if labels is None:
            empty = np.zeros(volume.grid.shape, np.uint8)
            self.labels_ready.emit(LabelVolume(empty, volume.grid, name, labels=self.classes.names))
            self._settle()
            return
        classes, of = self.classes, volume.contrast or volume.name

        def copy() -> LabelVolume:
            fitted = conform(labels, classes, volume.grid, of=of)
            return replace(fitted, array=fitted.array.astype(np.uint8), name=name)

        def ready(made: LabelVolume) -> None:
            self.labels_ready.emit(made)
            notes = [note for note in made.notes if note not in labels.notes]
            self.say(Status(State.READY, f"Paint on a copy of “{labels.name}”.", " ".join(notes)))

        self.start("Copying the labels …", lambda: simply(copy), ready)

    # ------------------------------------------------------------------ the shape

    def open_library(self, folder: Path) -> None:
        """Take shapes from a folder."""
        self.refuse_while_busy("open a library")
        classes = self.classes

        def opened(library: LesionLibrary) -> None:
            self.library = library
            self.choice_changed.emit()
            self._settle()

        self.start(f"Opening {folder.name} …", lambda: simply(lambda: LesionLibrary(folder, classes)), opened)

    def take(self, name: str) -> None:
        """Take a shape of the library; it comes to lie where the last one lay, or in the middle."""
        library = self._require_library()
        self._require_brain("place a lesion")
        begin = partial(simply, lambda: _split(library.shape(name)))
        self.start(f"Reading {name} …", begin, self._set_lesion)

    def take_part(self, part: int | None) -> None:
        """Take one of the separate lesions of the map (0 is the largest), or all together."""
        self.part = part
        self.choice_changed.emit()
        self._place()

    def draw(self, seed: int, *, single: bool) -> None:
        """Draw a random lesion of the library inside the brain; it is shown, not yet stamped."""
        library = self._require_library()
        volume, brain = self._require_brain("place a lesion")

        def draw() -> DrawnLesion:
            found = random_lesion(library, volume.grid, brain.array, seed, single=single)
            _split(found.shape)
            return found

        def drawn(found: DrawnLesion) -> None:
            self.lesion, self.part = found.shape, None
            self.placement = found.placement
            self.choice_changed.emit()
            self._set_ghost(Ghost(replace(found.placed, name=f"{found.placed.name}, seed {seed}")))

        self.start(f"Drawing a lesion with seed {seed} …", lambda: simply(draw), drawn)

    def move(self, **changes: Any) -> None:
        """Change the placement by its fields: ``centre_mm``, ``scale``, ``rotation_deg``, ``mirror``.

        Raises
        ------
        InputError
            If a job is running, which the lesion would be moved behind.
        """
        if self.placement is None:
            return
        self.refuse_while_busy("move the lesion")
        self.placement = replace(self.placement, **changes)
        self.choice_changed.emit()
        self._place()

    def stamp(self) -> None:
        """Lay the shape over the painted labels.

        Raises
        ------
        LabelError
            If it would lie outside the brain.
        """
        self.refuse_while_busy("stamp")
        if self.ghost is None:
            raise InputError("There is no lesion to stamp.", hint="Choose one from a library first.")
        if self.ghost.refusal is not None:
            raise self.ghost.refusal
        placed = self.ghost.placed
        self._forget_ghost()
        self.stamped.emit(placed)
        hint = "Ctrl+Z on the painted layer takes it away. A click puts it elsewhere."
        self.say(Status(State.DONE, f"Stamped “{placed.name}”.", hint))

    # ------------------------------------------------------------------ what was painted

    def measure(self, labels: LabelVolume) -> None:
        """Measure what was painted, beside the window."""
        brain, classes = self.brain, self.classes
        if brain is None or labels.array.shape != brain.array.shape:
            return

        def measure() -> Measured:
            voxel_ml = float(np.prod(labels.grid.spacing)) / 1000
            volumes = {
                each.value: voxel_ml * int(np.count_nonzero(labels.array == each.value))
                for each in classes.classes
            }
            outside = int(np.count_nonzero((labels.array > 0) & ~brain.array))
            return Measured(volumes, voxel_ml * outside)

        def ended(outcome: Outcome[Measured]) -> None:
            if not isinstance(outcome, Ok):
                return
            before, self._measured = self._measured, outcome.value
            self.measured.emit(outcome.value)
            if self.status.state is State.FAILED and outcome.value != before and not self.busy:
                self._settle()

        self._measuring.preview(lambda: simply(measure), ended)

    def save(self, labels: LabelVolume, path: Path) -> None:
        """Write the painted labels as NIfTI.

        Raises
        ------
        LabelError
            If nothing was painted.
        """
        self.refuse_while_busy("save")
        if not labels.array.any():
            raise LabelError("Nothing has been painted yet.", hint="Paint or stamp a lesion first.")
        kept = replace(labels, array=np.array(labels.array))  # strokes go on meanwhile

        def write() -> Path:
            from napari_mrsynth.io import write_volume

            return write_volume(path, kept)

        def saved(written: Path) -> None:
            self.say(Status(State.DONE, f"Saved {written.name}.", f"In {written.parent}."))

        self.start(f"Saving {path.name} …", lambda: simply(write), saved)

    def put_away(self) -> None:
        """Take the lesion that is not stamped yet out of sight; the next click places it again."""
        self._forget_ghost()

    def cancel(self) -> None:
        """Stop what is running."""
        self._runner.cancel()
        self._settle()

    def let_go(self) -> None:
        """Stop everything, previews and measuring included."""
        self._runner.cancel()
        self._runner.forget_preview()
        self._measuring.forget_preview()

    def report(self, error: MrsynthError) -> None:
        """Say that something the user asked for was refused."""
        if not self.busy:
            self.say(Status(State.FAILED, error.message, error.hint))

    # ------------------------------------------------------------------ inside

    def _set_brain(self, brain: BrainMask) -> None:
        self.brain = brain
        volume, _ = self._require_brain("place a lesion")
        if self.placement is not None and not _lies_in(self.placement, brain, volume.grid):
            self.placement = replace(self.placement, centre_mm=_middle_of(brain, volume.grid))
        self.choice_changed.emit()
        self._settle()
        self._place()

    def _set_lesion(self, lesion: LesionShape) -> None:
        self.lesion, self.part = lesion, None
        if self.placement is None:
            volume, brain = self._require_brain("place a lesion")
            self.placement = Placement(_middle_of(brain, volume.grid))
        self.choice_changed.emit()
        self._settle()
        self._place()

    def _place(self) -> None:
        """Compute the ghost, beside the window."""
        shape, placement, volume, brain = self.shape, self.placement, self.volume, self.brain
        if shape is None or placement is None or volume is None or brain is None or self.busy:
            return

        def place() -> Ghost:
            placed = lay(shape, placement, volume.grid)
            return Ghost(placed, _refusal(placed, brain.array))

        def make() -> Generator[Progress, None, Ghost]:
            return simply(place)

        def ended(outcome: Outcome[Ghost]) -> None:
            if isinstance(outcome, Ok):
                self._set_ghost(outcome.value)
            elif isinstance(outcome, Failed):
                self._forget_ghost()
                self.say(Status(State.FAILED, outcome.message, outcome.hint))

        self._runner.preview(make, ended)

    def _set_ghost(self, ghost: Ghost) -> None:
        self.ghost = ghost
        self.ghost_changed.emit(ghost)
        self._settle()

    def _forget_ghost(self) -> None:
        self._runner.forget_preview()
        self.ghost = None
        self.ghost_changed.emit(None)


def _middle_of(brain: BrainMask, grid: Grid) -> Triple:
    """Return the brain's centre of mass, RAS mm."""
    x, y, z = (float(v) for v in grid.affine.apply(np.argwhere(brain.array[::4, ::4, ::4]) * 4).mean(0))
    return x, y, z


def _lies_in(placement: Placement, brain: BrainMask, grid: Grid) -> bool:
    """Whether a placement's centre is a voxel of the brain: another patient's may lie elsewhere."""
    index = np.rint(grid.affine.unapply(placement.centre_mm)).astype(int)
    within = bool(np.all((index >= 0) & (index < brain.array.shape)))
    return within and bool(brain.array[tuple(index)])


def _split(shape: LesionShape) -> LesionShape:
    """Find a shape's separate lesions here and now; they are kept with it."""
    _ = shape.parts
    return shape


def _refusal(placed: PlacedLesion, brain: NDArray[np.bool_]) -> LabelError | None:
    try:
        require_placed_inside(placed, brain)
    except LabelError as error:
        return error
    return None
