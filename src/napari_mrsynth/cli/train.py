"""``mrsynth train``: train a system as a configuration file says, and save the model as a bundle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_mrsynth.cli._options import Telling
from napari_mrsynth.cli._output import Report, Style, left_out, telling

if TYPE_CHECKING:
    from napari_mrsynth.training.run import RunResult

Config = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG",
        help="A YAML file, or a shipped one's name: segmenter/tumour; see docs/how-to/train.md.",
    ),
]
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
    from napari_mrsynth.training.run import train as run
    from napari_mrsynth.training.shipped import configuration_at

    with telling(progress) as show:
        outcome = run(configuration_at(config), tuple(overrides or ()), show)
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
        "people": dict(outcome.people),
    }
    lines = [f"Bundle: {outcome.bundle}", f"Steps taken: {outcome.steps}"]
    if outcome.start is not None:
        lines.append(f"S{outcome.start.words[1:]}")
    if outcome.exported < outcome.steps:
        lines.append(f"Exported: the weights of step {outcome.exported}, the best on the held-out patients")
    lines += left_out(outcome.skipped)
    lines += _held_out(outcome.results, outcome.people)
    lines.append(f"Use it with --bundle {outcome.bundle}")
    return Report(payload, "\n".join(lines))


def _held_out(results: Mapping[str, Any], people: Mapping[str, str]) -> list[str]:
    """Say what was measured on the patients that were held out, one line a measure."""
    from napari_mrsynth.training.figures import figures_of, headlines, lines_of

    lines = lines_of(figures_of(0, results, people))
    counts = Counter(line.measure for line in lines)
    said = []
    for measure, line in headlines(lines).items():
        of = f", the mean of {counts[measure] - 1} in held_out.json" if counts[measure] > 1 else ""
        count = f"{line.spread.count} patient{'s' if line.spread.count != 1 else ''}"
        said.append(f"Held out: {measure} {line.spread.shown(4)} over {count}{of}")
    return said
