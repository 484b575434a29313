"""What the “Structure maps” dock works on: a scan, settings, a preview, a kept map. No Qt, no napari."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_mrsynth.errors import InputError, MrsynthError
from napari_mrsynth.imaging.volume import LabelVolume, Volume
from napari_mrsynth.progress import Progress
from napari_mrsynth.session import State, Status
from napari_mrsynth.session.job import Cancelled, Executor, Failed, ImmediateExecutor, Ok, Outcome, Work
from napari_mrsynth.session.runner import Runner
from napari_mrsynth.session.work import simply
from napari_mrsynth.structure import StructureMap, StructureSettings, default_beta, map_plane, map_volume

if TYPE_CHECKING:
    from napari_mrsynth.bundles import BundleStore

T = TypeVar("T")

_EMPTY = Status(
    State.EMPTY, "No scan is chosen.", "Open one (File > Open, or the Synthesis dock) and choose it above."
)
_BUSY_HINT = "Wait for it, or press Cancel."


@dataclass(frozen=True, eq=False)
class Plane:
    """A preview: map and brain mask of one axial slice.

    Attributes
    ----------
    volume : Volume
        The scan it was made from.
    index : int
        The slice, in display order (S).
    structure, brain : ndarray of uint8, shape (A, R)
    """

    volume: Volume
    index: int
    structure: NDArray[np.uint8]
    brain: NDArray[np.uint8]

    @property
    def edge_share(self) -> float | None:
        """Share of the brain in this slice that is edge; None where it shows no brain."""
        inside = int(np.count_nonzero(self.brain))
        return int(np.count_nonzero(self.structure)) / inside if inside else None


def plane_of(
    volume: Volume, index: int, settings: StructureSettings, lesions: LabelVolume | None = None
) -> Plane:
    """Make the preview of one axial slice, on one core (arguments and errors as :func:`map_plane`).

    A slice is a few milliseconds' work: split over cores of which another program holds one, it would wait
    for that core at every step, fifty times as long.
    """
    from napari_mrsynth.synthesis.workers import workers

    with workers(1, cores=1) as pool:
        return Plane(volume, index, *pool.submit(map_plane, volume, index, settings, lesions).result())


class StructureSession:
    """What the user has chosen and what is running.

    Invariant: at most one job and one preview run; while a job runs, scan, lesions and settings do not
    change.

    Parameters
    ----------
    executor : Executor, optional
        Where work runs; the caller's thread if not given.
    store : BundleStore, optional
        Where the model that draws maps is looked for; the installed ones if not given.
    """

    choice_changed: ClassVar[Signal] = Signal()
    status_changed: ClassVar[Signal] = Signal(Status)
    plane_made: ClassVar[Signal] = Signal(Plane)
    preview_failed: ClassVar[Signal] = Signal()
    map_made: ClassVar[Signal] = Signal(StructureMap)

    def __init__(self, executor: Executor | None = None, store: BundleStore | None = None) -> None:
        self.volume: Volume | None = None
        self.lesions: LabelVolume | None = None
        self.settings = StructureSettings()
        self.made: StructureMap | None = None
        self.status = _EMPTY
        self._notes: tuple[str, ...] = ()
        self._store = store
        self._runner = Runner(executor or ImmediateExecutor(), self._say)

    @property
    def busy(self) -> bool:
        """Whether a job is running (a preview does not count)."""
        return self._runner.busy

    def choose(self, volume: Volume | None) -> None:
        """Work on another scan, or on none; the threshold becomes its contrast's, lesions are forgotten."""
        self._refuse_while_busy("choose another scan")
        self._runner.forget_preview()
        self.volume, self.lesions, self.made, self._notes = volume, None, None, ()
        if volume is not None:
            self.settings = replace(self.settings, beta=default_beta(volume.contrast))
        self.choice_changed.emit()
        self._settle()

    def tune(self, **changes: float) -> None:
        """Change settings by their names: ``beta``, ``blur_mm``, ``expand``."""
        self._refuse_while_busy("change the settings")
        self.settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        self.choice_changed.emit()
        self._settle()

    def leave_out(self, lesions: LabelVolume | None) -> None:
        """Leave out the edges in a label map's lesions, or in none; it may lie on another grid."""
        volume = self._require_scan("leave out lesions")
        self._refuse_while_busy("choose other lesions")
        if lesions is None:
            self._set_lesions((None, ()))
            return
        call = partial(_onto, volume, lesions)
        self._start("Bringing the lesion labels onto the scan …", lambda: simply(call), self._set_lesions)

    def preview(self, index: int) -> None:
        """Make the map of one axial slice (display order S), beside the window."""
        volume = self.volume
        if volume is None or self.busy:
            return
        settings, lesions = self.settings, self.lesions

        def make() -> Generator[Progress, None, Plane]:
            return simply(lambda: plane_of(volume, index, settings, lesions))

        self._runner.preview(make, self._show_plane)

    def forget_preview(self) -> None:
        """Let go of the preview that is being made, if any."""
        self._runner.forget_preview()

    def keep(self) -> None:
        """Make the map of the whole volume."""
        volume = self._require_scan("make a map")
        self._refuse_while_busy("make a map")
        settings, lesions = self.settings, self.lesions
        name = volume.contrast or volume.name
        self._start(
            f"Structure map of {name} …", lambda: map_volume(volume, settings, lesions), self._show_made
        )

    def draw(self, seed: int) -> None:
        """Draw a map at random; no scan is needed.

        Raises
        ------
        BundleError
            If no model that draws is installed.
        """
        self._refuse_while_busy("draw a map")
        from napari_mrsynth.bundles import BundleStore
        from napari_mrsynth.generation import RandomAnatomy, anatomy_bundle

        drawer = RandomAnatomy(anatomy_bundle(self._store or BundleStore()))
        self._start(
            f"Drawing a map with seed {seed} …",
            lambda: simply(lambda: drawer.draw(seed).structure_map()),
            self._show_made,
        )

    def save(self, path: Path) -> None:
        """Write the map that was kept last."""
        self._refuse_while_busy("save")
        made = self.made
        if made is None:
            raise InputError("There is no map to save.", hint="Keep one as a layer, or draw one, first.")

        def write() -> Path:
            from napari_mrsynth.structure.saving import save_labels

            return save_labels(path, made.structure, made.provenance)

        self._start(f"Saving {path.name} …", lambda: simply(write), self._show_saved)

    def cancel(self) -> None:
        """Stop what is running; nothing of it is left."""
        self._runner.cancel()
        self._settle()

    def report(self, error: MrsynthError) -> None:
        """Say that something the user asked for was refused."""
        if not self.busy:
            self._say(Status(State.FAILED, error.message, error.hint))

    # ------------------------------------------------------------------ inside

    def _start(self, doing: str, begin: Work[T], done: Callable[[T], None]) -> None:
        def ended(outcome: Outcome[T]) -> None:
            if isinstance(outcome, Ok):
                done(outcome.value)
            elif isinstance(outcome, Failed):
                self._say(Status(State.FAILED, outcome.message, outcome.hint))
            elif isinstance(outcome, Cancelled):
                self._settle()

        self._runner.start(doing, begin, ended)

    def _show_plane(self, outcome: Outcome[Plane]) -> None:
        if isinstance(outcome, Ok):
            self.plane_made.emit(outcome.value)
        elif isinstance(outcome, Failed):
            self.preview_failed.emit()
            self._say(Status(State.FAILED, outcome.message, outcome.hint))

    def _set_lesions(self, found: tuple[LabelVolume | None, tuple[str, ...]]) -> None:
        self.lesions, self._notes = found
        self.choice_changed.emit()
        self._settle()

    def _show_made(self, made: StructureMap) -> None:
        self.made = made
        self.map_made.emit(made)
        message = f"Kept “{made.structure.name}”: {made.edge_share:.0%} of the brain is edge."
        notes = made.notes if made.settings is None else (*self._notes, *made.notes)
        self._say(Status(State.DONE, message, " ".join(notes)))

    def _show_saved(self, path: Path) -> None:
        self._say(
            Status(State.DONE, f"Saved {path.name}.", f"In {path.parent}, with how it was made beside it.")
        )

    def _settle(self) -> None:
        if self.volume is None:
            self._say(_EMPTY)
            return
        name = self.volume.contrast or self.volume.name
        hint = " ".join((*self._notes, "Move the sliders, then keep the map as a layer."))
        self._say(Status(State.READY, f"Ready to map {name}.", hint))

    def _say(self, status: Status) -> None:
        self.status = status
        self.status_changed.emit(status)

    def _require_scan(self, purpose: str) -> Volume:
        if self.volume is None:
            raise InputError(f"There is no scan to {purpose} of.", hint="Choose one first.")
        return self.volume

    def _refuse_while_busy(self, purpose: str) -> None:
        if self.busy:
            raise InputError(f"Something is running: one cannot {purpose} now.", hint=_BUSY_HINT)


def _onto(volume: Volume, lesions: LabelVolume) -> tuple[LabelVolume, tuple[str, ...]]:
    from napari_mrsynth.preprocess.members import labels_on

    name: Any = volume.contrast or volume.name
    found, _, notes = labels_on(volume.grid, name, lesions, "lesion labels")
    return found, tuple(notes)
