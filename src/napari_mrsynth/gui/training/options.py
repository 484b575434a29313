"""What few users change: how fast is learnt, on how much at a time, and any other setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QFormLayout, QPlainTextEdit, QSpinBox, QWidget

from napari_mrsynth.gui.training.tasks import PACE
from napari_mrsynth.gui.widgets.pieces import folded

if TYPE_CHECKING:
    from qtpy.QtWidgets import QVBoxLayout

_DIGITS = 7
_LINES = 3
"""Height of the box of further settings."""


class _Rate(QDoubleSpinBox):
    """A small number without the zeros at its end."""

    def textFromValue(self, value: float) -> str:  # noqa: N802 - Qt's name
        """Write it."""
        text: str = super().textFromValue(value)
        point = self.locale().decimalPoint()
        return text.rstrip("0").removesuffix(str(point)) if str(point) in text else text


class Options:
    """Fields of a training that are folded away.

    Parameters
    ----------
    further : bool
        Whether any other setting can be written as well.
    """

    def __init__(self, *, further: bool = False) -> None:
        self.rate = _Rate()
        self.rate.setDecimals(_DIGITS)
        self.rate.setRange(10**-_DIGITS, 1.0)
        self.rate.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        self.rate.setAccessibleName("Learning rate")
        self.rate.setToolTip("How far each step goes, at its largest. Lower it where the loss becomes NaN")
        self.batch = QSpinBox()
        self.batch.setRange(1, 4096)
        self.batch.setAccessibleName("Crops per step")
        self.batch.setToolTip("Fewer take less memory and time, and learn less evenly")
        self.crop = QSpinBox()
        self.crop.setRange(16, 1024)
        self.crop.setSingleStep(16)
        self.crop.setSuffix(" voxels")
        self.crop.setAccessibleName("Side of the crops")
        self.crop.setToolTip("Smaller ones take less memory and time, and show less of the brain at once")
        self.further = QPlainTextEdit() if further else None
        self._shown: dict[str, float] = {}
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Learning rate", self.rate)
        form.addRow("Crops per step", self.batch)
        form.addRow("Crop side", self.crop)
        if self.further is not None:
            self.further.setPlaceholderText("one a line:\noptim.ema=0.99\nrun.threads=1")
            self.further.setAccessibleName("Further settings")
            self.further.setToolTip(
                "What else differs from the configuration, one setting a line, as `mrsynth train --set` takes"
            )
            self.further.setTabChangesFocus(True)
            self.further.setFixedHeight(self.further.fontMetrics().lineSpacing() * _LINES + 14)
            form.addRow("Further", self.further)
        inside = QWidget()
        inside.setLayout(form)
        self._fold = folded("Options", inside)

    def add_to(self, layout: QVBoxLayout) -> None:
        """Put the fold at the end of a layout."""
        layout.addWidget(self._fold)

    def show_values(self, rate: float, batch: int, crop: int) -> None:
        """Fill in what holds where nobody changes it; further settings were meant for something else."""
        if self.further is not None:
            self.further.clear()
        self.rate.setValue(rate)
        self.batch.setValue(batch)
        self.crop.setValue(crop)
        self._shown = self._values()

    @property
    def changed(self) -> Mapping[str, float]:
        """What was changed, by the setting's name in a configuration."""
        return {key: value for key, value in self._values().items() if value != self._shown.get(key)}

    @property
    def lines(self) -> tuple[str, ...]:
        """The further settings, as typed."""
        text = "" if self.further is None else self.further.toPlainText()
        return tuple(line.strip() for line in text.splitlines() if line.strip())

    def _values(self) -> dict[str, float]:
        values = (round(self.rate.value(), _DIGITS), self.batch.value(), self.crop.value())
        return dict(zip(PACE, values, strict=True))
