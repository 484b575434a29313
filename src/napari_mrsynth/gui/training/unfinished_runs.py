"""The trainings that were interrupted, this time or by the end of an earlier napari, to go on with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_mrsynth.gui.training.tasks import ResumeTask
from napari_mrsynth.gui.widgets.pieces import fill_combo, heading, narrow_combo


class UnfinishedRuns(QWidget):
    """A list to choose from and a button; hidden where there is nothing to go on with."""

    go_on_asked = Signal(Path)

    def __init__(self) -> None:
        super().__init__()
        self.runs = narrow_combo(
            "Unfinished trainings", "Trainings with a checkpoint and no model yet, the newest first"
        )
        self.go_on = QPushButton("Go on")
        self.go_on.setToolTip("Go on from its last checkpoint, with the data and settings it began with")
        self.go_on.clicked.connect(lambda: self.go_on_asked.emit(Path(self.runs.currentData())))
        row = QHBoxLayout()
        row.addWidget(self.runs, 1)
        row.addWidget(self.go_on)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(6)
        whole.addWidget(heading("Unfinished"))
        whole.addLayout(row)
        self.hide()

    def show_runs(self, found: Sequence[ResumeTask]) -> None:
        """List them."""
        entries = [(_words(task), str(task.folder)) for task in found]
        fill_combo(self.runs, entries, str(self.runs.currentData()))
        self.setVisible(bool(entries))


def _words(task: ResumeTask) -> str:
    return f"{task.id}, saved {datetime.fromtimestamp(task.saved):%Y-%m-%d %H:%M}"
