"""Honest scores: how far a synthetic image is from the real one, where, and in which units."""

from napari_mrsynth.evaluation.metrics import METRICS, RegionScores, Scores, normalised_mse, score
from napari_mrsynth.evaluation.pairing import Pair
from napari_mrsynth.evaluation.regions import NAMES, regions_of

__all__ = ["METRICS", "NAMES", "Pair", "RegionScores", "Scores", "normalised_mse", "regions_of", "score"]
