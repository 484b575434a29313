"""The dock “Synthesis”: its layout. What happens in it is :class:`~napari_mrsynth.gui.presenter.Presenter`'s.

Opening it imports neither torch nor any other heavy library; they come with the first job, in its thread.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QHBoxLayout, QLabel, QToolButton

from napari_mrsynth.gui.presenter import Presenter
from napari_mrsynth.gui.questions import QtQuestions, Questions
from napari_mrsynth.gui.widgets.dock_frame import DockFrame
from napari_mrsynth.gui.widgets.load_bar import LoadBar
from napari_mrsynth.gui.widgets.make_panel import MakePanel
from napari_mrsynth.gui.widgets.model_panel import ModelPanel
from napari_mrsynth.gui.widgets.pieces import heading
from napari_mrsynth.gui.widgets.run_bar import RunBar
from napari_mrsynth.gui.widgets.study_table import StudyTable
from napari_mrsynth.gui.widgets.view_bar import ViewBar

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from qtpy.QtGui import QDragEnterEvent, QDropEvent

    from napari_mrsynth.session import SynthesisSession


class SynthesisDock(DockFrame):
    """Open a patient, switch contrasts on and off, make the missing ones, save them.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer whose layers it works with.
    session : SynthesisSession, optional
        What it shows; one with worker threads and the user's preferences if not given.
    questions : Questions, optional
        Who answers what only the user can; dialogs if not given.
    """

    def __init__(
        self,
        napari_viewer: ViewerModel,
        session: SynthesisSession | None = None,
        questions: Questions | None = None,
    ) -> None:
        super().__init__(napari_viewer, "synthesis")
        self.setAcceptDrops(True)
        self.patient = QLabel("Synthesis")
        self.patient.setObjectName("patient")
        self.patient.setSizePolicy(
            self.patient.sizePolicy().Policy.Ignored, self.patient.sizePolicy().Policy.Fixed
        )
        self.notes = QToolButton()
        self.notes.setObjectName("plain")
        self.notes.setToolTip("What was corrected or assumed while the scans were read")
        self.close_patient = QToolButton()
        self.close_patient.setObjectName("plain")
        self.close_patient.setText("Close")
        self.close_patient.setToolTip("Close this patient; its layers are removed")
        self.table = StudyTable()
        self.make = MakePanel()
        self.model = ModelPanel()
        self.view = ViewBar()
        self.run = RunBar()
        self.presenter = Presenter(self, napari_viewer, session, questions or QtQuestions(self))
        self.load = LoadBar(self.presenter.session.parts.samples())
        self._lay_out()
        self.presenter.connect()
        self.come_alive(self.presenter.disconnect)

    @property
    def session(self) -> SynthesisSession:
        """What the dock shows."""
        return self.presenter.session

    def sizeHint(self) -> QSize:  # noqa: N802
        """Wide enough for a row, high enough for four."""
        return QSize(376, 860)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # noqa: N802
        """Take files and folders that are dragged onto the dock."""
        if event is not None and _paths_of(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:  # noqa: N802
        """Open what was dropped."""
        if event is not None and (paths := _paths_of(event)):
            event.acceptProposedAction()
            self.presenter.open(paths)

    def _lay_out(self) -> None:
        title = QHBoxLayout()
        title.addWidget(self.patient, 1)
        title.addWidget(self.notes)
        title.addWidget(self.close_patient)
        sections = self.frame(self.run)
        sections.addLayout(title)
        sections.addWidget(self.load)
        for name, piece in (
            ("Inputs", self.table),
            ("Make", self.make),
            ("Model", self.model),
            ("View", self.view),
        ):
            sections.addWidget(heading(name))
            sections.addWidget(piece)
        sections.addStretch(1)


def _paths_of(event: QDropEvent) -> list[Path]:
    data = event.mimeData()
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()] if data is not None else []
