"""Carries signals between the Compare dock's pieces, the work beside the window, and the stage."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_mrsynth.errors import InputError, MrsynthError
from napari_mrsynth.evaluation.words import how_measured
from napari_mrsynth.gui import scene
from napari_mrsynth.gui.arrival import Arrival
from napari_mrsynth.gui.compare import candidates
from napari_mrsynth.gui.compare.compared import Compared
from napari_mrsynth.gui.compare.stage import Stage, Way
from napari_mrsynth.gui.compare.work import Looked, Task, exporting, looking
from napari_mrsynth.gui.connections import Connections
from napari_mrsynth.session.job import Cancelled, Executor, Failed, Job, Ok, Outcome
from napari_mrsynth.session.status import State, Status

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_mrsynth.gui.compare.dock import CompareDock
    from napari_mrsynth.gui.compare.questions import CompareQuestions

_log = logging.getLogger(__name__)

SLICES = ("Axial slice", "Coronal slice", "Sagittal slice")
NOTHING = Status(State.EMPTY, "Open a scan and a prediction of it, or make one with the Synthesis dock.")
READY = Status(State.READY, "Ready to compare.")
REPLACED = Status(
    State.READY,
    "The comparison ended: what was compared is not shown any more.",
    "Press Compare to measure what is here now.",
)
ENDED = Status(State.READY, "The comparison ended: its layer was removed.", "Press Compare to see it again.")


class ComparePresenter:
    """Makes the dock work.

    Parameters
    ----------
    dock : CompareDock
        The pieces.
    viewer : napari.components.ViewerModel
    executor : Executor
        Where the work is done.
    questions : CompareQuestions
    """

    def __init__(
        self, dock: CompareDock, viewer: ViewerModel, executor: Executor, questions: CompareQuestions
    ) -> None:
        self._dock, self._viewer = dock, viewer
        self._executor, self._questions = executor, questions
        self.stage = Stage(viewer)
        self.looked: tuple[Looked, ...] = ()
        self._job: Job[Any] | None = None
        self._known: set[str] = set()
        self._truth_by_user = self._lesions_by_user = False
        self._arrival = Arrival(self._show_arrived)
        self._listening = Connections()
        self._compared: Compared | None = None
        self._ended: Status | None = None  # why the last comparison did, until the user does something
        self._listening_to_compared = Connections()
        self._soon = QTimer(dock)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.offer)

    # ------------------------------------------------------------------ wiring

    def connect(self) -> None:
        """Connect everything and show how things stand."""
        dock = self._dock
        acts: tuple[tuple[Any, Callable[..., None]], ...] = (
            (dock.run.run_asked, self.compare),
            (dock.run.cancel_asked, self.cancel),
            (dock.run.save_asked, self._export),
            (dock.end.clicked, lambda _=False: self.end()),
            (dock.ways.way_chosen, self._look),
            (dock.ways.slid, self._slide),
            (dock.ways.flickered, self.stage.flicker),
            (dock.ways.prediction_chosen, self._choose),
            (dock.region_chosen, lambda _: self._show_figures()),
            (dock.curve.slice_chosen, self.stage.place.go_to_slice),
            (dock.places.place_chosen, lambda place: self.stage.place.go_to(place.point_mm)),
        )
        for signal, act in acts:
            signal.connect(partial(self._tell, act))
        dock.choices.changed.connect(self._remember)
        dock.choices.checked.connect(self._offer_soon)
        layers, dims = self._viewer.layers.events, self._viewer.dims.events
        self._listening.make(self._offer_soon, layers.inserted, layers.removed, layers.reordered)
        turned = self._viewer.scene.camera.events.orientation
        self._listening.make(self._follow_viewer, dims.order, dims.ndisplay, dims.point, turned)
        self.offer()

    def disconnect(self) -> None:
        """Let go of the viewer, give its view back and stop what is running."""
        self._listening.cut()
        self._listening_to_compared.cut()
        self._arrival.forget()
        if self._job is not None:
            self._job.on_end = self._job.on_step = lambda _: None
            self._job.cancel()
        for _ in self.stage.ending():
            pass

    def _tell(self, act: Callable[..., None], *given: Any) -> None:
        """Do what the user asked; what the project refuses is said in the dock."""
        try:
            act(*given)
        except MrsynthError as error:
            self._say(Status(State.FAILED, error.message, error.hint))

    # ------------------------------------------------------------------ what can be compared

    def _offer_soon(self, event: object = None) -> None:
        self._soon.start()

    def offer(self) -> None:
        """Show which layers can be compared; a new prediction whose truth is here is ticked.

        A comparison ends when its own layers are removed, and when a scan or a prediction that was compared
        has left the viewer or shows other voxels.
        """
        ended = self._why_ended()
        if ended is not None:
            self._ended = ended
            self._take_off()
        panel = self._dock.choices
        scans, labels = candidates.scans_of(self._viewer), candidates.labels_of(self._viewer)
        names = [layer.name for layer in scans]
        fresh = [each for each in candidates.likely_predictions(scans) if each.name not in self._known]
        ticked = [name for name in names if name in panel.all_ticked] + [each.name for each in fresh]
        self._known = set(names)
        first = next((layer for layer in scans if layer.name in ticked), None)
        likely = None if first is None else candidates.likely_truth(first, scans)
        truth = panel.truth_name if self._truth_by_user and panel.truth_name in names else None
        lesions = candidates.likely_lesions(labels)
        panel.offer(
            names,
            [layer.name for layer in labels],
            ticked=ticked,
            truth=truth or (likely.name if likely is not None else panel.truth_name),
            lesions=panel.lesions_name if self._lesions_by_user else (lesions.name if lesions else None),
            mask=panel.mask_name,
        )
        if self._job is None:
            self._say_ready()
            if ended is not None:
                self._say(ended)

    def _why_ended(self) -> Status | None:
        """Say why the comparison that is shown cannot be shown any more, or return None where it can."""
        if self.stage.is_on and not self.stage.is_whole:
            return ENDED
        if self._compared is not None and not self._compared.is_shown_in(self._viewer):
            return REPLACED
        return None

    def _remember(self) -> None:
        self._truth_by_user = self._lesions_by_user = True
        self._ended = None
        if self._job is None:
            self._say_ready()

    def _say_ready(self) -> None:
        panel = self._dock.choices
        if not (panel.ticked and panel.truth_name):
            self._say(NOTHING)
        elif not self.stage.is_on:
            self._say(self._ended or READY)

    # ------------------------------------------------------------------ comparing

    @property
    def busy(self) -> bool:
        """Whether something is being worked out."""
        return self._job is not None

    def compare(self) -> None:
        """Compare what is chosen."""
        task = self._task()
        panel = self._dock.choices
        compared = Compared(self._layer(name) for name in (*panel.ticked, panel.truth_name or ""))
        self._ended = None
        self._start(lambda: looking(task), partial(self._show_looked, compared))

    def cancel(self) -> None:
        """Stop what is running; nothing changes."""
        if self._job is not None:
            self._job.cancel()

    def end(self) -> None:
        """Take the comparison off the viewer and give the user's view back."""
        self._take_off()
        self._say(READY)

    def _take_off(self) -> None:
        self._arrival.begin(self._going_off(), at_once=not self._executor.asynchronous)

    def _task(self) -> Task:
        panel = self._dock.choices
        if panel.truth_name is None:
            raise InputError("There is no scan to compare with.", hint="Open the real scan first.")

        def labels(name: str | None) -> Any:
            return None if name is None else candidates.label_volume_of(self._layer(name))

        return Task(
            tuple(candidates.volume_of(self._layer(name)) for name in panel.ticked),
            candidates.volume_of(self._layer(panel.truth_name)),
            labels(panel.mask_name),
            labels(panel.lesions_name),
            panel.chosen_matching,
        )

    def _layer(self, name: str) -> Layer:
        if name not in self._viewer.layers:
            self.offer()
            raise InputError(f"There is no layer “{name}” any more.", hint="Choose again.")
        return self._viewer.layers[name]

    def _start(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        if self._job is not None:
            return
        self._job = Job(work, self._show_step, partial(self._end_job, done))
        self._say(Status(State.BUSY, "Comparing …"))
        self._executor.run(self._job)

    def _show_step(self, step: Any) -> None:
        self._say(Status(State.BUSY, step.message, progress=step))

    def _end_job(self, done: Callable[[Any], None], outcome: Outcome[Any]) -> None:
        self._job = None
        if isinstance(outcome, Ok):
            done(outcome.value)
        elif isinstance(outcome, Failed):
            self._say(Status(State.FAILED, outcome.message, outcome.hint))
        elif isinstance(outcome, Cancelled):
            self._say(Status(State.READY, "Cancelled."))

    def _show_looked(self, compared: Compared, looked: tuple[Looked, ...]) -> None:
        self._listening_to_compared.cut()
        self._compared = compared
        self._listening_to_compared.make(self._offer_soon, *(layer.events.data for layer in compared.layers))
        if not compared.is_shown_in(self._viewer):  # it changed while it was measured
            self.offer()
            return
        self.looked = looked
        self._dock.ways.show_predictions([each.comparison.name for each in looked])
        self._dock.offer_regions(list(looked[0].looks))
        self._say(Status(State.BUSY, "Showing …"))
        self._arrival.begin(self._coming_on(looked), at_once=not self._executor.asynchronous)

    def _coming_on(self, looked: tuple[Looked, ...]) -> Iterator[None]:
        """Put comparisons on the stage; where that fails, give the view back and say why."""
        try:
            yield from self.stage.begin(looked, self.stage.way)
        except MrsynthError as error:
            yield from self._going_off()
            self._say(Status(State.FAILED, error.message, error.hint))
        except Exception as error:
            _log.exception("A comparison could not be shown")
            yield from self._going_off()
            said = f"{type(error).__name__}: {error}"
            self._say(Status(State.FAILED, said, "This is a bug; please report it."))

    def _going_off(self) -> Iterator[None]:
        """Take the comparison out of dock and viewer; the user's view comes back."""
        self.looked = ()
        self._compared = None
        self._listening_to_compared.cut()
        self._dock.show_results(running=False)
        self._dock.ways.show_way(self.stage.way, running=False)
        return self.stage.ending()

    def _show_arrived(self) -> None:
        scene.letter_sides(self._viewer)
        if self.looked:
            self._dock.ways.show_way(self.stage.way, running=True)
            self._dock.show_results(running=True)
            self._show_figures()
            names = ", ".join(each.comparison.name for each in self.looked)
            self._say(Status(State.DONE, f"Compared {names} with {self.looked[0].comparison.truth_name}."))

    # ------------------------------------------------------------------ looking

    def _look(self, way: Way) -> None:
        self.stage.look(way)
        self._dock.ways.show_way(way, running=bool(self.looked))

    def _slide(self, way: Way, value: int) -> None:
        if way is Way.SWIPE:
            self.stage.swipe_to(value / 100)
        elif way is Way.CHECKER:
            self.stage.tile_to(float(value))

    def _choose(self, index: int) -> None:
        self.stage.choose(index)
        self._show_figures()

    def _show_figures(self) -> None:
        if not self.looked:
            return
        dock = self._dock
        current = self.looked[max(dock.ways.prediction.currentIndex(), 0)]
        region = dock.region_name
        looks = current.looks.get(region) or current.looks["brain"]
        dock.table.show_comparisons([each.comparison for each in self.looked], region)
        moved = [each.note for each in self.looked if each.note]
        dock.how.setText("\n".join([*how_measured(current.comparison), *moved]))
        dock.histogram.show_counts(*looks.histogram)
        dock.places.show_places(looks.worst)
        self._show_curve()

    def _show_curve(self) -> None:
        place = self.stage.place.sliced()
        if place is None or not self.looked:
            return
        axis, index = place
        current = self.looked[max(self._dock.ways.prediction.currentIndex(), 0)]
        looks = current.looks.get(self._dock.region_name) or current.looks["brain"]
        self._dock.curve.show_errors(looks.by_slice[axis], SLICES[axis])
        self._dock.curve.show_slice(index)

    def _follow_viewer(self, event: Any = None) -> None:
        if not self.looked or not self.stage.is_on:
            return
        if event is None or event.type != "point":
            self.stage.redraw()
        self._show_curve()

    # ------------------------------------------------------------------ saying and writing

    def _export(self) -> None:
        path = self._questions.save_as("Export the comparison")
        if path is None:
            return
        self.offer()
        looked = self.looked
        if not looked:
            raise InputError("The comparison ended before it was exported.", hint="Compare again.")
        place = self.stage.place.sliced()
        index = place[1] if place is not None and place[0] == 0 else None
        self._start(lambda: exporting(looked, path, index), self._show_written)

    def _show_written(self, path: Path) -> None:
        self._say(Status(State.DONE, f"Wrote {path.name}.", f"In {path.parent}"))

    def _say(self, status: Status) -> None:
        busy = status.state is State.BUSY
        panel = self._dock.choices
        panel.setEnabled(not busy)
        why = None if busy or (panel.ticked and panel.truth_name) else NOTHING
        self._dock.run.show_status(status, why_not=why, can_save=bool(self.looked))
        self._dock.run.run.setToolTip(
            "Measure, and show truth and predictions together" if why is None else ""
        )
