"""Small pieces the dock is made of: headings, chips, rules, buttons with a menu."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QLabel, QSizePolicy, QToolButton, QWidget


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
