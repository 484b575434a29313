"""``mrsynth crossvalidate``: a training per fold, and one table of what was measured on all patients."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mrsynth.cli._options import Telling
from napari_mrsynth.cli._output import Report, Style, absolute, left_out, table, telling
from napari_mrsynth.cli.train import Config, Overrides

if TYPE_CHECKING:
    from napari_mrsynth.training.experiments.crossvalidation import CrossValidation


def crossvalidate(
    config: Config,
    folder: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the folds' runs and the figures are kept.")
    ],
    folds: Annotated[int, typer.Option(min=2, help="Into how many the patients are dealt.")] = 5,
    overrides: Overrides = None,
    progress: Telling = Style.TEXT,
) -> Report:
    """Train fold by fold, each measured on whom it did not learn from; resumes where it was interrupted."""
    from napari_mrsynth.training.experiments.crossvalidation import crossvalidate as run
    from napari_mrsynth.training.shipped import configuration_at

    where = absolute(folder)
    with telling(progress) as show:
        outcome = run(configuration_at(config), folds, where, tuple(overrides or ()), show)
    return report_of(outcome, where)


def report_of(outcome: CrossValidation, folder: Path) -> Report:
    """Say what a cross-validation found."""
    payload = {
        "folder": folder,
        "figures": folder / "crossvalidation.csv",
        "folds": outcome.folds,
        "lines": [
            {
                "measure": line.measure,
                "what": line.what,
                "mean": line.spread.mean,
                "sd": line.spread.sd,
                "sd_of_folds": line.between_folds,
                "patients": line.spread.count,
            }
            for line in outcome.lines
        ],
        "bundles": list(outcome.bundles),
        "skipped": [{"subject": subject, "reason": reason} for subject, reason in outcome.skipped],
    }
    rows = [
        (
            line.measure,
            line.what or "-",
            line.spread.shown(4),
            f"{line.between_folds:.4f}" if math.isfinite(line.between_folds) else "-",
            str(line.spread.count),
        )
        for line in outcome.lines
    ]
    lines = [
        table(rows, ("measure", "of", "mean ± s.d. over patients", "s.d. over folds", "patients")),
        *left_out(outcome.skipped),
        f"Figures, patient by patient: {folder / 'crossvalidation.csv'}",
    ]
    return Report(payload, "\n".join(lines))
