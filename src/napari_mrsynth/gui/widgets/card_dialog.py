"""A model's card, for people: what it is, how well it does, where it fails, under which licence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QDialog, QDialogButtonBox, QTextBrowser, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from napari_mrsynth.bundles import Card


class CardDialog(QDialog):
    """Shows one card in full."""

    def __init__(self, card: Card, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Model: {card.title}")
        self.resize(560, 620)
        self.text = QTextBrowser()
        self.text.setOpenExternalLinks(True)
        self.text.setHtml(card_html(card, full=True))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addWidget(buttons)


def card_html(card: Card, *, full: bool = False) -> str:
    """Return a card as HTML: a few lines for a tooltip, or all of it."""
    makes = f"any of {', '.join(card.inputs)} → {', '.join(card.outputs)}"
    head = f"<h3>{escape(card.title)}</h3><p>{escape(card.summary)}</p>"
    short = (
        f"<p><b>Makes</b> {escape(makes)}<br><b>Licence</b> {escape(card.licence or 'not stated')}"
        f"<br><b>For</b> {escape(card.intended_use)}</p>"
    )
    if not full:
        return f"<qt>{head}{short}</qt>"
    rows = (
        ("Limits", card.limits),
        ("Parameters", f"{card.parameters:,}" if card.parameters else ""),
        ("Voxel size it was trained on", f"{card.spacing_mm:g} mm"),
        ("Data licences", card.data_licences),
        ("Citation", card.citation),
        ("Id and sha256 of the weights", f"{card.id}, {card.weights_sha256}"),
    )
    sections = "".join(f"<h4>{name}</h4>{_html(value)}" for name, value in rows if value)
    return f"{head}{short}<h4>Measured results</h4>{_html(card.results or 'none')}{sections}"


def _html(value: Any) -> str:
    if isinstance(value, Mapping):
        cells = "".join(
            f"<tr><td><b>{escape(str(key))}</b>&nbsp;&nbsp;</td><td>{_html(item)}</td></tr>"
            for key, item in value.items()
        )
        return f"<table>{cells}</table>"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "<ul>" + "".join(f"<li>{_html(item)}</li>" for item in value) + "</ul>"
    return escape(f"{value:.4g}" if isinstance(value, float) else str(value))
