"""What only the user can answer in the “Structure maps” dock: besides the usual, where a map is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from qtpy.QtWidgets import QFileDialog

from napari_mrsynth.gui.questions import QtQuestions, Questions


class StructureQuestions(Questions, Protocol):
    """What the dock asks its user."""

    def target(self, title: str, suggested: str) -> Path | None:
        """Say which file to write; None when the user thinks better of it."""


class QtStructureQuestions(QtQuestions):
    """Asks with dialogs."""

    def target(self, title: str, suggested: str) -> Path | None:
        """Ask for a file to write; the dialog itself asks before one is replaced."""
        start = str(Path(self._last) / suggested)
        chosen, _ = QFileDialog.getSaveFileName(self._parent, title, start, "NIfTI (*.nii.gz *.nii)")
        if not chosen:
            return None
        self._last = str(Path(chosen).parent)
        return Path(chosen)
