"""The curve of errors by slice, drawn by Qt; a click says which slice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QToolTip, QWidget

from napari_mrsynth.gui.widgets.style import ACCENT

_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 8, 20


class SliceCurve(QWidget):
    """Mean absolute error of every slice, and which one is shown.

    Attributes
    ----------
    slice_chosen : Signal of int
        The user clicked or dragged.
    """

    slice_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._errors: NDArray[np.float64] = np.zeros(0)
        self._at: int | None = None
        self._title = ""
        self.setMinimumHeight(110)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setAccessibleName("Error by slice")

    def sizeHint(self) -> QSize:  # noqa: N802
        """As wide as there is room."""
        return QSize(340, 120)

    def show_errors(self, errors: NDArray[np.float64], title: str) -> None:
        """Show a curve; NaN leaves a gap.

        Parameters
        ----------
        errors : ndarray, one value per slice
        title : str
            What the slices are.
        """
        self._errors, self._title = errors, title
        self.update()

    def show_slice(self, index: int | None) -> None:
        """Mark a slice."""
        if index != self._at:
            self._at = index
            self.update()

    def slice_at(self, x: float) -> int | None:
        """Return which slice lies under a horizontal position in pixels; None without a curve."""
        if self._errors.size < 2:
            return None
        share = (x - _LEFT) / max(self.width() - _LEFT - _RIGHT, 1)
        last = int(self._errors.size) - 1
        index: int = round(share * last)
        return min(max(index, 0), last)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Choose the slice under the pointer."""
        self._choose(event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Say what is under the pointer; with the button down, choose it."""
        if event is None:
            return
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._choose(event)
            return
        index = self.slice_at(event.position().x())
        if index is not None and np.isfinite(self._errors[index]):
            text = f"{self._title} {index}: {self._errors[index]:.4g}"
            QToolTip.showText(event.globalPosition().toPoint(), text, self)

    def _choose(self, event: QMouseEvent | None) -> None:
        index = None if event is None else self.slice_at(event.position().x())
        if index is not None:
            self.slice_chosen.emit(index)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw axes, curve and mark."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().windowText().color()
        faint = QColor(ink)
        faint.setAlpha(110)
        painter.setPen(faint)
        right, bottom = self.width() - _RIGHT, self.height() - _BOTTOM
        painter.drawLine(_LEFT, bottom, right, bottom)
        painter.drawLine(_LEFT, _TOP, _LEFT, bottom)
        known = np.isfinite(self._errors)
        if known.sum() > 1:
            top = float(self._errors[known].max()) or 1.0
            painter.drawText(0, _TOP + 9, _LEFT - 5, 12, Qt.AlignmentFlag.AlignRight, f"{top:.3g}")
            painter.drawText(0, bottom - 9, _LEFT - 5, 12, Qt.AlignmentFlag.AlignRight, "0")
            painter.drawText(_LEFT, bottom + 3, 30, 14, Qt.AlignmentFlag.AlignLeft, "0")
            last = str(self._errors.size - 1)
            painter.drawText(right - 40, bottom + 3, 40, 14, Qt.AlignmentFlag.AlignRight, last)
            middle = Qt.AlignmentFlag.AlignHCenter
            painter.drawText(
                _LEFT, bottom + 3, right - _LEFT, 14, middle, f"{self._title} (click to go there)"
            )
            self._draw_mark(painter, bottom)
            painter.setPen(QPen(ink, 1.6))
            for run in np.split(
                np.flatnonzero(known), np.flatnonzero(np.diff(np.flatnonzero(known)) > 1) + 1
            ):
                points = [QPointF(self._x(i), bottom - self._errors[i] / top * (bottom - _TOP)) for i in run]
                painter.drawPolyline(QPolygonF(points))
        painter.end()

    def _draw_mark(self, painter: QPainter, bottom: int) -> None:
        if self._at is not None and self._at < self._errors.size:
            painter.setPen(QPen(QColor(ACCENT), 2))
            x = self._x(self._at)
            painter.drawLine(QPointF(x, _TOP), QPointF(x, bottom))

    def _x(self, index: int) -> float:
        return float(_LEFT + index / max(self._errors.size - 1, 1) * (self.width() - _LEFT - _RIGHT))
