"""Figures that others published for the same question, beside ours where a comparison is fair.

Published errors come from other patients, other preprocessing (volumes halved in size and divided by a mean
that includes background) and other regions, so the numbers themselves cannot be compared. What can be
compared is how a network stands to a random forest of the same paper on the same data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from napari_mrsynth.training.experiments.plan import NETWORK
from napari_mrsynth.training.experiments.summary import Table


@dataclass(frozen=True)
class Published:
    """A published pair of errors (non-background MSE).

    Attributes
    ----------
    source, data : str
        Where it was printed, and the data it was measured on.
    inputs, target : str
        In this project's names.
    network, forest : float
        As printed.
    """

    source: str
    data: str
    inputs: str
    target: str
    network: float
    forest: float

    @property
    def ratio(self) -> float:
        """The network's error as a share of the forest's."""
        return self.network / self.forest


PUBLISHED = (
    Published("Joyce 2017, table 1", "BRATS 2015, low grade, 54 patients", "T1w", "FLAIR", 1.689, 2.382),
    Published("Joyce 2017, table 1", "BRATS 2015, low grade, 54 patients", "T1w", "T2w", 2.213, 3.407),
    Published("Joyce 2017, table 1", "ISLES 2015, 28 patients", "T1w", "T2w", 1.018, 1.153),
    Published("Joyce 2017, table 2 B", "ISLES 2015, 28 patients", "T1w", "FLAIR", 0.799, 0.986),
    Published("Joyce 2017, table 2 B", "ISLES 2015, 28 patients", "T2w", "FLAIR", 1.048, 1.295),
    Published("Joyce 2017, table 2 B", "ISLES 2015, 28 patients", "T1w+T2w", "FLAIR", 0.699, 0.917),
)
"""Pairs of contrasts that both the papers and this project have."""


def published_lines(tables: Mapping[str, Table]) -> list[str]:
    """Return a Markdown section: the papers' network-to-forest ratios beside ours, pair by pair."""
    judged = {kind: table for kind, table in tables.items() if {NETWORK, "forest"} <= set(table.methods)}
    if not judged:
        return []
    ours = {kind: table.ratios(NETWORK, "forest") for kind, table in judged.items()}
    lines = [
        "## Beside published figures",
        "",
        "Published errors come from other patients and another scale (volumes halved in size, divided by a "
        "mean that includes background), so only the ratio of a network's error to a random forest's on the "
        "same data can be put side by side.",
        "",
        "| target | inputs | published in | data | network / forest, published | "
        + " | ".join(f"ours, {kind}" for kind in ours)
        + " |",
        "|---|---|---|---|---:|" + "---:|" * len(ours),
    ]
    for entry in PUBLISHED:
        found = [ratios.get((entry.inputs, entry.target)) for ratios in ours.values()]
        cells = ["–" if ratio is None else f"{ratio:.3f}" for ratio in found]
        names = [entry.target, entry.inputs.replace("+", ", "), entry.source, entry.data]
        lines.append("| " + " | ".join([*names, f"{entry.ratio:.3f}", *cells]) + " |")
    return lines
