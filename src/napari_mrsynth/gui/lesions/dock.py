"""The dock “Lesion studio”: its layout. What happens in it is the presenter's.

Opening it imports no heavy library; they come with the first job, in its thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_mrsynth.gui.lesions.paint_panel import PaintPanel
from napari_mrsynth.gui.lesions.presenter import LesionPresenter
from napari_mrsynth.gui.lesions.stamp_panel import StampPanel
from napari_mrsynth.gui.structure.questions import QtStructureQuestions, StructureQuestions
from napari_mrsynth.gui.widgets.pieces import rule
from napari_mrsynth.gui.widgets.run_bar import RunBar
from napari_mrsynth.gui.widgets.style import style_sheet

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_mrsynth.gui.lesions.session import LesionSession


class LesionDock(QWidget):
    """Paint lesions into a patient's brain, stamp real ones, save the labels.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer whose layers it works with.
    session : LesionSession, optional
        One with worker threads if not given.
    questions : StructureQuestions, optional
        Who answers what only the user can; dialogs if not given.
    """

    def __init__(
        self,
        napari_viewer: ViewerModel,
        session: LesionSession | None = None,
        questions: StructureQuestions | None = None,
    ) -> None:
        super().__init__()
        self.setObjectName("lesions")
        self.setMinimumWidth(340)
        self._viewer = napari_viewer
        self.paint = PaintPanel()
        self.stamp = StampPanel()
        self.run = RunBar()
        self.run.live.setVisible(False)
        self.run.run.setText("Stamp lesion")
        self.run.save.setToolTip("Write the painted labels as NIfTI, on the scan's own grid")
        self._lay_out()
        self.presenter = LesionPresenter(
            self, napari_viewer, session, questions or QtStructureQuestions(self)
        )
        self.presenter.connect()
        self._dress()
        napari_viewer.events.theme.connect(self._dress)
        presenter, dress = self.presenter, self._dress

        def let_go() -> None:  # a function: the dock's own methods are gone when it is destroyed
            presenter.disconnect()
            napari_viewer.events.theme.disconnect(dress)

        self.destroyed.connect(let_go)

    @property
    def session(self) -> LesionSession:
        """What the dock shows."""
        return self.presenter.session

    def sizeHint(self) -> QSize:  # noqa: N802
        """High enough for all of it."""
        return QSize(376, 860)

    def _dress(self, event: object = None) -> None:
        self.setStyleSheet(style_sheet(self._viewer.theme))

    def _lay_out(self) -> None:
        inside = QWidget()
        sections = QVBoxLayout(inside)
        sections.setContentsMargins(8, 6, 8, 6)
        sections.setSpacing(6)
        sections.addWidget(self.paint)
        sections.addWidget(self.stamp)
        sections.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(inside)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        foot = QVBoxLayout()
        foot.setContentsMargins(8, 6, 8, 8)
        foot.addWidget(self.run)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(scroll, 1)
        whole.addWidget(rule())
        whole.addLayout(foot)
