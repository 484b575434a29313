"""``mrsynth train``: train a system as a configuration file says, and save the model as a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mrsynth.cli._options import Telling
from napari_mrsynth.cli._output import Report, Style, absolute, left_out, telling
from napari_mrsynth.errors import ConfigError

if TYPE_CHECKING:
    from napari_mrsynth.training.run import RunResult

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file; see docs/how-to/train.md.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SETTING=VALUE",
        help="A value that differs from the file's, as in YAML: optim.steps=1000. Can be repeated.",
    ),
]


def train(
    config: Config,
    overrides: Overrides = None,
    progress: Telling = Style.TEXT,
) -> Report:
    """Train a model as a configuration says, and save it as a bundle; resumes where it was interrupted."""
    path = absolute(config)
    if not path.is_file():
        raise ConfigError(f"There is no configuration at {path}.", hint="Give the path of a YAML file.")
    from napari_mrsynth.training.run import train as run

    with telling(progress) as show:
        outcome = run(path, tuple(overrides or ()), show)
    if not outcome.leader:  # one of several processes speaks
        raise typer.Exit
    return report_of(outcome)


def report_of(outcome: RunResult) -> Report:
    """Say what a training left behind."""
    payload = {
        "bundle": outcome.bundle,
        "folder": outcome.folder,
        "steps": outcome.steps,
        "exported_step": outcome.exported,
        "start": {**outcome.start.parent, "new": list(outcome.start.new)} if outcome.start else None,
        "skipped": [{"subject": subject, "reason": reason} for subject, reason in outcome.skipped],
        "results": outcome.results,
    }
    lines = [f"Bundle: {outcome.bundle}", f"Steps taken: {outcome.steps}"]
    if outcome.start is not None:
        lines.append(f"S{outcome.start.words[1:]}")
    if outcome.exported < outcome.steps:
        lines.append(f"Exported: the weights of step {outcome.exported}, the best on the held-out patients")
    lines += left_out(outcome.skipped)
    lines.append(f"Use it with --bundle {outcome.bundle}")
    return Report(payload, "\n".join(lines))
