"""What every dock of this plugin has: sections that scroll, a foot that stays, the viewer's theme."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_mrsynth.gui.widgets.pieces import rule
from napari_mrsynth.gui.widgets.style import style_sheet

if TYPE_CHECKING:
    from napari.components import ViewerModel


class DockFrame(QWidget):
    """The frame of a dock.

    Its style follows the viewer's theme while it lives; what it brought to life lets go of the viewer when it
    is destroyed.

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
