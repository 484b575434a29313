"""The newest picture of a training: inputs, made, truth and difference; a click shows it large."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtGui import QMouseEvent, QPixmap, QResizeEvent
from qtpy.QtWidgets import QDialog, QLabel, QScrollArea, QVBoxLayout


class SampleView(QLabel):
    """Shows one picture as wide as there is room; hidden without one."""

    def __init__(self) -> None:
        super().__init__()
        self._whole = QPixmap()
        self._path: Path | None = None
        self.setMinimumWidth(100)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip("Example slices of a patient who is held out; click to see them large")
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
