"""The joint histogram of truth and prediction, drawn by Qt."""

from __future__ import annotations

import numpy as np
from napari.utils.colormaps import ensure_colormap
from numpy.typing import NDArray
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QWidget

_SIDE = 150
_LEFT, _BOTTOM = 44, 18


class JointHistogram(QWidget):
    """How often each pair of intensities occurs; a right prediction lies on the diagonal."""

    def __init__(self) -> None:
        super().__init__()
        self._image: QImage | None = None
        self._limits = (0.0, 1.0)
        self.setFixedHeight(_SIDE + _BOTTOM + 6)
        self.setAccessibleName("Joint histogram")
        self.setToolTip(
            "How often each pair of intensities occurs (logarithmic), truth across, prediction upwards: a "
            "right prediction lies on the diagonal"
        )

    def sizeHint(self) -> QSize:  # noqa: N802
        """Room for a square and its labels."""
        return QSize(_LEFT + _SIDE + 80, _SIDE + _BOTTOM + 6)

    def show_counts(self, counts: NDArray[np.float64], limits: tuple[float, float]) -> None:
        """Show counts of (truth, prediction); both axes run between `limits`."""
        level = np.log1p(counts.T[::-1])  # prediction upwards
        shades = ensure_colormap("viridis").map((level / (level.max() or 1)).ravel())
        pixels = np.ascontiguousarray((255 * shades).astype(np.uint8).reshape(*level.shape, 4))
        height, width = level.shape
        self._image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()
        self._limits = limits
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw the counts, the diagonal and the limits."""
        if self._image is None:
            return
        painter = QPainter(self)
        painter.drawImage(QRect(_LEFT, 2, _SIDE, _SIDE), self._image)
        painter.setPen(QPen(QColor(255, 255, 255, 170), 1, Qt.PenStyle.DashLine))
        painter.drawLine(_LEFT, 2 + _SIDE, _LEFT + _SIDE, 2)
        faint = self.palette().windowText().color()
        faint.setAlpha(150)
        painter.setPen(faint)
        low, high = (f"{value:.3g}" for value in self._limits)
        right = Qt.AlignmentFlag.AlignRight
        painter.drawText(0, 2, _LEFT - 5, 14, right, high)
        painter.drawText(0, _SIDE - 12, _LEFT - 5, 14, right, low)
        painter.drawText(_LEFT, _SIDE + 4, _SIDE, 14, right, high)
        painter.drawText(_LEFT, _SIDE + 4, _SIDE, 14, Qt.AlignmentFlag.AlignHCenter, "truth")
        painter.drawText(
            _LEFT + _SIDE + 8, 2, 90, 30, Qt.AlignmentFlag.AlignLeft, "prediction ↑\n(log counts)"
        )
        painter.end()
