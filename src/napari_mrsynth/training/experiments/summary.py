"""From rows to a table: mean and spread over patients, and the bars a network has to clear."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from napari_mrsynth.training.experiments.ledger import Row
from napari_mrsynth.training.experiments.plan import NETWORK
from napari_mrsynth.training.figures import Spread, between

FOREST_BAR = 0.85
"""The network's error must be at most this share of the forest's, averaged over the pairs."""


class Table:
    """The rows of one kind of part, asked by method, pair, region and figure.

    Parameters
    ----------
    rows : iterable of Row
        Of the ``test`` part, or of all folds together: every patient at most once per method and pair.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._cells: dict[tuple[str, str, str, str], list[Row]] = {}
        for row in rows:
            self._cells.setdefault((row.method, row.inputs, row.target, row.region), []).append(row)
        found = [row for cell in self._cells.values() for row in cell]
        self.methods = tuple(dict.fromkeys(row.method for row in found))
        self.patients = tuple(sorted({row.patient for row in found}))
        self.pairs = tuple(dict.fromkeys((row.inputs, row.target) for row in found))

    def __bool__(self) -> bool:
        return bool(self._cells)

    def patients_with(self, region: str) -> tuple[str, ...]:
        """Return the patients of whom a region was scored."""
        return tuple(
            sorted({r.patient for key, rows in self._cells.items() for r in rows if key[3] == region})
        )

    def spread(self, method: str, inputs: str, target: str, figure: str, region: str = "brain") -> Spread:
        """Return a figure's mean and spread over the patients that have the region."""
        rows = self._cells.get((method, inputs, target, region), [])
        return Spread.over(float(getattr(row, figure)) for row in rows)

    def between_parts(
        self, method: str, inputs: str, target: str, figure: str, region: str = "brain"
    ) -> float:
        """Return the standard deviation of a figure's means over the parts; NaN for fewer than two."""
        rows = self._cells.get((method, inputs, target, region), [])
        return between((row.part, float(getattr(row, figure))) for row in rows)

    def ratios(self, method: str, other: str, region: str = "brain") -> dict[tuple[str, str], float]:
        """Return, per pair, one method's mean NMSE as a share of another's."""
        return {
            pair: self.spread(method, *pair, "nmse", region).mean
            / self.spread(other, *pair, "nmse", region).mean
            for pair in self.pairs
        }


@dataclass(frozen=True)
class Bar:
    """One bar and whether the network clears it.

    Attributes
    ----------
    name : str
        What is asked.
    cleared : bool
    measured : str
        What was found, in figures.
    methods : tuple of str
        Which it compares.
    """

    name: str
    cleared: bool
    measured: str
    methods: tuple[str, ...] = ()


def bars_of(table: Table) -> list[Bar]:
    """Check the network against the bars that the methods in the table allow to be checked."""
    bars: list[Bar] = []
    if NETWORK not in table.methods:
        return bars
    if "linear" in table.methods:
        ratios = table.ratios(NETWORK, "linear")
        worst = max(ratios, key=lambda pair: ratios[pair])
        better = sum(ratio < 1 for ratio in ratios.values())
        bars.append(
            Bar(
                f"Lower error than linear regression on all {len(ratios)} pairs",
                better == len(ratios),
                f"lower on {better}; ratio {_mean(ratios.values()):.3f} on average, at worst "
                f"{ratios[worst]:.3f} ({_arrow(worst)})",
            )
        )
    if "forest" in table.methods:
        ratios = table.ratios(NETWORK, "forest")
        worst = max(ratios, key=lambda pair: ratios[pair])
        bars.append(
            Bar(
                f"At least {1 - FOREST_BAR:.0%} lower error than the random forest on average",
                _mean(ratios.values()) <= FOREST_BAR,
                f"ratio {_mean(ratios.values()):.3f} on average, {min(ratios.values()):.3f} to "
                f"{ratios[worst]:.3f} ({_arrow(worst)}); lower on "
                f"{sum(ratio < 1 for ratio in ratios.values())} of {len(ratios)}",
            )
        )
    fused = _fusion(table)
    bars.append(
        Bar(
            "All inputs: error over the brain no higher than with any single one",
            all(whole <= single for whole, single in fused.values()),
            "; ".join(
                f"{target} {whole:.4f} against {single:.4f}" for target, (whole, single) in fused.items()
            ),
        )
    )
    return bars


def _fusion(table: Table) -> dict[str, tuple[float, float]]:
    """Return, per target, the network's error from all inputs and from the best single one."""
    found = {}
    for target in dict.fromkeys(target for _, target in table.pairs):
        errors = {
            inputs: table.spread(NETWORK, inputs, target, "nmse").mean
            for inputs, made in table.pairs
            if made == target
        }
        whole = max(errors, key=lambda inputs: inputs.count("+"))
        found[target] = errors[whole], float(np.min([errors[i] for i in errors if "+" not in i]))
    return found


def by_kind(rows: Sequence[Row]) -> dict[str, Table]:
    """Return the tables of the ``test`` part and of all folds together, those that have rows."""
    tables = {
        "test": Table(row for row in rows if row.part == "test"),
        "cross-validation": Table(row for row in rows if row.part != "test"),
    }
    return {kind: table for kind, table in tables.items() if table}


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _arrow(pair: tuple[str, str]) -> str:
    return f"{pair[0]} to {pair[1]}"
