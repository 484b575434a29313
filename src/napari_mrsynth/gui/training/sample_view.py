"""The newest picture of a training: inputs, made, truth and difference; a click shows it large."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from qtpy.QtWidgets import QDialog, QLabel, QScrollArea, QVBoxLayout

from napari_mrsynth.gui.widgets.style import ACCENT

_OPENING = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)


class SampleView(QLabel):
    """Shows one picture as wide as there is room; hidden without one."""

    def __init__(self) -> None:
        super().__init__()
        self._whole = QPixmap()
        self._path: Path | None = None
        self.setMinimumWidth(100)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setToolTip("Example slices; click or press Enter to see them large")
        self.setAccessibleName("Example slices")
        self.hide()

    def show_picture(self, path: Path | None) -> None:
        """Show a PNG, or nothing."""
        if path == self._path:
            return
        whole = QPixmap() if path is None else QPixmap(str(path))
        if path is not None and whole.isNull():
            return
        self._path, self._whole = path, whole
        self.setVisible(path is not None)
        self._fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Keep the width."""
        self._fit()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Show it large."""
        self.show_large()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Show it large, as a click does."""
        if event is not None and event.key() in _OPENING:
            self.show_large()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw the picture, framed where the keyboard is on it."""
        super().paintEvent(event)
        if self.hasFocus():
            painter = QPainter(self)
            painter.setPen(QPen(QColor(ACCENT), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
            painter.end()

    def show_large(self) -> None:
        """Open the picture, as it was drawn, in a window of its own."""
        if self._whole.isNull() or self._path is None:
            return
        dialog = QDialog(self.window())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(self._path.stem.replace("-", " "))
        picture = QLabel()
        picture.setPixmap(self._whole)
        scroll = QScrollArea()
        scroll.setWidget(picture)
        layout = QVBoxLayout(dialog)
        layout.addWidget(scroll)
        dialog.resize(min(self._whole.width() + 40, 1200), min(self._whole.height() + 40, 800))
        dialog.show()

    def _fit(self) -> None:
        if not self._whole.isNull():
            wide = self._whole.scaledToWidth(
                max(self.width(), 100), Qt.TransformationMode.SmoothTransformation
            )
            self.setPixmap(wide)
            self.setFixedHeight(wide.height())
