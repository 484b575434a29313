"""The dock “Structure maps”: its layout. What happens in it is the presenter's.

Opening it imports neither torch nor any other heavy library; they come with the first preview, in its thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_mrsynth.gui.structure.panel import StructurePanel
from napari_mrsynth.gui.structure.presenter import StructurePresenter
from napari_mrsynth.gui.structure.questions import QtStructureQuestions, StructureQuestions
from napari_mrsynth.gui.widgets.pieces import muted, rule
from napari_mrsynth.gui.widgets.run_bar import RunBar
from napari_mrsynth.gui.widgets.style import style_sheet

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_mrsynth.gui.structure.session import StructureSession


class StructureDock(QWidget):
    """Look at a scan's structural feature map, keep it as a layer, save it.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer whose layers it works with.
    session : StructureSession, optional
        One with worker threads if not given.
    questions : StructureQuestions, optional
        Who answers what only the user can; dialogs if not given.
    """

    def __init__(
        self,
        napari_viewer: ViewerModel,
        session: StructureSession | None = None,
        questions: StructureQuestions | None = None,
    ) -> None:
        super().__init__()
        self.setObjectName("structure")
        self.setMinimumWidth(320)
        self._viewer = napari_viewer
        self.panel = StructurePanel()
        self.run = RunBar()
        self.run.run.setText("Keep as layer")
        self.run.live.setToolTip("Draw the map of the axial slice that is shown, as the sliders move")
        self.run.save.setToolTip("Write the map that was kept last as NIfTI, with how it was made beside it")
        self._lay_out()
        self.presenter = StructurePresenter(
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
    def session(self) -> StructureSession:
        """What the dock shows."""
        return self.presenter.session

    def explain(self, *, can_keep: bool) -> None:
        """Say what the first button does, or why it cannot."""
        if can_keep:
            self.run.run.setToolTip("Make the map of the whole volume, as a layer")

    def sizeHint(self) -> QSize:  # noqa: N802
        """Wide enough for the sliders."""
        return QSize(360, 560)

    def _dress(self, event: object = None) -> None:
        self.setStyleSheet(style_sheet(self._viewer.theme))

    def _lay_out(self) -> None:
        whole = QVBoxLayout(self)
        whole.setContentsMargins(8, 6, 8, 8)
        whole.setSpacing(6)
        whole.addWidget(self.panel)
        whole.addWidget(
            muted("Edges of a scan as a 0/1 map: the anatomy that a generator can draw any contrast from.")
        )
        whole.addStretch(1)
        whole.addWidget(rule())
        whole.addWidget(self.run)
