"""The dock “Compare”: its layout. What happens in it is the presenter's.

Opening it imports no heavy library; they come with the first comparison, in its thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_mrsynth.gui.compare.choices import ChoicePanel
from napari_mrsynth.gui.compare.curve import SliceCurve
from napari_mrsynth.gui.compare.histogram import JointHistogram
from napari_mrsynth.gui.compare.inside_panel import InsidePanel, InsidePresenter
from napari_mrsynth.gui.compare.places_list import PlacesList
from napari_mrsynth.gui.compare.presenter import ComparePresenter
from napari_mrsynth.gui.compare.questions import CompareQuestions, QtCompareQuestions
from napari_mrsynth.gui.compare.table import FiguresTable
from napari_mrsynth.gui.compare.ways_bar import WaysBar
from napari_mrsynth.gui.executor import QtExecutor
from napari_mrsynth.gui.widgets.dock_frame import DockFrame
from napari_mrsynth.gui.widgets.pieces import heading, muted
from napari_mrsynth.gui.widgets.run_bar import RunBar

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_mrsynth.session.job import Executor


class CompareDock(DockFrame):
    """Look at predictions and their truth in several ways, measure them, go where they differ most.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer whose layers are compared.
    executor : Executor, optional
        Where the work is done; worker threads if not given.
    questions : CompareQuestions, optional
        Who answers what only the user can; dialogs if not given.

    Attributes
    ----------
    region_chosen : Signal of int
        Another region is to be shown.
    """

    region_chosen = Signal(int)

    def __init__(
        self,
        napari_viewer: ViewerModel,
        executor: Executor | None = None,
        questions: CompareQuestions | None = None,
    ) -> None:
        super().__init__(napari_viewer, "compare", 360)
        self.choices = ChoicePanel()
        self.ways = WaysBar()
        self.end = QToolButton()
        self.end.setObjectName("plain")
        self.end.setText("End")
        self.end.setToolTip("End the comparison: the view is as it was before")
        self.region = QComboBox()
        self.region.setToolTip("Where curve, histogram and worst places look")
        self.region.activated.connect(self.region_chosen)
        self.table = FiguresTable()
        self.how = muted()
        self.how.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.curve = SliceCurve()
        self.histogram = JointHistogram()
        self.places = PlacesList()
        self.run = RunBar()
        self.run.live.hide()
        self.run.run.setText("Compare")
        self.run.save.setText("Export…")
        self.run.save.setToolTip("Write the figures as CSV or JSON, a picture, or a one-page report")
        self.inside = InsidePanel()
        self._results = QWidget()
        self._lay_out()
        self.show_results(running=False)
        executor = executor or QtExecutor()
        self.presenter = ComparePresenter(
            self, napari_viewer, executor, questions or QtCompareQuestions(self)
        )
        self.inside_presenter = InsidePresenter(self.inside, napari_viewer, executor)
        self.presenter.connect()
        self.come_alive(self.inside_presenter.let_go, self.presenter.disconnect)

    def show_results(self, *, running: bool) -> None:
        """Show the part that needs a comparison, or hide it."""
        self._results.setVisible(running)
        self.end.setVisible(running)

    def offer_regions(self, names: Sequence[str]) -> None:
        """Offer the regions that were scored; the brain first, or what was looked at before."""
        before = self.region_name
        self.region.clear()
        self.region.addItems(list(names))
        self.region.setCurrentText(before if before in names else "brain")

    @property
    def region_name(self) -> str:
        """The region that is looked at."""
        return self.region.currentText() or "brain"

    def sizeHint(self) -> QSize:  # noqa: N802
        """Wide enough for a table of four columns."""
        return QSize(430, 900)

    def _lay_out(self) -> None:
        sections = self.frame(self.run)
        sections.addWidget(heading("Compare"))
        sections.addWidget(self.choices)
        title = QHBoxLayout()
        title.addWidget(heading("Ways of looking"), 1)
        title.addWidget(self.end)
        found = QVBoxLayout(self._results)
        found.setContentsMargins(0, 0, 0, 0)
        found.setSpacing(6)
        found.addLayout(title)
        found.addWidget(self.ways)
        row = QHBoxLayout()
        row.addWidget(heading("Figures"), 1)
        row.addWidget(QLabel("Region"))
        row.addWidget(self.region)
        found.addLayout(row)
        found.addWidget(self.table)
        found.addWidget(self.how)
        for name, piece in (
            ("Mean absolute error by slice", self.curve),
            ("Worst places", self.places),
            ("Joint histogram", self.histogram),
        ):
            found.addWidget(heading(name))
            found.addWidget(piece)
        sections.addWidget(self._results)
        sections.addWidget(heading("Look inside"))
        sections.addWidget(self.inside)
        sections.addStretch(1)
