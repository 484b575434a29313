"""What only the user can answer in the “Training” dock: besides the usual, a configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from qtpy.QtWidgets import QFileDialog

from napari_mrsynth.gui.questions import QtQuestions, Questions


class TrainingQuestions(Questions, Protocol):
    """What the dock asks its user."""

    def configuration(self) -> Path | None:
        """Say which configuration file; None when the user thinks better of it."""


class QtTrainingQuestions(QtQuestions):
    """Asks with dialogs."""

    def configuration(self) -> Path | None:
        """Ask for a YAML file."""
        chosen, _ = QFileDialog.getOpenFileName(
            self._parent, "A training configuration", self._last, "Configurations (*.yaml *.yml)"
        )
        if not chosen:
            return None
        self._last = str(Path(chosen).parent)
        return Path(chosen)
