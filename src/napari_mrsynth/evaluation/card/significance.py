"""Whether a model beats the baseline by more than chance: paired tests, corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_mrsynth.evaluation.card.measure import BASELINE, HINDSIGHT, MODEL, Row

METHODS = (MODEL, BASELINE, HINDSIGHT)

FEWEST_PATIENTS = 6
"""With fewer, no paired rank test can reach 5 % whatever the data."""


@dataclass(frozen=True)
class Difference:
    """The model against the baseline on one task and region.

    Attributes
    ----------
    inputs, target, region : str
    patients : int
    model, baseline, hindsight : float
        Mean NMSE over the patients, also of the linear fit that knows the truth.
    p, corrected : float or None
        Of Wilcoxon's signed-rank test, two-sided, alone and after Holm's correction over all tests; None with
        too few patients.
    """

    inputs: str
    target: str
    region: str
    patients: int
    model: float
    baseline: float
    hindsight: float
    p: float | None
    corrected: float | None


def holm(values: Sequence[float]) -> list[float]:
    """Return p values corrected for the number of tests (Holm 1979), in the order given."""
    order = np.argsort(values)
    corrected = np.zeros(len(values))
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = highest
    return [float(value) for value in corrected]


def differences(rows: Sequence[Row]) -> list[Difference]:
    """Compare model and baseline, patient by patient, on every task and region."""
    found: dict[tuple[str, str, str], dict[str, dict[str, float]]] = {}
    for row in rows:
        cell = found.setdefault((row.inputs, row.target, row.region), {})
        cell.setdefault(row.patient, {})[row.method] = row.figures["nmse"]
    tests: list[tuple[tuple[str, str, str], np.ndarray, float | None]] = []
    for key, patients in found.items():
        pairs = np.array([[each[method] for method in METHODS] for each in patients.values()])
        tests.append((key, pairs, _p_value(pairs)))
    known = [p for _, _, p in tests if p is not None]
    corrected = iter(holm(known))
    return [
        Difference(
            *key,
            patients=len(pairs),
            model=float(pairs[:, 0].mean()),
            baseline=float(pairs[:, 1].mean()),
            hindsight=float(pairs[:, 2].mean()),
            p=p,
            corrected=None if p is None else next(corrected),
        )
        for key, pairs, p in tests
    ]


def _p_value(pairs: np.ndarray) -> float | None:
    if len(pairs) < FEWEST_PATIENTS or not (pairs[:, 0] != pairs[:, 1]).any():
        return None
    from scipy.stats import wilcoxon

    return float(wilcoxon(pairs[:, 0], pairs[:, 1]).pvalue)
