"""Figures as people read them, the same in the terminal, the dock and the report."""

from __future__ import annotations

import math

from napari_mrsynth.evaluation.comparison import FULL_SCALE, Comparison
from napari_mrsynth.evaluation.metrics import RegionScores


def shown(metric: str, value: float) -> str:
    """Return a figure with as many digits as it is good for."""
    if math.isnan(value):
        return "undefined"
    if metric == "psnr":
        return "identical" if math.isinf(value) else f"{value:.2f}"
    return f"{value:.4f}" if metric in ("ssim", "ncc", "gradient_correlation") else f"{value:.4g}"


def interval(metric: str, scores: RegionScores) -> str:
    """Return a figure's interval as ``0.81 to 0.85``, empty where there is none."""
    if scores.intervals is None:
        return ""
    low, high = scores.intervals[metric]
    return "" if math.isnan(low) else f"{shown(metric, low)} to {shown(metric, high)}"


def how_measured(comparison: Comparison) -> tuple[str, ...]:
    """Return the sentences that say what the figures mean: matching, ranges, mask, intervals."""
    scores, how = comparison.scores, comparison.bootstrap
    lines = [
        f"Intensities: {comparison.pair.matching.in_words}"
        + (f" ({comparison.pair.factor:.6g})." if comparison.pair.factor != 1 else "."),
        f"NMSE: each volume divided by its own mean over the brain (prediction {scores.pred_mean:.5g}, "
        f"truth {scores.truth_mean:.5g}).",
        f"Full scale of PSNR and SSIM: {scores.data_range:.5g}, {FULL_SCALE}.",
        f"Brain mask: {comparison.pair.mask_from}.",
    ]
    if how.replicates:
        lines.append(
            f"Intervals: {how.level:.0%} of {how.replicates} bootstrap replicates of cubes of {how.edge} "
            "voxels; they speak of this patient only."
        )
    return (*lines, *(f"Note: {note}" for note in comparison.pair.notes))
