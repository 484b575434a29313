"""The buttons that act, the progress, and the line that says how things stand."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QPushButton

from napari_mrsynth.gui.widgets.status_panel import StatusPanel
from napari_mrsynth.session.status import State, Status


class RunBar(StatusPanel):
    """Synthesise, Cancel, Save, progress and message."""

    run_asked = Signal()
    cancel_asked = Signal()
    save_asked = Signal()
    live_chosen = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.live = QCheckBox("Live preview of the displayed slice")
        self.live.setToolTip(
            "Redraw the axial slice that is shown whenever an input is switched or a contrast ticked"
        )
        self.live.toggled.connect(self.live_chosen)
        self.run = QPushButton("Synthesise")
        self.run.setObjectName("go")
        self.run.clicked.connect(self.run_asked)
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop now; nothing is left behind")
        self.cancel.clicked.connect(self.cancel_asked)
        self.save = QPushButton("Save…")
        self.save.setToolTip("Write the synthetic images as NIfTI, with their provenance beside them")
        self.save.clicked.connect(self.save_asked)
        self.lay_out(((self.run, 2), (self.cancel, 1), (self.save, 1)), above=self.live)

    def show_status(self, status: Status, *, why_not: Status | None, can_save: bool) -> None:
        """Show a status, and offer what can be done in it.

        Parameters
        ----------
        status : Status
        why_not : Status or None
            Why nothing can be synthesised; None where it can, or while busy.
        can_save : bool
            Whether there is a result.
        """
        busy = status.state is State.BUSY
        self.run.setEnabled(why_not is None and not busy)
        self.run.setToolTip(
            "Make what is ticked, for the whole volume"
            if why_not is None
            else f"{why_not.message} {why_not.hint}".strip()
        )
        self.cancel.setEnabled(busy)
        self.save.setEnabled(can_save and not busy)
        self.show_standing(
            status.message, status.hint, status.state.value, busy=busy, progress=status.progress
        )
