"""The dock “Training”: its layout, and that it is not closed by mistake.

What happens in it is the presenter's.
Opening it imports neither torch nor Lightning: trainings run in a process of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QPoint, QSize, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QApplication, QMainWindow, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from napari_mrsynth.gui.training.before_after import BeforeAfter
from napari_mrsynth.gui.training.controls import Controls
from napari_mrsynth.gui.training.curve_view import CurveView
from napari_mrsynth.gui.training.finetune_panel import FineTunePanel
from napari_mrsynth.gui.training.presenter import TrainingPresenter
from napari_mrsynth.gui.training.questions import QtTrainingQuestions, TrainingQuestions
from napari_mrsynth.gui.training.sample_view import SampleView
from napari_mrsynth.gui.training.train_panel import TrainPanel
from napari_mrsynth.gui.widgets.dock_frame import DockFrame
from napari_mrsynth.gui.widgets.pieces import heading

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_mrsynth.gui.training.session import TrainingSession


class TrainingDock(DockFrame):
    """Fine-tune a model on a few scans, or train one, and watch it.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer whose Synthesis dock gets the new models.
    session : TrainingSession, optional
        One with a real process and worker threads if not given.
    questions : TrainingQuestions, optional
        Who answers what only the user can; dialogs if not given.
    """

    def __init__(
        self,
        napari_viewer: ViewerModel,
        session: TrainingSession | None = None,
        questions: TrainingQuestions | None = None,
    ) -> None:
        super().__init__(napari_viewer, "training")
        self._home, self._let_go = "", False
        self._main: QMainWindow | None = None
        self.tune = FineTunePanel()
        self.train = TrainPanel()
        self.modes = QTabWidget()
        self.modes.setAccessibleName("What to do")
        self.progress = self._revealed = heading("Progress")
        self.curve = CurveView()
        self.sample = SampleView()
        self.result = BeforeAfter()
        self.controls = Controls()
        self._lay_out()
        self.presenter = TrainingPresenter(
            self, napari_viewer, session, questions or QtTrainingQuestions(self)
        )
        self.presenter.connect()
        self.come_alive(self.presenter.disconnect, self._end_when_napari_quits())

    @property
    def session(self) -> TrainingSession:
        """What the dock shows."""
        return self.presenter.session

    def sizeHint(self) -> QSize:  # noqa: N802
        """Wide enough for the tables."""
        return QSize(390, 860)

    def show_whose(self, run: str | None) -> None:
        """Say whose progress is shown: of what runs or will, or of a run that has ended."""
        self.progress.setText("PROGRESS" if run is None else f"LAST RUN: {run}" if run else "LAST RUN")

    def reveal(self, widget: QWidget) -> None:
        """Scroll so that a widget of the sections is seen whole, as far up as it goes."""
        self._revealed = widget
        QTimer.singleShot(0, self._scroll)  # when what has just been shown has its place

    def _scroll(self) -> None:
        area = self.findChild(QScrollArea)
        inside = None if area is None else area.widget()
        bar = None if area is None else area.verticalScrollBar()
        if inside is not None and bar is not None:
            bar.setValue(self._revealed.mapTo(inside, QPoint(0, 0)).y())

    # ------------------------------------------------------------------ leaving

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Remember where it is shown, and watch the window for being closed."""
        home, window = self.parentWidget(), self.window()
        if home is not None and home.objectName():
            self._home = home.objectName()
        if isinstance(window, QMainWindow):
            self._main = window
            window.removeEventFilter(self)
            window.installEventFilter(self)
        self.presenter.refresh()
        super().showEvent(event)

    def event(self, event: QEvent | None) -> bool:
        """Ask when the dock was closed while a training runs."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parentWidget() is None:
            QTimer.singleShot(0, self._ask_after_closing)
        return bool(super().event(event))

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Ask before the window is closed while a training runs."""
        if event is not None and event.type() == QEvent.Type.Close and watched is self._main:
            if not self._let_go and not self.presenter.may_leave():
                event.ignore()
                return True
            self._let_go = True  # napari may close in two goes, and may be told not to
            QTimer.singleShot(0, self._end_if_closed)
        return bool(super().eventFilter(watched, event))

    def _end_if_closed(self) -> None:
        """End the training unless the window was kept after all, as napari's own question can have it."""
        self._let_go = False
        if self._main is not None and not self._main.isVisible():
            self.presenter.end()

    def _end_when_napari_quits(self) -> Callable[[], None]:
        """End what runs when the application quits without closing its windows; return what undoes that."""
        application, end = QApplication.instance(), self.presenter.end
        if application is None:
            return lambda: None
        application.aboutToQuit.connect(end)
        return lambda: application.aboutToQuit.disconnect(end)

    def _ask_after_closing(self) -> None:
        """Come back where the user would rather keep the training; napari has taken the dock away by then."""
        window = getattr(self._viewer, "window", None)
        if self.parentWidget() is not None:
            return
        if self.presenter.may_leave() or window is None:
            self.presenter.end()
        else:
            window.add_dock_widget(self, name=self._home, area="right")

    def _lay_out(self) -> None:
        for panel, name in ((self.tune, "Fine-tune on my scans"), (self.train, "Train a model")):
            page = QWidget()
            inside = QVBoxLayout(page)
            inside.setContentsMargins(6, 8, 6, 6)
            inside.addWidget(panel)
            inside.addStretch(1)
            self.modes.addTab(page, name)
        sections = self.frame(self.controls)
        sections.addWidget(self.modes)
        sections.addWidget(self.progress)
        sections.addWidget(self.curve)
        sections.addWidget(self.result)
        sections.addWidget(self.sample)
        sections.addStretch(1)
