"""Honest scores: how far a synthetic image is from the real one, where, and in which units."""

from napari_mrsynth.evaluation.bootstrap import Bootstrap
from napari_mrsynth.evaluation.figures import normalised_mse
from napari_mrsynth.evaluation.metrics import METRICS, RegionScores, Scores, score
from napari_mrsynth.evaluation.pairing import Pair
from napari_mrsynth.evaluation.regions import NAMES, regions_of

__all__ = [
    "METRICS",
    "NAMES",
    "Bootstrap",
    "Pair",
    "RegionScores",
    "Scores",
    "normalised_mse",
    "regions_of",
    "score",
]
