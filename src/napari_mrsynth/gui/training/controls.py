"""The buttons that act on a training, its progress, and the line that says how things stand."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_mrsynth.gui.training.telling import Phase, Said
from napari_mrsynth.progress import format_seconds

_LOOKS = {
    Phase.LOOKING: "busy",
    Phase.RUNNING: "busy",
    Phase.PAUSING: "busy",
    Phase.PAUSED: "blocked",
    Phase.ROLLED_BACK: "blocked",
}
"""Phases whose message looks like another state's."""

_WORKING = (Phase.LOOKING, Phase.RUNNING, Phase.PAUSING)


class Controls(QWidget):
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
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.left = QLabel()
        self.left.setObjectName("muted")
        self.message = QLabel()
        self.hint = QLabel()
        self.hint.setObjectName("hint")
        self.frame = QFrame()
        self.frame.setObjectName("message")
        self._lay_out()
        for button, signal in (
            (self.start, self.start_asked),
            (self.pause, self.pause_asked),
            (self.resume, self.resume_asked),
            (self.stop, self.stop_asked),
        ):
            button.clicked.connect(lambda _=False, signal=signal: signal.emit())

    def show_said(self, said: Said, *, can_start: bool, can_pause: bool, can_resume: bool) -> None:
        """Show how things stand, and offer what can be done."""
        working = said.phase in _WORKING
        self.start.setEnabled(can_start and not working)
        self.resume.setVisible(can_resume)
        self.pause.setVisible(can_pause and not can_resume)
        self.pause.setEnabled(said.phase is Phase.RUNNING)
        self.stop.setEnabled(working)
        tip = (
            "Stop now; what was learnt since the last checkpoint is lost"
            if can_pause
            else "Stop now; nothing is written"
        )
        self.stop.setToolTip(tip)
        self.message.setText(said.message)
        self.hint.setText(said.hint)
        self.hint.setVisible(bool(said.hint))
        progress = said.progress
        self.progress.setVisible(working)
        self.left.setVisible(working)
        if working and progress is not None:
            self.progress.setRange(0, 1000 if progress.fraction > 0 else 0)
            self.progress.setValue(round(1000 * progress.fraction))
            seconds = progress.seconds_left
            self.left.setText("" if seconds is None else f"{format_seconds(seconds)} left")
        self._dress(_LOOKS.get(said.phase, said.phase.value))

    def _dress(self, look: str) -> None:
        if self.frame.property("state") == look:
            return
        self.frame.setProperty("state", look)
        style = self.frame.style()
        if style is not None:
            style.unpolish(self.frame)
            style.polish(self.frame)

    def _lay_out(self) -> None:
        flags = Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        for label in (self.message, self.hint):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(flags)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for button, share in ((self.start, 2), (self.resume, 2), (self.pause, 1), (self.stop, 1)):
            buttons.addWidget(button, share)
        running = QHBoxLayout()
        running.addWidget(self.progress, 1)
        running.addWidget(self.left)
        said = QVBoxLayout(self.frame)
        said.setContentsMargins(9, 6, 8, 6)
        said.setSpacing(2)
        said.addWidget(self.message)
        said.addWidget(self.hint)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(7)
        whole.addLayout(buttons)
        whole.addLayout(running)
        whole.addWidget(self.frame)
