"""Which model, on which device: the chosen one in a line, its card on request, and finer options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_mrsynth.gui.widgets.card_dialog import card_html
from napari_mrsynth.gui.widgets.pieces import folded, muted, narrow_combo
from napari_mrsynth.session.choices import Choices

if TYPE_CHECKING:
    from napari_mrsynth.bundles import Card

_DEVICES = (
    ("auto", "Device: automatic"),
    ("cpu", "Device: CPU"),
    ("cuda", "Device: GPU (CUDA)"),
    ("mps", "Device: GPU (Apple)"),
)
_PRECISIONS = (
    ("auto", "Automatic"),
    ("fp32", "32 bit"),
    ("bf16", "16 bit (bfloat16)"),
    ("fp16", "16 bit (half, GPU only)"),
)


class ModelPanel(QWidget):
    """Shows the models, the device and the options."""

    model_chosen = Signal(str)
    card_asked = Signal()
    device_chosen = Signal(str)
    precision_chosen = Signal(str)
    source_map_chosen = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.model = _combo("Model")
        self.card = QPushButton("Card…")
        self.card.setToolTip("What this model is, how well it does, and under which licence")
        self.card.clicked.connect(self.card_asked)
        self.about = muted()
        self.device = _combo("Device", _DEVICES)
        self.device.setToolTip("Where the model runs; automatic takes a GPU where there is one")
        self.runs_on = muted("decided at the first run")
        self.precision = _combo("Precision", _PRECISIONS)
        self.precision.setToolTip("Automatic is the fastest that gives the same picture on this machine")
        self.source_map = QCheckBox("Make a source map")
        self.source_map.setToolTip("A layer that says which scan each voxel was mostly made from")
        self.keep_earlier = QCheckBox("Keep earlier results")
        self.keep_earlier.setToolTip("Do not replace the synthetic layers of an earlier run")
        self.model.activated.connect(lambda i: self.model_chosen.emit(self.model.itemData(i)))
        self.device.activated.connect(lambda i: self.device_chosen.emit(self.device.itemData(i)))
        self.precision.activated.connect(lambda i: self.precision_chosen.emit(self.precision.itemData(i)))
        self.source_map.toggled.connect(self.source_map_chosen)
        self._lay_out()

    def show_models(self, cards: Sequence[Card], choices: Choices, used: Card | None) -> None:
        """Show the installed models, the one that would be used, and the choices."""
        entries = [("auto", "Automatic choice"), *((card.id, card.title) for card in cards)]
        if [(self.model.itemData(i), self.model.itemText(i)) for i in range(self.model.count())] != entries:
            self.model.clear()
            for identity, title in entries:
                self.model.addItem(title, identity)
            for index, card in enumerate(cards, start=1):
                self.model.setItemData(index, card_html(card), Qt.ItemDataRole.ToolTipRole)
        _choose(self.model, choices.bundle)
        _choose(self.device, choices.device)
        _choose(self.precision, choices.precision)
        self.source_map.blockSignals(True)
        self.source_map.setChecked(choices.source_map)
        self.source_map.blockSignals(False)
        self.card.setEnabled(used is not None)
        self.about.setText("No model is installed." if used is None else _line(used, choices))
        self.about.setToolTip("" if used is None else card_html(used))

    def show_device(self, text: str) -> None:
        """Show what automatic came to on this machine."""
        self.runs_on.setText(text)

    def _lay_out(self) -> None:
        first = QHBoxLayout()
        first.addWidget(self.model, 1)
        first.addWidget(self.card)
        second = QHBoxLayout()
        second.setSpacing(8)
        second.addWidget(self.device)
        second.addWidget(self.runs_on, 1)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Precision", self.precision)
        form.addRow(self.source_map)
        form.addRow(self.keep_earlier)
        inside = QWidget()
        inside.setLayout(form)
        self.options = folded("Options", inside)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(5)
        whole.addLayout(first)
        whole.addWidget(self.about)
        whole.addLayout(second)
        whole.addWidget(self.options)


def _line(card: Card, choices: Choices) -> str:
    chosen = f"{card.title}: any of" if choices.bundle == "auto" else "Any of"
    licence = f". {card.licence}" if card.licence else ""
    return f"{chosen} {', '.join(card.inputs)} → {', '.join(card.outputs)}{licence}"


def _combo(name: str, entries: Sequence[tuple[str, str]] = ()) -> QComboBox:
    combo = narrow_combo(name)
    for data, text in entries:
        combo.addItem(text, data)
    return combo


def _choose(combo: QComboBox, data: str) -> None:
    index = combo.findData(data)
    if index >= 0:
        combo.setCurrentIndex(index)
