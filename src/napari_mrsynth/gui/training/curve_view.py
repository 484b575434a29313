"""Loss and held-out error by step, drawn by Qt; both on logarithmic axes of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from qtpy.QtCore import QPointF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from napari_mrsynth.gui.training.curves import Point

_LOSS = {"dark": "#7aa5f2", "light": "#2a5fc0"}
_ERROR = {"dark": "#e0a94a", "light": "#8a5a00"}
"""Colours by the theme: both read at least 4.5 to 1 on its background."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 46, 20, 20
_ROOM = 1.25
"""Factor by which an axis of equal values is widened."""


class CurveView(QWidget):
    """Draws the loss on the left axis and the error on the held-out patients on the right one."""

    def __init__(self) -> None:
        super().__init__()
        self._losses: Sequence[Point] = ()
        self._errors: Sequence[Point] = ()
        self._steps, self._name = 0, ""
        self.setMinimumHeight(150)
        self.setAccessibleName("Loss and held-out error by step")
        self.setToolTip(
            "Left: the loss, which is made small, on the scans that are learnt from. "
            "Right: the error on some slices of held-out patients. Both axes are logarithmic; less is better."
        )

    def sizeHint(self) -> QSize:  # noqa: N802
        """As wide as there is room."""
        return QSize(340, 160)

    @property
    def error_title(self) -> str:
        """What the right axis is called."""
        name = {"nmse": "error (NMSE)"}.get(self._name, self._name.replace("_", " "))
        return f"held-out {name or 'error'}"

    def show_curves(
        self, losses: Sequence[Point], errors: Sequence[Point], steps: int, name: str = ""
    ) -> None:
        """Show curves of (step, value).

        Parameters
        ----------
        losses, errors : sequence of (int, float)
        steps : int
            Where the training ends.
        name : str
            What the errors are called in the log: ``nmse``, ``dice_error``.
        """
        self._losses, self._errors = thinned(losses), list(errors)
        self._steps, self._name = steps, name
        self.setAccessibleDescription(self._in_words())
        self.update()

    def _in_words(self) -> str:
        """Say the newest figures, for those who do not see the drawing."""
        words = [f"step {self._last} of {max(self._steps, self._last)}"] if self._last else []
        words += [f"loss {self._losses[-1][1]:.4g}"] if self._losses else []
        words += [f"{self.error_title} {self._errors[-1][1]:.4g}"] if self._errors else []
        return ", ".join(words)

    @property
    def _last(self) -> int:
        """The step that was reached: where the drawing ends, however long the training goes on."""
        return max((points[-1][0] for points in (self._losses, self._errors) if points), default=0)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw axes and curves."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().windowText().color()
        faint = QColor(ink)
        faint.setAlpha(170)
        painter.setPen(faint)
        right, bottom = self.width() - _RIGHT, self.height() - _BOTTOM
        painter.drawLine(_LEFT, bottom, right, bottom)
        painter.drawText(_LEFT, bottom + 3, 20, 14, Qt.AlignmentFlag.AlignLeft, "0")
        painter.drawText(
            right - 160,
            bottom + 3,
            160,
            14,
            Qt.AlignmentFlag.AlignRight,
            f"step {self._last} of {max(self._steps, self._last)}" if self._last else "",
        )
        if not self._losses and not self._errors:
            painter.drawText(
                self.rect(), Qt.AlignmentFlag.AlignCenter, "The curves appear with the first steps."
            )
        theme = "dark" if ink.lightness() > 127 else "light"
        self._draw(painter, self._losses, _LOSS[theme], "loss", left=True)
        self._draw(painter, self._errors, _ERROR[theme], self.error_title, left=False)
        painter.end()

    def _draw(
        self, painter: QPainter, points: Sequence[Point], colour: str, name: str, *, left: bool
    ) -> None:
        shown = [(step, value) for step, value in points if value > 0]
        if not shown:
            return
        low, high = min(v for _, v in shown), max(v for _, v in shown)
        if high / low < _ROOM:
            low, high = low / _ROOM, high * _ROOM
        right, bottom = self.width() - _RIGHT, self.height() - _BOTTOM
        last = max(self._last, 1)
        across, up = right - _LEFT, bottom - _TOP
        span = math.log(high / low)
        places = [
            QPointF(_LEFT + step / last * across, bottom - math.log(value / low) / span * up)
            for step, value in shown
        ]
        painter.setPen(QPen(QColor(colour), 1.8))
        side = Qt.AlignmentFlag.AlignRight if left else Qt.AlignmentFlag.AlignLeft
        x, wide = (0, _LEFT - 5) if left else (right + 5, _RIGHT - 5)
        painter.drawText(x, _TOP - 6, wide, 12, side, f"{high:.3g}")
        painter.drawText(x, bottom - 11, wide, 12, side, f"{low:.3g}")
        title = Qt.AlignmentFlag.AlignLeft if left else Qt.AlignmentFlag.AlignRight
        painter.drawText(_LEFT, 0, across, 14, title, f"{name} {shown[-1][1]:.4g}")
        if len(places) > 1:
            painter.drawPolyline(QPolygonF(places))
        if not left or len(places) == 1:
            painter.setBrush(QColor(colour))
            for place in places:
                painter.drawEllipse(place, 2.5, 2.5)
            painter.setBrush(Qt.BrushStyle.NoBrush)


def thinned(points: Sequence[Point], most: int = 400) -> list[Point]:
    """Return at most `most` points, each the mean of its neighbours in step order."""
    if len(points) <= most:
        return list(points)
    edges = [round(place * len(points) / most) for place in range(most + 1)]
    parts = (points[first:last] for first, last in pairwise(edges))
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]
