"""What is measured on patients who were held out: figure by figure, and summed up."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

MEAN = "mean"
"""Names the mean over what is measured, patient by patient."""


@dataclass(frozen=True)
class Spread:
    """A figure over patients.

    Attributes
    ----------
    mean, sd : float
        Over patients; the standard deviation of a sample, NaN for fewer than two.
    count : int
        Patients.
    """

    mean: float
    sd: float
    count: int

    @classmethod
    def over(cls, values: Iterable[float]) -> Spread:
        """Sum up one figure of each patient; those that are not finite do not count."""
        known = np.array([value for value in values if math.isfinite(value)], dtype=float)
        if not known.size:
            return cls(math.nan, math.nan, 0)
        return cls(float(known.mean()), float(known.std(ddof=1)) if known.size > 1 else math.nan, known.size)

    def shown(self, digits: int) -> str:
        """Write it as ``0.123 ± 0.045``, without the spread for one patient, as a dash for none."""
        if math.isnan(self.mean):
            return "–"
        return f"{self.mean:.{digits}f}" + (f" ± {self.sd:.{digits}f}" if self.count > 1 else "")


def between(groups: Iterable[tuple[Hashable, float]]) -> float:
    """Return the standard deviation of the groups' means, of (group, value); NaN for fewer than two groups.

    Values that are not finite do not count.
    """
    members: dict[Hashable, list[float]] = {}
    for group, value in groups:
        if math.isfinite(value):
            members.setdefault(group, []).append(value)
    means = [float(np.mean(values)) for values in members.values()]
    return float(np.std(means, ddof=1)) if len(means) > 1 else math.nan


@dataclass(frozen=True)
class Figure:
    """One figure of one patient, measured by the training that did not learn from them.

    Attributes
    ----------
    fold : int
    patient : str
    measure : str
        ``nmse``, ``dice`` …
    what : str
        What was made from what, or a class; empty where there is one figure a patient.
    value : float
    person : str
        Who it is, the same for all sessions of one; the patient if empty.
    """

    fold: int
    patient: str
    measure: str
    what: str
    value: float
    person: str = ""


@dataclass(frozen=True)
class Line:
    """A measured thing over all patients.

    Attributes
    ----------
    measure, what : str
    spread : Spread
        Over patients.
    between_folds : float
        Standard deviation of the folds' means; NaN for fewer than two.
    """

    measure: str
    what: str
    spread: Spread
    between_folds: float

    @classmethod
    def of(cls, measure: str, what: str, figures: Sequence[Figure]) -> Line:
        """Sum figures up, sessions of one person as their mean; those that are not finite do not count."""
        people: dict[tuple[int, str], list[float]] = {}
        for figure in figures:
            if math.isfinite(figure.value):
                people.setdefault((figure.fold, figure.person or figure.patient), []).append(figure.value)
        means = [(fold, float(np.mean(values))) for (fold, _), values in people.items()]
        return cls(measure, what, Spread.over(mean for _, mean in means), between(means))


def figures_of(
    fold: int, results: Mapping[str, Any], people: Mapping[str, str] | None = None
) -> Iterator[Figure]:
    """Yield the figures of single patients among results; `people` says whose sessions they are."""
    for figure in _figures(fold, results):
        yield replace(figure, person=(people or {}).get(figure.patient, ""))


def _figures(fold: int, results: Mapping[str, Any]) -> Iterator[Figure]:
    for measure, table in results.items():
        if not isinstance(table, Mapping):
            continue  # one figure of the whole fold
        for name, found in table.items():
            if isinstance(found, Mapping):
                for patient, value in found.items():
                    yield Figure(fold, patient, measure, name, _number(value))
            else:
                yield Figure(fold, name, measure, "", _number(found))


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)  # in JSON, what is not finite is null


def lines_of(figures: Iterable[Figure]) -> tuple[Line, ...]:
    """Sum up every measured thing; where a measure has several, the mean of them comes first."""
    found: dict[str, dict[str, list[Figure]]] = {}
    for figure in figures:
        found.setdefault(figure.measure, {}).setdefault(figure.what, []).append(figure)
    lines: list[Line] = []
    for measure, cells in found.items():
        if len(cells) > 1:
            lines.append(Line.of(measure, MEAN, _means([f for own in cells.values() for f in own])))
        lines += [Line.of(measure, what, own) for what, own in cells.items()]
    return tuple(lines)


def headlines(lines: Iterable[Line]) -> dict[str, Line]:
    """Return the first line of each measure: the mean, where it has several."""
    found: dict[str, Line] = {}
    for line in lines:
        found.setdefault(line.measure, line)
    return found


def _means(figures: Sequence[Figure]) -> list[Figure]:
    """Return each patient's mean over what was measured of them."""
    patients: dict[tuple[int, str], list[Figure]] = {}
    for figure in figures:
        if math.isfinite(figure.value):
            patients.setdefault((figure.fold, figure.patient), []).append(figure)
    return [
        replace(own[0], what=MEAN, value=float(np.mean([figure.value for figure in own])))
        for own in patients.values()
    ]
