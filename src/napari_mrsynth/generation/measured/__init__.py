"""A lesion generator measured on patients it has not seen, with the segmenter that goes with it."""

from napari_mrsynth.generation.measured.measure import MADE, REAL, Pictured, Score, measuring
from napari_mrsynth.generation.measured.report import results_of, write_painted_report

__all__ = ["MADE", "REAL", "Pictured", "Score", "measuring", "results_of", "write_painted_report"]
