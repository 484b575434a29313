"""Plain methods on the same patients: what a network has to beat before it is worth shipping."""

from napari_mrsynth.training.baselines.case import Case
from napari_mrsynth.training.baselines.methods import Baseline, LinearRegression, MeanImage, RandomForest

__all__ = ["Baseline", "Case", "LinearRegression", "MeanImage", "RandomForest"]
