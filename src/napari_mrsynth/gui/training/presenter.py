"""Carries signals between the “Training” dock, its session and the Synthesis dock."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_mrsynth.bundles import BundleStore
from napari_mrsynth.errors import InputError, MrsynthError
from napari_mrsynth.gui.compare.inside import session_in
from napari_mrsynth.gui.connections import Connections
from napari_mrsynth.gui.executor import QtExecutor
from napari_mrsynth.gui.training import telling
from napari_mrsynth.gui.training.configurations import Configuration, shipped
from napari_mrsynth.gui.training.names import require_name, what_is_there
from napari_mrsynth.gui.training.patients import FEWEST, DataFolder, Patient
from napari_mrsynth.gui.training.process import QtProcess
from napari_mrsynth.gui.training.session import Mode, TrainingSession
from napari_mrsynth.gui.training.tasks import (
    TRAININGS,
    FineTuneTask,
    Task,
    TrainTask,
)
from napari_mrsynth.gui.training.telling import Phase, Said
from napari_mrsynth.training.registry import UNWATCHED

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_mrsynth.bundles import Card
    from napari_mrsynth.gui.training.dock import TrainingDock
    from napari_mrsynth.gui.training.questions import TrainingQuestions

TICK_MS = 500
"""How often what a training writes is looked at."""

_MODES = (Mode.FINE_TUNE, Mode.TRAIN)


class TrainingPresenter:
    """Makes the dock work.

    Parameters
    ----------
    dock : TrainingDock
    viewer : napari.components.ViewerModel
    session : TrainingSession or None
        None for one with a real process and worker threads.
    questions : TrainingQuestions
    """

    def __init__(
        self,
        dock: TrainingDock,
        viewer: ViewerModel,
        session: TrainingSession | None,
        questions: TrainingQuestions,
    ) -> None:
        self._dock = dock
        self._viewer = viewer
        self.questions = questions
        self.session = session or TrainingSession(QtProcess(), QtExecutor())
        self.store = BundleStore()
        self._configurations = shipped()
        self._configuration = 0
        self._took_contrasts = False
        self._listening = Connections()
        self._clock = QTimer(dock)
        self._clock.setInterval(TICK_MS)
        self._clock.timeout.connect(self._tick)

    def connect(self) -> None:
        """Connect everything and show how things stand."""
        dock, session = self._dock, self.session
        acts: tuple[tuple[Any, Callable[..., None]], ...] = (
            (dock.tune.folder_asked, self._add_folder),
            (dock.tune.open_patient_asked, self._take_open),
            (dock.tune.removal_asked, session.remove),
            (dock.train.folder_asked, self._choose_data),
            (dock.train.configuration_asked, self._open_configuration),
            (dock.controls.start_asked, self._start),
            (dock.controls.pause_asked, session.pause),
            (dock.controls.resume_asked, session.resume),
            (dock.controls.stop_asked, session.stop),
            (dock.train.unfinished.go_on_asked, self._go_on),
            (dock.train.configuration_chosen, self._choose_configuration),
            (dock.train.start_chosen, self._choose_start),
            (dock.train.changed, self._show_patients),
            (dock.tune.changed, self._show_patients),
        )
        for signal, act in acts:
            signal.connect(partial(self._tell, act))
        dock.modes.currentChanged.connect(self._choose_mode)
        listen = self._listening.make
        listen(self._show_patients, session.patients_changed)
        listen(self._show_said, session.said_changed)
        listen(self._show_figures, session.figures_changed)
        listen(self._show_result, session.fine_tuned)
        listen(self._show_model, session.model_made)
        dock.tune.show_models(self._parents())
        self._show_configurations()
        self._show_unfinished()
        self._show_patients()
        self._show_said(session.said)
        self._clock.start()

    def disconnect(self) -> None:
        """Let go of the session and end what is running; the dock's pieces are gone by now."""
        self._listening.cut()
        self.session.close()

    def may_leave(self) -> bool:
        """Ask whether the dock may go while a training runs; it goes on until :meth:`end` is called."""
        if not self.session.running:
            return True
        text = "A training is running and ends with this dock. "
        if not isinstance(self.session.task, TRAININGS):
            text += "Nothing of it is kept."
        elif self.session.has_checkpoint:
            text += "It can go on from its last checkpoint later: it is listed as unfinished."
        else:
            text += "Nothing is kept yet: it would begin anew."
        return self.questions.confirm("A training is running", text, "Stop the training")

    def end(self) -> None:
        """End what is running without a word."""
        self.session.close()

    def refresh(self) -> None:
        """Show which patient is open in the Synthesis dock."""
        open_ = session_in(self._viewer)
        study = None if open_ is None else open_.study
        self._dock.tune.show_open(None if study is None else study.name)

    # ------------------------------------------------------------------ what the user does

    def _tell(self, act: Callable[..., None], *given: Any) -> None:
        """Do what the user asked; what the project refuses is said in the dock, until something is done."""
        before = self.session.said
        try:
            act(*given)
        except MrsynthError as error:
            self.session.report(error)
        else:
            if self.session.said is before:  # else the act has said something of its own
                self.session.forget_refusal()

    def _add_folder(self) -> None:
        folder = self.questions.folder("A folder with one patient's scans")
        if folder is not None:
            self.session.add([folder])

    def _take_open(self) -> None:
        open_ = session_in(self._viewer)
        if open_ is None or open_.study is None:
            raise InputError("No patient is open in the Synthesis dock.", hint="Open one there first.")
        self.session.take(open_.study)

    def _choose_data(self) -> None:
        folder = self.questions.folder("A folder that holds a folder per patient")
        if folder is not None:
            self.session.look_through(self._read_in(folder))

    def _open_configuration(self) -> None:
        path = self.questions.configuration()
        if path is not None:
            self._configurations.append(Configuration.read(path))
            self._choose_configuration(len(self._configurations) - 1)

    def _choose_configuration(self, index: int) -> None:
        self._configuration = index
        self._show_configurations()
        self._choose_start()
        data = self.session.data
        if data is not None and data != self._read_in(data.root):
            self.session.look_through(self._read_in(data.root))

    def _choose_start(self) -> None:
        """Take over the contrasts of the model that is started from; its network knows no others."""
        panel, parent, current = self._dock.train, self._started_from(), self._current
        takes = parent is not None and parent.system == "anysubset"
        if parent is not None and takes:
            panel.contrasts.setText(", ".join(dict.fromkeys((*parent.inputs, *parent.outputs))))
        elif current is not None and (self._took_contrasts or panel.starts_as_configured):
            panel.contrasts.setText(", ".join(current.settings.data.contrasts))
        self._took_contrasts = takes
        scratch = panel.start.currentData() == ""
        panel.contrasts.setEnabled(scratch and current is not None and current.takes_any_contrasts)
        self._show_patients()

    def _choose_mode(self, index: int) -> None:
        self._show_unfinished()
        self.session.choose(_MODES[index])

    def _go_on(self, folder: Path) -> None:
        """Go on with a training that was interrupted, perhaps by the end of another napari."""
        found = next((task for task in self.session.unfinished() if task.folder == folder), None)
        if found is None:
            self._show_unfinished()
            raise InputError(f"There is nothing to go on with in {folder}.", hint="Start it anew.")
        self.session.start(found)
        self._dock.reveal(self._dock.progress)

    def _start(self) -> None:
        task = self._fine_tuning() if self.session.mode is Mode.FINE_TUNE else self._training()
        fresh = not (isinstance(task, TrainTask) and task.folder.is_dir())
        if task.id:
            require_name(task.id)
        self.store.refresh()
        if fresh and any(card.id == task.id for card in self.store.cards()):
            raise InputError(f"There is a model “{task.id}” already.", hint="Give the new one another name.")
        self._dock.result.show_rows(())
        self.session.start(task)
        self._dock.reveal(self._dock.progress)

    def _fine_tuning(self) -> Task:
        panel, contrasts = self._dock.tune, self._contrasts()
        usable = [p.folder for p in self.session.mine if not p.left_out(contrasts, FEWEST)]
        return FineTuneTask(
            panel.model.currentData(),
            tuple(usable),
            panel.parts.currentData(),
            panel.steps.value(),
            panel.options.rate.value(),
            panel.options.batch.value(),
            panel.options.crop.value(),
            panel.name.text().strip(),
            self.session.new_picture(),
        )

    def _training(self) -> Task:
        panel, chosen, data = self._dock.train, self._configurations[self._configuration], self.session.data
        name = panel.name.text().strip()
        if data is None or not name:
            raise InputError("A data folder and a name are needed.", hint="Choose and type them above.")
        require_name(name)
        parent = self._started_from()
        asked = parent is not None or panel.wanted != tuple(chosen.settings.data.contrasts)
        return TrainTask(
            config=chosen.path,
            root=data.root,
            folder=self._run_folder(name),
            id=name,
            steps=panel.steps.value(),
            only=chosen.only(data.root),
            held_out=panel.patients.ticked,
            check_every=panel.check.value(),
            checkpoint_every=panel.checkpoint.value(),
            contrasts=panel.wanted if asked else (),
            start=parent,
            scratch=bool(chosen.settings.start) and panel.start.currentData() == "",
            own=chosen.own,
            pace=panel.options.changed,
            further=panel.options.lines,
            watched=chosen.settings.system not in UNWATCHED,
        )

    # ------------------------------------------------------------------ what there is

    @property
    def _current(self) -> Configuration | None:
        """The configuration that is chosen."""
        return self._configurations[self._configuration] if self._configurations else None

    def _parents(self) -> list[Card]:
        return [card for card in self.store.cards() if card.system == "anysubset"]

    def _starts(self) -> list[Card]:
        system = "" if self._current is None else self._current.settings.system
        return [card for card in self.store.cards() if card.system == system]

    def _started_from(self) -> Card | None:
        chosen = self._dock.train.start.currentData()
        return next((card for card in self._starts() if card.id == chosen), None)

    def _cohort(self) -> tuple[Patient, ...]:
        """Return the patients of the data folder that the configuration is for."""
        session = self.session
        only = ""
        if session.data is not None and self._current is not None:
            only = self._current.only(session.data.root)
        return tuple(p for p in session.cohort if not only or fnmatchcase(p.id, only))

    def _read_in(self, root: Path) -> DataFolder:
        """Return a data folder as the configuration that is chosen reads it."""
        return DataFolder(root) if self._current is None else self._current.data_in(root)

    def _contrasts(self) -> tuple[str, ...]:
        chosen = self._dock.tune.model.currentData()
        card = next((card for card in self._parents() if card.id == chosen), None)
        return () if card is None else tuple(dict.fromkeys((*card.inputs, *card.outputs)))

    def _run_folder(self, name: str) -> Path:
        return self.session.runs / name

    # ------------------------------------------------------------------ what is shown

    def _show_configurations(self) -> None:
        self._dock.train.show_configurations(self._configurations, self._configuration)
        self._show_starts(anew=True)

    def _show_starts(self, *, anew: bool) -> None:
        current = self._current
        configured = "" if current is None else current.settings.start
        self._dock.train.show_starts(self._starts(), configured, anew=anew)

    def _show_unfinished(self) -> None:
        self._dock.train.unfinished.show_runs(self.session.unfinished())

    def _show_patients(self) -> None:
        dock, session = self._dock, self.session
        dock.tune.show_patients(session.mine, self._contrasts())
        dock.train.show_patients(session.data, self._cohort())
        self._show_where()
        self._show_said(session.said)

    def _show_where(self) -> None:
        """Say where a training goes, and whether one is there already."""
        dock = self._dock
        name = dock.train.name.text().strip()
        folder = self._run_folder(name)
        said = f"Log, checkpoints and pictures go into a run folder. {what_is_there(folder, name)}"
        dock.train.where.setText(said.strip())
        dock.train.where.setToolTip(str(folder))

    def _show_said(self, said: Said) -> None:
        session, dock = self.session, self._dock
        if session.mode is Mode.FINE_TUNE:
            contrasts = self._contrasts()
            able = any(not patient.left_out(contrasts, FEWEST) for patient in session.mine)
        else:
            wanted, held = dock.train.wanted, dock.train.patients.ticked
            able = any(not p.left_out(wanted) for p in self._cohort() if p.id not in held)
        busy = session.busy
        if not busy and not dock.tune.isEnabled():  # something has just ended
            self._show_unfinished()
            self._show_where()
        for panel in (dock.tune, dock.train):
            panel.setEnabled(not busy)
        for index in range(dock.modes.count()):
            dock.modes.setTabEnabled(index, not busy or index == dock.modes.currentIndex())
        train = session.mode is Mode.TRAIN
        if said.phase in (Phase.EMPTY, Phase.READY) and not said.progress and not able:
            if not train:
                said = telling.NO_USE if session.mine else telling.NOBODY
            elif session.cohort:
                said = Said(Phase.EMPTY, "Nobody is left to learn from.", "See why in the list.")
            else:
                said = telling.NO_DATA
        self._show_whose()
        dock.controls.show_said(said, can_start=able, can_pause=train, can_resume=session.can_resume)

    def _show_figures(self) -> None:
        session, dock = self.session, self._dock
        if self._shows(session.task):
            seen = session.figures
            dock.curve.show_curves(seen.losses, seen.errors, seen.steps, seen.error_name)
            dock.sample.show_picture(seen.sample)
        else:  # what is known is of the other kind of training
            dock.curve.show_curves((), (), 0)
            dock.sample.show_picture(None)
        dock.result.setVisible(session.mode is Mode.FINE_TUNE and dock.result.rowCount() > 0)

    def _show_whose(self) -> None:
        task = None if self.session.running else self.session.task
        self._dock.show_whose(task.id if task is not None and self._shows(task) else None)

    def _shows(self, task: Task | None) -> bool:
        """Say whether a task is of the kind that is chosen."""
        return isinstance(task, FineTuneTask if self.session.mode is Mode.FINE_TUNE else TRAININGS)

    def _show_result(self, report: Any) -> None:
        self._dock.result.show_rows(telling.rows_of(report))
        self._dock.reveal(self._dock.result)

    def _show_model(self, model: str) -> None:
        self.store.refresh()
        self._dock.tune.show_models(self._parents())
        self._show_starts(anew=False)
        open_ = session_in(self._viewer)
        if open_ is not None:
            open_.store.refresh()
            open_.choice_changed.emit()

    def _tick(self) -> None:
        if self.session.running:
            self.session.tick()
        else:
            self.refresh()
