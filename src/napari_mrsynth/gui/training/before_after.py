"""The errors of a fine-tuning before and after, pair by pair."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_mrsynth.gui.training.telling import percent

HEADERS = ("Made from", "Before", "After", "Change")


class BeforeAfter(QTableWidget):
    """A row per subset of inputs and target; hidden until there is a result."""

    def __init__(self) -> None:
        super().__init__(0, len(HEADERS))
        self.setHorizontalHeaderLabels(HEADERS)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setMinimumHeight(150)
        self.setAccessibleName("Error before and after")
        self.setToolTip("Normalised mean squared error over the brain, on what was kept aside")
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        if rows is not None and columns is not None:
            rows.hide()
            columns.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            columns.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.hide()

    def show_rows(self, rows: Sequence[tuple[str, float, float]]) -> None:
        """Show (name, before, after); none hides the table."""
        self.setRowCount(len(rows))
        for line, (name, before, after) in enumerate(rows):
            cells = (
                name,
                _figure(before),
                _figure(after),
                percent(before, after) if before > 0 and math.isfinite(after / before) else "–",
            )
            for column, text in enumerate(cells):
                item = QTableWidgetItem(text)
                if column:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                item.setToolTip(text)
                self.setItem(line, column, item)
        self.setVisible(bool(rows))


def _figure(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "–"
