"""What every dock ends in: a row of buttons, the progress, and the line that says how things stand."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_mrsynth.gui.widgets.pieces import WholeText
from napari_mrsynth.progress import Progress, format_seconds


class StatusPanel(QWidget):
    """A row of buttons with progress and message below it; whoever makes the buttons lays them out."""

    def __init__(self) -> None:
        super().__init__()
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.left = QLabel()
        self.left.setObjectName("muted")
        self.message = WholeText()
        self.hint = WholeText()
        self.hint.setObjectName("hint")
        self.frame = QFrame()
        self.frame.setObjectName("message")

    def show_standing(
        self, message: str, hint: str, look: str, *, busy: bool, progress: Progress | None
    ) -> None:
        """Say how things stand.

        Parameters
        ----------
        message, hint : str
            What is, and what to do next; the hint may be empty.
        look : str
            The state whose colours the message takes.
        busy : bool
            Whether the progress is to be seen.
        progress : Progress or None
            None where it is as it was.
        """
        self.message.setText(message)
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))
        self.progress.setVisible(busy)
        self.left.setVisible(busy)
        if busy and progress is not None:
            self.progress.setRange(0, 1000 if progress.fraction > 0 else 0)
            self.progress.setValue(round(1000 * progress.fraction))
            seconds = progress.seconds_left
            self.left.setText("" if seconds is None else f"{format_seconds(seconds)} left")
        self._dress(look)

    def _dress(self, look: str) -> None:
        if self.frame.property("state") == look:
            return
        self.frame.setProperty("state", look)
        style = self.frame.style()
        if style is not None:
            style.unpolish(self.frame)
            style.polish(self.frame)

    def lay_out(self, buttons: Sequence[tuple[QPushButton, int]], above: QWidget | None = None) -> None:
        """Put everything in its place, once.

        Parameters
        ----------
        buttons : sequence of (QPushButton, int)
            From left to right, each with its share of the width.
        above : QWidget, optional
            What stands over the buttons.
        """
        flags = Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        for label in (self.message, self.hint):
            label.setTextInteractionFlags(flags)
        acting = QHBoxLayout()
        acting.setSpacing(6)
        for button, share in buttons:
            acting.addWidget(button, share)
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
        if above is not None:
            whole.addWidget(above)
        whole.addLayout(acting)
        whole.addLayout(running)
        whole.addWidget(self.frame)
