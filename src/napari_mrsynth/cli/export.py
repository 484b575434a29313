"""``mrsynth export``: write the bundle of a training run, ended or not, from its last checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_mrsynth.cli._output import Report, absolute
from napari_mrsynth.cli.train import report_of

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The run folder of a training.")]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The bundle's folder; RUN/bundle/ID if not given.")
]


def export(run: Run, out: Out = None) -> Report:
    """Write the bundle of a training run from its last checkpoint, whether the run has ended or not."""
    from napari_mrsynth.training.run import export as write

    return report_of(write(absolute(run), None if out is None else absolute(out)))
