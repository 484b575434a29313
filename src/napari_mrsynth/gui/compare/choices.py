"""The dock's first part: what is compared with what, and how."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFormLayout,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QWidget,
)

from napari_mrsynth.evaluation.matching import Matching

COMPUTED = "Found in the truth"
NO_LESIONS = "None"
_MATCHINGS = (
    (
        Matching.MEAN,
        "Bring the brain means together",
        "One factor per prediction; MR intensities have no unit",
    ),
    (Matching.NONE, "As they are", "A difference of scale counts as error"),
)
_ROW = 24


class ChoicePanel(QWidget):
    """Predictions to tick, the truth, the masks and the matching; it only says what was chosen.

    Attributes
    ----------
    checked : Signal
        The user ticked a prediction, or took a tick away.
    changed : Signal
        The user chose something else.
    """

    checked = Signal()
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.predictions = QListWidget()
        self.predictions.setAccessibleName("Predictions")
        self.predictions.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.predictions.itemChanged.connect(lambda _: self.checked.emit())
        self.truth = _combo("The real scan the predictions are compared with")
        self.mask = _combo("Brain mask: any labels layer, or found in the truth")
        self.lesions = _combo("Any labels layer: what lies in it is scored as lesion, the rest as healthy")
        self.matching = _combo("What is done to the intensities before they are compared")
        for value, text, tip in _MATCHINGS:
            self.matching.addItem(text, value)
            self.matching.setItemData(self.matching.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        for combo in (self.truth, self.mask, self.lesions, self.matching):
            combo.activated.connect(lambda _: self.changed.emit())
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(5)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("Predictions", self.predictions)
        form.addRow("Truth", self.truth)
        form.addRow("Brain", self.mask)
        form.addRow("Lesions", self.lesions)
        form.addRow("Intensities", self.matching)

    def offer(
        self,
        scans: Sequence[str],
        labels: Sequence[str],
        *,
        ticked: Sequence[str],
        truth: str | None,
        lesions: str | None,
        mask: str | None,
    ) -> None:
        """Show what can be chosen and what is.

        Parameters
        ----------
        scans, labels : sequence of str
            Names of layers.
        ticked : sequence of str
            The predictions.
        truth, lesions, mask : str or None
            What is chosen.
        """
        self.predictions.blockSignals(True)
        self.predictions.clear()
        for name in scans:
            item = QListWidgetItem(name)
            item.setToolTip(name)
            item.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled)
            item.setCheckState(Qt.CheckState.Checked if name in ticked else Qt.CheckState.Unchecked)
            self.predictions.addItem(item)
        self.predictions.blockSignals(False)
        self.predictions.setFixedHeight(_ROW * min(max(len(scans), 1), 5) + 6)
        _fill(self.truth, list(scans), truth)
        _fill(self.mask, [COMPUTED, *labels], mask or COMPUTED)
        _fill(self.lesions, [NO_LESIONS, *labels], lesions or NO_LESIONS)

    @property
    def all_ticked(self) -> list[str]:
        """The names of all that are ticked."""
        items = (self.predictions.item(row) for row in range(self.predictions.count()))
        return [item.text() for item in items if item.checkState() == Qt.CheckState.Checked]

    @property
    def ticked(self) -> list[str]:
        """The names of the predictions, without the truth."""
        return [name for name in self.all_ticked if name != self.truth.currentText()]

    @property
    def truth_name(self) -> str | None:
        """The name of the truth."""
        return self.truth.currentText() or None

    @property
    def mask_name(self) -> str | None:
        """The name of the brain mask; None where it is to be found."""
        return self.mask.currentText() if self.mask.currentIndex() > 0 else None

    @property
    def lesions_name(self) -> str | None:
        """The name of the lesion labels, or None."""
        return self.lesions.currentText() if self.lesions.currentIndex() > 0 else None

    @property
    def chosen_matching(self) -> Matching:
        """What is done to the intensities."""
        return Matching(self.matching.currentData())


def _combo(tip: str) -> QComboBox:
    combo = QComboBox()
    combo.setToolTip(tip)
    combo.setMinimumContentsLength(10)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return combo


def _fill(combo: QComboBox, names: list[str], chosen: str | None) -> None:
    combo.blockSignals(True)
    combo.clear()
    combo.addItems(names)
    combo.setCurrentIndex(names.index(chosen) if chosen in names else (0 if names else -1))
    combo.blockSignals(False)
