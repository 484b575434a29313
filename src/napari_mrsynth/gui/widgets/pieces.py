"""Small pieces the docks are made of: headings, chips, rules, lists to choose from, buttons."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QIcon, QResizeEvent
from qtpy.QtWidgets import QComboBox, QFrame, QLabel, QSizePolicy, QToolButton, QWidget
from superqt import QCollapsible


def heading(text: str) -> QLabel:
    """Return the title of a section."""
    label = QLabel(text.upper())
    label.setObjectName("heading")
    label.setAccessibleName(text)
    return label


def muted(text: str = "") -> QLabel:
    """Return a quiet, wrapping line of text."""
    label = QLabel(text)
    label.setObjectName("muted")
    label.setWordWrap(True)
    return label


class WholeText(QLabel):
    """A wrapping line of text that is never cut: it asks for the height that its text takes at its width.

    A wrapping label by itself only wishes for that height; a window that is short of it takes it away.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)

    def setText(self, text: str | None) -> None:  # noqa: N802 - Qt's name
        """Show a text."""
        super().setText(text)
        self._ask()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802 - Qt's name
        """Ask anew at another width."""
        super().resizeEvent(event)
        self._ask()

    def _ask(self) -> None:
        self.setMinimumHeight(self.heightForWidth(self.width()) if self.text() else 0)


def folded(title: str, inside: QWidget) -> QCollapsible:
    """Return a fold with a title, closed at first."""
    fold = QCollapsible(f"▸ {title}", expandedIcon=QIcon(), collapsedIcon=QIcon())
    fold.toggled.connect(lambda open: fold.setText(f"▾ {title}" if open else f"▸ {title}"))
    fold.setDuration(0)
    fold.toggleButton().setObjectName("fold")
    fold.toggleButton().setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    fold.setContentsMargins(0, 0, 0, 0)
    fold.layout().setContentsMargins(0, 0, 0, 0)
    fold.content().layout().setContentsMargins(4, 2, 0, 2)
    fold.addWidget(inside)
    return fold


def rule() -> QFrame:
    """Return a thin horizontal line."""
    line = QFrame()
    line.setObjectName("rule")
    line.setFixedHeight(1)
    return line


def chip(text: str, kind: str, explanation: str = "") -> QLabel:
    """Return a small rounded badge whose colour says its kind."""
    label = QLabel(text)
    label.setProperty("chip", kind)
    label.setToolTip(explanation)
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    return label


def menu_button(text: str, tip: str, parent: QWidget | None = None, *, plain: bool = False) -> QToolButton:
    """Return a button that opens its menu at once."""
    button = QToolButton(parent)
    button.setObjectName("plain" if plain else "drop")
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    if not plain:
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return button


def pick_button(text: str, tip: str) -> QToolButton:
    """Return a button that stays down: one of several to pick from."""
    button = QToolButton()
    button.setObjectName("pick")
    button.setText(text)
    button.setToolTip(tip)
    button.setCheckable(True)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return button


def narrow_combo(name: str, tip: str = "") -> QComboBox:
    """Return a combo box, named for screen readers, that does not become as wide as its longest entry."""
    combo = QComboBox()
    combo.setAccessibleName(name)
    combo.setToolTip(tip)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(14)
    return combo


def fill_combo(combo: QComboBox, entries: Sequence[tuple[str, str]], chosen: str) -> None:
    """Make a combo box list `entries` (text, data) and show the one with data `chosen`, else the first."""
    if [(combo.itemText(i), combo.itemData(i)) for i in range(combo.count())] != list(entries):
        combo.clear()
        for text, data in entries:
            combo.addItem(text, data)
    combo.setCurrentIndex(max(combo.findData(chosen), 0))
