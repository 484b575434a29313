"""Where a patient comes from: a folder, files, layers of the viewer, or a sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QMenu, QWidget

from napari_mrsynth.gui.widgets.pieces import menu_button

if TYPE_CHECKING:
    from napari_mrsynth.samples import Sample


class LoadBar(QWidget):
    """Three buttons, each with a menu."""

    folder_asked = Signal()
    files_asked = Signal()
    layers_chosen = Signal(object)
    mask_chosen = Signal(str)
    sample_chosen = Signal(str)
    layers_wanted = Signal()

    def __init__(self, samples: Sequence[Sample]) -> None:
        super().__init__()
        self.open = menu_button("Open ▾", "Open a patient from files", self)
        self.layers = menu_button("Add layers ▾", "Add layers that are in the viewer to the study", self)
        self.samples = menu_button("Samples ▾", "Open a sample patient", self)
        opening = QMenu(self.open)
        opening.addAction("Patient folder…").triggered.connect(self.folder_asked)
        opening.addAction("Files…").triggered.connect(self.files_asked)
        self.open.setMenu(opening)
        self.layer_menu = QMenu(self.layers)
        self.layer_menu.aboutToShow.connect(self.layers_wanted)
        self.layers.setMenu(self.layer_menu)
        trying = QMenu(self.samples)
        trying.setToolTipsVisible(True)
        for sample in samples:
            size = "" if sample.works_offline else f" ({sample.download_mb:.0f} MB download)"
            action = trying.addAction(sample.title + size)
            action.setToolTip(sample.description)
            action.triggered.connect(lambda _=False, name=sample.id: self.sample_chosen.emit(name))
        self.samples.setMenu(trying)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(6)
        for button in (self.open, self.layers, self.samples):
            line.addWidget(button)

    def offer_layers(self, images: Sequence[str], labels: Sequence[str]) -> None:
        """Fill the menu of layers: `images` can become contrasts, `labels` the brain mask."""
        menu = self.layer_menu
        menu.clear()
        if not images and not labels:
            menu.addAction("No other 3D layer is in the viewer").setEnabled(False)
            return
        if len(images) > 1:
            menu.addAction(f"All {len(images)} images").triggered.connect(
                lambda: self.layers_chosen.emit(list(images))
            )
            menu.addSeparator()
        for name in images:
            menu.addAction(name).triggered.connect(lambda _=False, name=name: self.layers_chosen.emit([name]))
        if labels:
            menu.addSeparator()
        for name in labels:
            menu.addAction(f"Use “{name}” as the brain mask").triggered.connect(
                lambda _=False, name=name: self.mask_chosen.emit(name)
            )
