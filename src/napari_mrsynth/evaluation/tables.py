"""Figures of many comparisons: one flat table, and mean and spread over the patients."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_mrsynth.evaluation.comparison import Comparison
from napari_mrsynth.evaluation.metrics import METRICS
from napari_mrsynth.evaluation.regions import NAMES
from napari_mrsynth.io.atomic import replacing


def summary(comparisons: Sequence[Comparison]) -> dict[str, dict[str, dict[str, float | int]]]:
    """Return each figure's mean, standard deviation, median and count, by region and metric.

    Values that are undefined or infinite are left out of the three, and of the count.
    """
    found: dict[str, dict[str, dict[str, float | int]]] = {}
    for region in NAMES:
        scored = [c.scores.regions[region] for c in comparisons if region in c.scores.regions]
        if scored:
            found[region] = {metric: _spread(getattr(each, metric) for each in scored) for metric in METRICS}
    return found


def _spread(values: Iterable[float]) -> dict[str, float | int]:
    known = np.array([value for value in values if math.isfinite(value)])
    if not known.size:
        return {"mean": math.nan, "sd": math.nan, "median": math.nan, "count": 0}
    return {
        "mean": float(known.mean()),
        "sd": float(known.std(ddof=1)) if known.size > 1 else math.nan,
        "median": float(np.median(known)),
        "count": int(known.size),
    }


def write_csv(path: Path, comparisons: Sequence[Comparison], patients: Sequence[str] = ()) -> Path:
    """Write one row per comparison and region; numbers with all their digits, undefined ones empty.

    Parameters
    ----------
    path : Path
    comparisons : sequence of Comparison
    patients : sequence of str, optional
        Of each comparison, for a first column.
    """
    rows: list[dict[str, Any]] = []
    for place, comparison in enumerate(comparisons):
        first = {"patient": patients[place]} if patients else {}
        rows += [{**first, **row} for row in comparison.rows()]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["region"])
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return path


def write_json(path: Path, comparisons: Sequence[Comparison]) -> Path:
    """Write what ``mrsynth evaluate --json`` prints of each comparison, as a list."""
    text = json.dumps([finite(c.payload()) for c in comparisons], indent=2, ensure_ascii=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def finite(value: Any) -> Any:
    """Return plain data that JSON can hold: numbers that are not finite become None."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(value)
    return "" if value is None else value
