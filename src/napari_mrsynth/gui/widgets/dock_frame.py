"""What every dock of this plugin has: sections that scroll, a foot that stays, the viewer's theme."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QFrame, QMainWindow, QScrollArea, QVBoxLayout, QWidget

from napari_mrsynth.gui.widgets.pieces import rule
from napari_mrsynth.gui.widgets.style import style_sheet

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from qtpy.QtGui import QShowEvent


class DockFrame(QWidget):
    """The frame of a dock.

    Its style follows the viewer's theme while it lives; what it brought to life lets go of the viewer when it
    is destroyed. Opened where another of this plugin is, it becomes a tab over it, and can be dragged away.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer it is docked to.
    name : str
        Of the widget, for style sheets.
    least_width : int
        Pixels.
    """

    def __init__(self, viewer: ViewerModel, name: str, least_width: int = 340) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setMinimumWidth(least_width)
        self._viewer = viewer
        self._arrived = False
        self._arrival = QTimer(self)
        self._arrival.setSingleShot(True)
        self._arrival.timeout.connect(self._join)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Find a place among the plugin's docks, when first shown."""
        super().showEvent(event)
        if not self._arrived:
            self._arrived = True
            self._arrival.start(0)  # once napari has docked it

    def _join(self) -> None:
        """Become a tab over another dock of this plugin in the same area: stacked, both would be too low."""
        mine = _dock_of(self)
        window = mine.parentWidget() if mine is not None else None
        if mine is None or not isinstance(window, QMainWindow) or mine.isFloating():
            return
        area = window.dockWidgetArea(mine)
        for other in map(_dock_of, window.findChildren(DockFrame)):
            if other is None or other is mine or other.isHidden() or other.isFloating():
                continue
            if window.dockWidgetArea(other) == area:
                window.tabifyDockWidget(other, mine)
                mine.raise_()
                return

    def frame(self, foot: QWidget) -> QVBoxLayout:
        """Lay the dock out; return the layout of the sections above `foot`, which scroll."""
        inside = QWidget()
        sections = QVBoxLayout(inside)
        sections.setContentsMargins(8, 6, 8, 6)
        sections.setSpacing(6)
        scroll = QScrollArea()
        scroll.setWidget(inside)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        below = QVBoxLayout()
        below.setContentsMargins(8, 6, 8, 8)
        below.addWidget(foot)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(scroll, 1)
        whole.addWidget(rule())
        whole.addLayout(below)
        return sections

    def come_alive(self, *let_go: Callable[[], None]) -> None:
        """Dress in the viewer's theme from now on; when the dock is destroyed, call `let_go`."""
        self._dress()
        theme, dress = self._viewer.events.theme, self._dress
        theme.connect(dress)

        def leave() -> None:  # a function: the dock's own methods are gone when it is destroyed
            for part in let_go:
                part()
            theme.disconnect(dress)

        self.destroyed.connect(leave)

    def _dress(self, event: object = None) -> None:
        self.setStyleSheet(style_sheet(self._viewer.theme))


def _dock_of(widget: QWidget) -> QDockWidget | None:
    """Return the dock that a widget lies in."""
    around = widget.parentWidget()
    while around is not None and not isinstance(around, QDockWidget):
        around = around.parentWidget()
    return around
