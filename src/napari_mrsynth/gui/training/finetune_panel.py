"""What the user sets to fine-tune a model on a few scans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_mrsynth.gui.training.options import Options
from napari_mrsynth.gui.training.patient_list import PatientList, shortened
from napari_mrsynth.gui.training.patients import FEWEST, Patient
from napari_mrsynth.gui.training.tasks import FineTuneTask
from napari_mrsynth.gui.widgets.pieces import heading, muted, narrow_combo

if TYPE_CHECKING:
    from napari_mrsynth.bundles import Card

_PARTS = (("Decoder only (usual)", "decoder"), ("Everything", "all"))


class FineTunePanel(QWidget):
    """Model, patients, what learns and for how long; says by signals what is asked for."""

    folder_asked = Signal()
    open_patient_asked = Signal()
    removal_asked = Signal(str)
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.model = narrow_combo("Model", "The model that is adapted; it is not changed itself")
        self.patients = PatientList()
        self.add = QPushButton("Add folder…")
        self.add.setToolTip("A folder with the scans of one patient")
        self.take = QPushButton("Take the open patient")
        self.take.setToolTip("The patient of the Synthesis dock, with its names and alignment")
        self.take.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.remove = QPushButton("Remove")
        self.remove.setToolTip("Take the selected patient off the list (Delete); nothing is deleted")
        self.remove.setEnabled(False)
        self.parts = narrow_combo("What learns", "Decoder only: how scans are understood stays as it was")
        for text, part in _PARTS:
            self.parts.addItem(text, part)
        self.steps = QSpinBox()
        self.steps.setRange(1, 100_000)
        self.steps.setValue(FineTuneTask.steps)
        self.steps.setAccessibleName("Steps")
        self.steps.setToolTip("How many steps the optimiser takes; the time left is shown once it runs")
        self.name = QLineEdit()
        self.name.setPlaceholderText("made up if left empty")
        self.name.setAccessibleName("Name of the new model")
        self.options = Options()
        self.options.show_values(FineTuneTask.rate, FineTuneTask.batch, FineTuneTask.crop)
        self.aside = muted()
        self._lay_out()
        self.add.clicked.connect(self.folder_asked)
        self.take.clicked.connect(self.open_patient_asked)
        self.remove.clicked.connect(lambda: self.removal_asked.emit(self.patients.chosen or ""))
        self.patients.currentItemChanged.connect(lambda item, _: self.remove.setEnabled(item is not None))
        delete = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.patients)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        delete.activated.connect(self.remove.click)
        self.model.activated.connect(lambda _: self.changed.emit())

    def show_models(self, cards: Sequence[Card]) -> None:
        """List the models that can be fine-tuned; the one that is chosen stays so."""
        before = self.model.currentData()
        self.model.clear()
        for card in cards:
            self.model.addItem(card.title or card.id, card.id)
            tip = f"{card.title}\n{card.id}"
            self.model.setItemData(self.model.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.model.setCurrentIndex(max(self.model.findData(before), 0 if cards else -1))

    def show_patients(self, patients: Sequence[Patient], contrasts: Sequence[str]) -> None:
        """Show who is listed; `contrasts` are the model's."""
        reasons = self.patients.show_patients(patients, contrasts, FEWEST)
        self.remove.setEnabled(self.patients.chosen is not None)
        usable = [p.id for p, reason in zip(patients, reasons, strict=True) if not reason]
        if len(usable) > 1:
            name = shortened(usable[-1], 40)
            text = (
                f"{name} is kept aside: the model is judged on it and does not learn from it. "
                "Where the model knows it already, another one is taken."
            )
        elif usable:
            text = "With one patient, slices of it are kept aside. That says little about other patients."
        else:
            text = "Fine-tuning takes one to five patients with at least two contrasts of the model."
        self.aside.setText(text)

    def show_open(self, name: str | None) -> None:
        """Offer the patient that is open in the Synthesis dock, if any."""
        self.take.setEnabled(name is not None)
        self.take.setText("Take the open patient" if name is None else f"Take {shortened(name, 20)}")

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Model", self.model)
        buttons = QHBoxLayout()
        for button, share in ((self.add, 0), (self.take, 1), (self.remove, 0)):
            buttons.addWidget(button, share)
        how = QFormLayout()
        how.setContentsMargins(0, 0, 0, 0)
        how.addRow("What learns", self.parts)
        how.addRow("Steps", self.steps)
        how.addRow("New name", self.name)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(6)
        whole.addLayout(form)
        whole.addWidget(heading("My patients"))
        whole.addWidget(self.patients)
        whole.addLayout(buttons)
        whole.addWidget(self.aside)
        whole.addLayout(how)
        self.options.add_to(whole)
