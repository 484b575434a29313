"""The dock “Lesion studio”: its layout. What happens in it is the presenter's.

Opening it imports no heavy library; they come with the first job, in its thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize

from napari_mrsynth.gui.lesions.images import LesionImages
from napari_mrsynth.gui.lesions.images_panel import ImagesPanel
from napari_mrsynth.gui.lesions.images_presenter import ImagesPresenter
from napari_mrsynth.gui.lesions.paint_panel import PaintPanel
from napari_mrsynth.gui.lesions.presenter import LesionPresenter
from napari_mrsynth.gui.lesions.stamp_panel import StampPanel
from napari_mrsynth.gui.structure.questions import QtStructureQuestions, StructureQuestions
from napari_mrsynth.gui.widgets.dock_frame import DockFrame
from napari_mrsynth.gui.widgets.pieces import rule
from napari_mrsynth.gui.widgets.run_bar import RunBar

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_mrsynth.bundles import BundleStore
    from napari_mrsynth.gui.lesions.session import LesionSession


class LesionDock(DockFrame):
    """Paint lesions into a patient's brain, stamp real ones, make images of them, save both.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer whose layers it works with.
    session : LesionSession, optional
        One with worker threads if not given.
    questions : StructureQuestions, optional
        Who answers what only the user can; dialogs if not given.
    store : BundleStore, optional
        Where models are found; the default folders if not given.
    """

    def __init__(
        self,
        napari_viewer: ViewerModel,
        session: LesionSession | None = None,
        questions: StructureQuestions | None = None,
        store: BundleStore | None = None,
    ) -> None:
        super().__init__(napari_viewer, "lesions")
        self.paint = PaintPanel()
        self.stamp = StampPanel()
        self.make = ImagesPanel()
        self.run = RunBar()
        self.run.live.setVisible(False)
        self.run.run.setText("Stamp lesion")
        self.run.save.setToolTip("Write the painted labels as NIfTI, on the scan's own grid")
        self._lay_out()
        questions = questions or QtStructureQuestions(self)
        self.presenter = LesionPresenter(self, napari_viewer, session, questions)
        self.images = LesionImages(self.presenter.session, store)
        self.presenter.brain_of = self.images.brain_of
        self.presenter.connect()
        making = ImagesPresenter(self.make, napari_viewer, self.images, self.presenter, questions)
        self.making = making
        making.connect()
        self.come_alive(making.disconnect, self.presenter.disconnect)

    @property
    def session(self) -> LesionSession:
        """What the dock shows."""
        return self.presenter.session

    def sizeHint(self) -> QSize:  # noqa: N802
        """High enough for all of it."""
        return QSize(376, 940)

    def _lay_out(self) -> None:
        sections = self.frame(self.run)
        sections.addWidget(self.paint)
        sections.addWidget(self.stamp)
        sections.addWidget(rule())
        sections.addWidget(self.make)
        sections.addStretch(1)
