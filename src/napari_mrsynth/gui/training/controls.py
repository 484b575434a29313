"""The buttons that act on a training, its progress, and the line that says how things stand."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton

from napari_mrsynth.gui.training.telling import Phase, Said
from napari_mrsynth.gui.widgets.status_panel import StatusPanel

_LOOKS = {
    Phase.LOOKING: "busy",
    Phase.RUNNING: "busy",
    Phase.PAUSING: "busy",
    Phase.STOPPING: "busy",
    Phase.PAUSED: "blocked",
    Phase.ROLLED_BACK: "blocked",
}
"""Phases whose message looks like another state's."""

_WORKING = (Phase.LOOKING, Phase.RUNNING, Phase.PAUSING, Phase.STOPPING)


class Controls(StatusPanel):
    """Start, Pause or Resume, Stop, progress and message."""

    start_asked = Signal()
    pause_asked = Signal()
    resume_asked = Signal()
    stop_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.start = QPushButton("Start")
        self.start.setObjectName("go")
        self.pause = QPushButton("Pause")
        self.pause.setToolTip(
            "End the process when it has written its next checkpoint; Resume goes on from there"
        )
        self.resume = QPushButton("Resume")
        self.resume.setObjectName("go")
        self.resume.setToolTip("Go on from the last checkpoint")
        self.stop = QPushButton("Stop")
        self.lay_out(((self.start, 2), (self.resume, 2), (self.pause, 1), (self.stop, 1)))
        for button, signal in (
            (self.start, self.start_asked),
            (self.pause, self.pause_asked),
            (self.resume, self.resume_asked),
            (self.stop, self.stop_asked),
        ):
            button.clicked.connect(lambda _=False, signal=signal: signal.emit())

    @staticmethod
    def _make_plain(button: QPushButton, *, plain: bool) -> None:
        name = "" if plain else "go"
        style = button.style()
        if button.objectName() != name and style is not None:
            button.setObjectName(name)
            style.unpolish(button)
            style.polish(button)

    def show_said(self, said: Said, *, can_start: bool, can_pause: bool, can_resume: bool) -> None:
        """Show how things stand, and offer what can be done."""
        working = said.phase in _WORKING
        self.start.setEnabled(can_start and not working)
        self._make_plain(self.start, plain=can_resume)  # one button leads, not two
        self.resume.setVisible(can_resume)
        self.pause.setVisible(can_pause and not can_resume)
        self.pause.setEnabled(said.phase is Phase.RUNNING)
        self.stop.setEnabled(working and said.phase is not Phase.STOPPING)
        tip = (
            "Stop now; what was learnt since the last checkpoint is lost"
            if can_pause
            else "Stop now; nothing is written"
        )
        self.stop.setToolTip(tip)
        look = _LOOKS.get(said.phase, said.phase.value)
        self.show_standing(said.message, said.hint, look, busy=working, progress=said.progress)
