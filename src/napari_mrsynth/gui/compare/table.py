"""The table of figures: regions of one prediction, or several predictions in one region, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_mrsynth.evaluation.comparison import TITLES, Comparison
from napari_mrsynth.evaluation.metrics import METRICS, RegionScores
from napari_mrsynth.evaluation.words import interval, shown

_SHORT = {"gradient_correlation": "grad. corr.", "mutual_information": "mut. inf.", "psnr": "PSNR dB"}


class FiguresTable(QTableWidget):
    """A row per figure; the digits are those of ``mrsynth evaluate``, the tool tip has all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Figures")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ContiguousSelection)
        self.setWordWrap(False)
        self.setMinimumHeight(60)
        self.setRowCount(len(METRICS))
        self.setVerticalHeaderLabels([_SHORT.get(metric, TITLES[metric]) for metric in METRICS])
        header = self.horizontalHeader()
        if header is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
            header.setMinimumSectionSize(70)

    def show_comparisons(self, comparisons: Sequence[Comparison], region: str) -> None:
        """Show one prediction's regions, or one region of several predictions."""
        if len(comparisons) == 1:
            columns = dict(comparisons[0].scores.regions)
        else:
            columns = {
                f"{place + 1}. {comparison.name}": comparison.scores.regions[region]
                for place, comparison in enumerate(comparisons)
                if region in comparison.scores.regions
            }
        self.setColumnCount(len(columns))
        self.setHorizontalHeaderLabels(list(columns))
        for column, (name, scores) in enumerate(columns.items()):
            header = self.horizontalHeaderItem(column)
            if header is not None:
                header.setToolTip(f"{name}: {scores.voxels:,} voxels")
            for row, metric in enumerate(METRICS):
                self.setItem(row, column, _cell(metric, scores))
        self.resizeRowsToContents()
        rows = sum(self.rowHeight(row) for row in range(self.rowCount()))
        header_row = self.horizontalHeader()
        self.setFixedHeight(rows + (header_row.sizeHint().height() if header_row is not None else 24) + 4)


def _cell(metric: str, scores: RegionScores) -> QTableWidgetItem:
    value, spread = getattr(scores, metric), interval(metric, scores)
    item = QTableWidgetItem(shown(metric, value))
    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    item.setToolTip(f"{TITLES[metric]}: {value!r}" + (f"\n95 % interval: {spread}" if spread else ""))
    return item
