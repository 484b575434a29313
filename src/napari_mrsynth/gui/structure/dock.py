"""The dock “Structure maps”: its layout. What happens in it is the presenter's.

Opening it imports neither torch nor any other heavy library; they come with the first preview, in its thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize

from napari_mrsynth.gui.structure.panel import StructurePanel
from napari_mrsynth.gui.structure.presenter import StructurePresenter
from napari_mrsynth.gui.structure.questions import QtStructureQuestions, StructureQuestions
from napari_mrsynth.gui.widgets.dock_frame import DockFrame
from napari_mrsynth.gui.widgets.pieces import muted
from napari_mrsynth.gui.widgets.run_bar import RunBar

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_mrsynth.gui.structure.session import StructureSession


class StructureDock(DockFrame):
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
        super().__init__(napari_viewer, "structure", 320)
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
        self.come_alive(self.presenter.disconnect)

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

    def _lay_out(self) -> None:
        sections = self.frame(self.run)
        sections.addWidget(self.panel)
        sections.addWidget(
            muted("Edges of a scan as a 0/1 map: the anatomy that a generator can draw any contrast from.")
        )
        sections.addStretch(1)
