"""A model measured on patients it has not seen: every subset of inputs, beside a plain baseline."""

from napari_mrsynth.evaluation.card.measure import (
    BASELINE,
    HINDSIGHT,
    MODEL,
    Row,
    measuring,
    name_below,
    patients_below,
    refusing_trained_on,
)
from napari_mrsynth.evaluation.card.report import figures_of, write_card_report
from napari_mrsynth.evaluation.card.significance import Difference, differences, holm

__all__ = [
    "BASELINE",
    "HINDSIGHT",
    "MODEL",
    "Difference",
    "Row",
    "differences",
    "figures_of",
    "holm",
    "measuring",
    "name_below",
    "patients_below",
    "refusing_trained_on",
    "write_card_report",
]
