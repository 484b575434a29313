"""A combo box that does not become as wide as its longest entry."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox


def narrow_combo(name: str, tip: str) -> QComboBox:
    """Return a combo box with a name for screen readers and a tip."""
    combo = QComboBox()
    combo.setAccessibleName(name)
    combo.setToolTip(tip)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(14)
    return combo
