"""The dock's last part: a look inside the last synthesis, one sheet of pictures at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_mrsynth.gui import scene
from napari_mrsynth.gui.compare import inside
from napari_mrsynth.gui.connections import Connections
from napari_mrsynth.gui.widgets.pieces import muted
from napari_mrsynth.session.job import Executor, Failed, Job, Ok, Outcome

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_mrsynth.session import SynthesisSession
    from napari_mrsynth.synthesis.sheets import Sheet

WHAT = "What each input alone would give on the slice that is shown, and what the model fuses."


class InsidePanel(QWidget):
    """A button that opens the slice up, and a list of what was found.

    Attributes
    ----------
    asked : Signal
        The user wants to look inside.
    sheet_chosen : Signal of int
        The user wants to see another sheet.
    """

    asked = Signal()
    sheet_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.open = QPushButton("Look inside")
        self.open.setToolTip(
            "Open up the last synthesis of the Synthesis dock on the axial slice that is shown"
        )
        self.open.clicked.connect(self.asked)
        self.sheets = QComboBox()
        self.sheets.setToolTip("Which pictures are shown")
        self.sheets.activated.connect(self.sheet_chosen)
        self.sheets.setEnabled(False)
        self.said = muted(WHAT)
        row = QHBoxLayout()
        row.addWidget(self.open)
        row.addWidget(self.sheets, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addLayout(row)
        whole.addWidget(self.said)

    def show_sheets(self, names: Sequence[str]) -> None:
        """Offer sheets."""
        self.sheets.clear()
        self.sheets.addItems(list(names))
        self.sheets.setEnabled(bool(names))


class InsidePresenter:
    """Makes the panel work.

    Parameters
    ----------
    panel : InsidePanel
    viewer : napari.components.ViewerModel
    executor : Executor
        Where slices are opened up.
    find_session : callable, optional
        Returns the session whose synthesis is looked into; that of the window's Synthesis dock if not given.
    """

    def __init__(
        self,
        panel: InsidePanel,
        viewer: ViewerModel,
        executor: Executor,
        find_session: Callable[[], SynthesisSession | None] | None = None,
    ) -> None:
        self._panel, self._viewer, self._executor = panel, viewer, executor
        self._find = find_session or partial(inside.session_in, viewer)
        self._sheets: list[Sheet] = []
        self._layer: Image | None = None
        self._job: Job[Any] | None = None
        self._listening = Connections()
        panel.asked.connect(self._ask)
        panel.sheet_chosen.connect(self._show)

    def let_go(self) -> None:
        """Stop what is running, and leave what is shown to the user."""
        self._listening.cut()
        if self._job is not None:
            self._job.on_end = lambda _: None
            self._job.cancel()

    def _ask(self) -> None:
        session = self._find()
        if session is None or session.study is None or session.result is None:
            self._panel.said.setText(
                "Nothing has been synthesised yet: make a contrast with the Synthesis dock."
            )
            return
        index = scene.slice_on(self._viewer, session.study.grid)
        if self._job is not None or index is None:
            self._panel.said.setText("Show axial slices: they are what the model works on.")
            return
        self._follow(session)
        self._panel.said.setText("Looking inside …")
        self._job = Job(lambda: inside.opening(session, index), on_end=self._end)
        self._executor.run(self._job)

    def _follow(self, session: SynthesisSession) -> None:
        """Close what is opened up of a session's result once there is another, or another patient."""
        opened = session.result

        def look() -> None:
            if session.result is not opened:
                self._close()

        self._listening.cut()
        self._listening.make(look, session.synthesised, session.study_changed)

    def _close(self) -> None:
        """Take what is shown out of viewer and panel, and stop what is running."""
        self.let_go()
        self._job = None
        inside.remove(self._viewer, self._layer)
        self._layer, self._sheets = None, []
        self._panel.show_sheets([])
        self._panel.said.setText(WHAT)

    def _end(self, outcome: Outcome[list[Sheet]]) -> None:
        self._job = None
        if isinstance(outcome, Ok):
            self._sheets = outcome.value
            self._panel.show_sheets([sheet.name for sheet in self._sheets])
            self._show(0)
        elif isinstance(outcome, Failed):
            self._panel.said.setText(f"{outcome.message} {outcome.hint}".strip())

    def _show(self, number: int) -> None:
        if 0 <= number < len(self._sheets):
            sheet = self._sheets[number]
            self._layer = inside.show(self._viewer, sheet, self._layer)
            self._panel.said.setText(f"{sheet.name}: {', '.join(sheet.parts)}.")
