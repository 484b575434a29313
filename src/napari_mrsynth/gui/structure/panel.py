"""What the user sets in the “Structure maps” dock: scan, lesions, sliders, overlay, seed."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QPushButton, QSpinBox, QVBoxLayout, QWidget
from superqt import QLabeledDoubleSlider, QLabeledSlider

from napari_mrsynth.gui.widgets.pieces import fill_combo, heading, muted, narrow_combo
from napari_mrsynth.structure import StructureSettings, default_beta

NONE = "none"


class StructurePanel(QWidget):
    """Shows the choices and says by signals what the user changed."""

    scan_chosen = Signal(str)
    lesions_chosen = Signal(str)
    beta_chosen = Signal(float)
    blur_chosen = Signal(float)
    expand_chosen = Signal(int)
    brain_chosen = Signal(bool)
    draw_asked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.scan = narrow_combo("Scan", "The image layer whose map is made")
        self.lesions = narrow_combo(
            "Lesions to leave out", "A labels layer: edges inside its lesions are left out"
        )
        self.beta = _slider("Threshold beta: the lower, the more edges", (0.01, 0.2), 3, 0.005)
        self.blur = _slider("Smooth the slice first, in mm", (0.0, 3.0), 1, 0.1)
        self.expand = QLabeledSlider(Qt.Orientation.Horizontal)
        self.expand.setRange(0, 30)
        self.expand.setToolTip("Pixels by which the brain grows; edges outside it are left out")
        self.expand.setAccessibleName("Expansion in pixels")
        self.usual = QPushButton("Usual beta")
        self.usual.setObjectName("small")
        self.brain = QCheckBox("Show the brain mask")
        self.brain.setToolTip("Lay the expanded brain over the scan, and keep it with the map")
        self.share = muted()
        self.draw = QPushButton("Draw a random map")
        self.draw.setToolTip("Draw one axial slice of a brain that belongs to nobody, as a layer")
        self.seed = QSpinBox()
        self.seed.setRange(0, 999_999)
        self.seed.setPrefix("seed ")
        self.seed.setAccessibleName("Seed")
        self.seed.setToolTip("The same seed and model draw the same map")
        self._contrast: str | None = None
        self._lay_out()
        self.scan.activated.connect(lambda _: self.scan_chosen.emit(self.scan.currentData() or ""))
        self.lesions.activated.connect(lambda _: self.lesions_chosen.emit(self.lesions.currentData() or ""))
        self.beta.valueChanged.connect(lambda value: self.beta_chosen.emit(round(value, 4)))
        self.blur.valueChanged.connect(lambda value: self.blur_chosen.emit(round(value, 2)))
        self.expand.valueChanged.connect(self.expand_chosen)
        self.usual.clicked.connect(lambda: self.beta_chosen.emit(default_beta(self._contrast)))
        self.brain.toggled.connect(self.brain_chosen)
        self.draw.clicked.connect(lambda: self.draw_asked.emit(self.seed.value()))

    def offer(self, scans: Sequence[str], labels: Sequence[str], scan: str, lesions: str) -> None:
        """List the layers there are, and show which are chosen; empty for none."""
        fill_combo(self.scan, [("choose a scan …", ""), *((name, name) for name in scans)], scan)
        fill_combo(self.lesions, [(NONE, ""), *((name, name) for name in labels)], lesions)
        self.lesions.setEnabled(bool(scan) and bool(labels))

    def show_settings(self, settings: StructureSettings, contrast: str | None) -> None:
        """Show the settings without saying that the user changed them."""
        self._contrast = contrast
        usual = default_beta(contrast)
        self.usual.setToolTip(f"Set beta to {usual:g}, the usual one for {contrast or 'a scan'}")
        self.usual.setEnabled(settings.beta != usual)
        for slider, value in (
            (self.beta, settings.beta),
            (self.blur, settings.blur_mm),
            (self.expand, settings.expand),
        ):
            slider.blockSignals(True)
            slider.setValue(value)
            slider.blockSignals(False)

    def enable(self, on: bool) -> None:
        """Let the user change things, or not."""
        for widget in (self.scan, self.lesions, self.beta, self.blur, self.expand, self.draw, self.seed):
            widget.setEnabled(on)

    def show_share(self, share: float | None) -> None:
        """Say how much of the brain is edge on the displayed slice."""
        self.share.setText("" if share is None else f"{share:.0%} of the brain on this slice is edge")

    def _lay_out(self) -> None:
        layers = QFormLayout()
        layers.setContentsMargins(0, 0, 0, 0)
        layers.addRow("Scan", self.scan)
        layers.addRow("Leave out lesions", self.lesions)
        sliders = QFormLayout()
        sliders.setContentsMargins(0, 0, 0, 0)
        sliders.setVerticalSpacing(6)
        sliders.addRow("Beta", self.beta)
        sliders.addRow("Blur (mm)", self.blur)
        sliders.addRow("Expansion (px)", self.expand)
        last = QHBoxLayout()
        last.addWidget(self.brain, 1)
        last.addWidget(self.usual)
        random = QHBoxLayout()
        random.addWidget(self.draw, 1)
        random.addWidget(self.seed)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(6)
        whole.addWidget(heading("Layers"))
        whole.addLayout(layers)
        whole.addWidget(heading("Map"))
        whole.addLayout(sliders)
        whole.addLayout(last)
        whole.addWidget(self.share)
        whole.addWidget(heading("At random"))
        whole.addLayout(random)


def _slider(tip: str, limits: tuple[float, float], decimals: int, step: float) -> QLabeledDoubleSlider:
    slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
    slider.setRange(*limits)
    slider.setDecimals(decimals)
    slider.setSingleStep(step)
    slider.setToolTip(tip)
    slider.setAccessibleName(tip)
    return slider
