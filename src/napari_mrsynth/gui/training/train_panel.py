"""What the user sets to train a model, from scratch or from another one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
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

from napari_mrsynth.gui.training.configurations import Configuration
from napari_mrsynth.gui.training.options import Options
from napari_mrsynth.gui.training.patient_list import PatientList, shortened
from napari_mrsynth.gui.training.patients import DataFolder, Patient
from napari_mrsynth.gui.training.unfinished_runs import UnfinishedRuns
from napari_mrsynth.gui.widgets.pieces import heading, muted, narrow_combo

if TYPE_CHECKING:
    from napari_mrsynth.bundles import Card


AS_CONFIGURED = "as configured"
"""Stands among the models to start from for the one that the configuration names, with all it says of it."""


class TrainPanel(QWidget):
    """Data folder, configuration, who is held out, how long; says by signals what is asked for."""

    folder_asked = Signal()
    configuration_asked = Signal()
    configuration_chosen = Signal(int)
    start_chosen = Signal()
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._data: DataFolder | None = None
        self._held_out: tuple[str, ...] = ()
        self._shown: frozenset[str] = frozenset()
        self.unfinished = UnfinishedRuns()
        self.folder = QPushButton("Choose a data folder…")
        self.folder.setToolTip("A folder that holds a folder per patient")
        self.folder.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.patients = PatientList(held_out=True)
        self.about = muted()
        self.configuration = narrow_combo(
            "Configuration", "Network, losses and everything else; can be a file of yours"
        )
        self.configuration.setMinimumContentsLength(6)
        self.other = QPushButton("File…")
        self.other.setToolTip("A configuration of your own (YAML)")
        self.start = narrow_combo(
            "Start from", "A model of the same system: its network and weights are where the training starts"
        )
        self.contrasts = QLineEdit()
        self.contrasts.setAccessibleName("Contrasts")
        self.contrasts.setToolTip("What every patient must have; any names, separated by commas")
        self.steps = _spin("Steps", 1, 10_000_000)
        self.check = _spin("Check the held-out patients every … steps", 1, 1_000_000)
        self.check.setToolTip(
            "How often the error on the held-out patients is measured, and slices are drawn"
        )
        self.checkpoint = _spin("Checkpoint every … steps", 1, 1_000_000)
        self.checkpoint.setToolTip("A pause waits for the next checkpoint")
        self.name = QLineEdit()
        self.name.setAccessibleName("Name of the new model")
        self.options = Options(further=True)
        self.where = muted()
        self._lay_out()
        self.folder.clicked.connect(self.folder_asked)
        self.other.clicked.connect(self.configuration_asked)
        self.configuration.activated.connect(self.configuration_chosen)
        self.start.activated.connect(lambda _: self.start_chosen.emit())
        self.contrasts.editingFinished.connect(self.changed)
        self.name.textChanged.connect(lambda _: self.changed.emit())
        self.patients.held_out_chosen.connect(lambda _: self.changed.emit())

    @property
    def wanted(self) -> tuple[str, ...]:
        """The contrasts, as typed."""
        return tuple(dict.fromkeys(part.strip() for part in self.contrasts.text().split(",") if part.strip()))

    @property
    def starts_as_configured(self) -> bool:
        """Whether it starts from what the configuration starts from."""
        return bool(self.start.currentData() == AS_CONFIGURED)

    def show_configurations(self, configurations: Sequence[Configuration], chosen: int) -> None:
        """List the configurations, and fill in what the chosen one says."""
        self.configuration.clear()
        for configuration in configurations:
            self.configuration.addItem(configuration.title)
            index = self.configuration.count() - 1
            self.configuration.setItemData(index, str(configuration.path))
            tip = f"{configuration.title}\n{configuration.path}"
            self.configuration.setItemData(index, tip, Qt.ItemDataRole.ToolTipRole)
        self.configuration.setCurrentIndex(chosen)
        if not configurations:
            return
        current = configurations[chosen]
        self.configuration.setToolTip(
            f"{current.title}\nNetwork, losses and everything else; can be a file of yours"
        )
        settings = current.settings
        self.contrasts.setText(", ".join(settings.data.contrasts))
        self.contrasts.setEnabled(current.takes_any_contrasts)
        self.steps.setValue(settings.optim.steps)
        self.check.setValue(settings.validation.every or max(settings.optim.steps // 20, 1))
        self.checkpoint.setValue(settings.run.checkpoint_every)
        self.options.show_values(settings.optim.lr, settings.optim.batch, settings.optim.crop)
        self._held_out = settings.data.held_out
        if self._shown.intersection(self._held_out):  # else it speaks of other data, and ticks stay
            self.patients.hold_out(self._held_out)
        self.name.setText(settings.card.id if current.own else f"my-{current.path.stem}")

    def show_starts(self, cards: Sequence[Card], configured: str, *, anew: bool) -> None:
        """List the models that the training can start from.

        Parameters
        ----------
        cards : sequence of Card
        configured : str
            What the configuration starts from: an id or a folder; empty for nothing.
        anew : bool
            Whether that is chosen, where there is such a model; else what was chosen stays so.
        """
        before = self.start.currentData()
        self.start.clear()
        self.start.addItem("Scratch", "")
        if configured:
            self.start.addItem(Path(configured).name, AS_CONFIGURED)
            tip = f"{configured}, as the configuration says"
            self.start.setItemData(1, tip, Qt.ItemDataRole.ToolTipRole)
        for card in cards:
            if card.id == configured:
                continue
            self.start.addItem(card.id, card.id)  # titles of one model's children begin alike
            self.start.setItemData(self.start.count() - 1, card.title, Qt.ItemDataRole.ToolTipRole)
        wanted = AS_CONFIGURED if anew and configured else before
        self.start.setCurrentIndex(max(self.start.findData(wanted), 0))

    def show_patients(self, data: DataFolder | None, patients: Sequence[Patient]) -> None:
        """Show who is in the data folder, and who is left out and why."""
        root = None if data is None else data.root
        if data != self._data:
            same = self._data is not None and self._data.root == root  # whom the user held out of it stays so
            self.patients.hold_out({*(self.patients.held if same else ()), *self._held_out})
            self._data = data
        self._shown = frozenset(patient.id for patient in patients)
        self.folder.setText(
            "Choose a data folder…" if root is None else f"Data folder: {shortened(root.name)}…"
        )
        self.folder.setToolTip("A folder that holds a folder per patient" if root is None else str(root))
        reasons = self.patients.show_patients(patients, self.wanted)
        self.patients.setVisible(bool(patients))
        out = sum(map(bool, reasons))
        held = len(self.patients.ticked)
        if root is None:
            text = "Each patient is a folder of scans. A table subjects.tsv beside them is understood."
        else:
            text = f"{len(patients) - out - held} learnt from, {held} held out, {out} left out."
            text += "" if held else " Tick somebody to see a curve of the error on patients not learnt from."
        self.about.setText(text)

    def _lay_out(self) -> None:
        chosen = QHBoxLayout()
        chosen.addWidget(self.configuration, 1)
        chosen.addWidget(self.other)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Configuration", chosen)
        form.addRow("Start from", self.start)
        form.addRow("Contrasts", self.contrasts)
        form.addRow("Length", self.steps)
        form.addRow("Check every", self.check)
        form.addRow("Checkpoint every", self.checkpoint)
        form.addRow("Name", self.name)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(6)
        whole.addWidget(self.unfinished)
        whole.addWidget(heading("Data"))
        whole.addWidget(self.folder)
        whole.addWidget(self.patients)
        whole.addWidget(self.about)
        whole.addWidget(heading("Training"))
        whole.addLayout(form)
        self.options.add_to(whole)
        whole.addWidget(self.where)


def _spin(name: str, least: int, most: int) -> QSpinBox:
    spin = QSpinBox()
    spin.setRange(least, most)
    spin.setAccessibleName(name)
    spin.setSuffix(" steps")
    return spin
