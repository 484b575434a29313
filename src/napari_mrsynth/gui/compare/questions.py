"""What only the user can answer: where an export goes."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from qtpy.QtWidgets import QFileDialog, QWidget

_KINDS = (
    ("Report, one page (*.html)", ".html"),
    ("Table (*.csv)", ".csv"),
    ("Figures with all digits (*.json)", ".json"),
    ("Picture (*.png)", ".png"),
)


class CompareQuestions(Protocol):
    """What the dock asks its user."""

    def save_as(self, title: str) -> Path | None:
        """Say which file to write; its ending says which kind. None when the user thinks better of it."""


class QtCompareQuestions:
    """Asks with a dialog.

    Parameters
    ----------
    parent : QWidget
        The window the dialog belongs to.
    """

    def __init__(self, parent: QWidget) -> None:
        self._parent = parent
        self._last = Path.home()

    def save_as(self, title: str) -> Path | None:
        """Ask for a file; the chosen kind's ending is added where none was typed."""
        filters = ";;".join(text for text, _ in _KINDS)
        start = str(self._last / "comparison.html")
        chosen, kind = QFileDialog.getSaveFileName(self._parent, title, start, filters)
        if not chosen:
            return None
        path = Path(chosen)
        if not path.suffix:
            path = path.with_suffix(dict(_KINDS).get(kind, ".html"))
        self._last = path.parent
        return path
