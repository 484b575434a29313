"""How sure a mean over patients is: intervals that speak of other patients, unlike those within one image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
REPLICATES = 2000

Interval = tuple[float, float]


@dataclass(frozen=True)
class OverPatients:
    """A mean over patients and where it may lie.

    Attributes
    ----------
    mean : float
        NaN where there is no patient.
    count : int
        Patients.
    student : (float, float) or None
        95 % interval of Student's t, which is wide where patients are few; None for fewer than two.
    bootstrap : (float, float) or None
        95 % of the means of patients drawn with replacement; with fewer than about ten patients it is
        narrower than it ought to be. None for fewer than two.
    """

    mean: float
    count: int
    student: Interval | None
    bootstrap: Interval | None


def over_patients(values: Sequence[float], seed: int = 0) -> OverPatients:
    """Return the mean of one figure per patient, with its intervals.

    Parameters
    ----------
    values : sequence of float
        One per patient; of differences between two methods, where these are to be compared.
    seed : int
        Of the random draws.
    """
    array = np.asarray(values, dtype=np.float64)
    count = int(array.size)
    if count < 2:
        return OverPatients(float(array.mean()) if count else float("nan"), count, None, None)
    from scipy.stats import t

    mean, error = float(array.mean()), float(array.std(ddof=1) / np.sqrt(count))
    reach = float(t.ppf(0.5 + LEVEL / 2, count - 1)) * error
    drawn = np.random.default_rng(seed).integers(count, size=(REPLICATES, count))
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(array[drawn].mean(axis=1), (tail, 100 - tail))
    return OverPatients(mean, count, (mean - reach, mean + reach), (float(low), float(high)))
