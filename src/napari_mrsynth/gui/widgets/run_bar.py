"""The buttons that act, the progress, and the line that says how things stand."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_mrsynth.progress import format_seconds
from napari_mrsynth.session.status import State, Status


class RunBar(QWidget):
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
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
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
        self.message.setText(status.message)
        self.hint.setText(status.hint)
        self.hint.setVisible(bool(status.hint))
        progress = status.progress
        self.progress.setVisible(busy)
        self.left.setVisible(busy)
        if busy and progress is not None:
            known = progress.fraction > 0
            self.progress.setRange(0, 1000 if known else 0)
            self.progress.setValue(round(1000 * progress.fraction))
            left = progress.seconds_left
            self.left.setText("" if left is None else f"{format_seconds(left)} left")
        if self.frame.property("state") != status.state.value:
            self.frame.setProperty("state", status.state.value)
            style = self.frame.style()
            if style is not None:
                style.unpolish(self.frame)
                style.polish(self.frame)

    def _lay_out(self) -> None:
        for label in (self.message, self.hint):
            label.setWordWrap(True)
            label.setTextInteractionFlags(
                Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
            )
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.run, 2)
        buttons.addWidget(self.cancel, 1)
        buttons.addWidget(self.save, 1)
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
        whole.addWidget(self.live)
        whole.addLayout(buttons)
        whole.addLayout(running)
        whole.addWidget(self.frame)
