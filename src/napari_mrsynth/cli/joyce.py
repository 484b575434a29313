"""``mrsynth experiment joyce-...``: the tables of Joyce et al. 2017, each made again by one command."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from napari_mrsynth.cli._options import REHEARSED, Changes, Quick, listed
from napari_mrsynth.cli._output import Report, absolute, left_out, showing_progress, table
from napari_mrsynth.training.strict import setting

TABLES = {  # subcommand: module, configuration
    "unimodal": ("unimodal", "anysubset/joyce-unimodal"),
    "missing": ("missing", "anysubset/joyce-missing"),
    "misaligned": ("misaligned", "anysubset/joyce-misaligned"),
    "transfer": ("transfer", "anysubset/joyce-unimodal"),
}

Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE|NAME", help="The network's configuration; by default a shipped one."),
]
Data = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of patients, instead of the configuration's.")
]
Folds = Annotated[int, typer.Option(min=2, help="Of the cross-validation.")]
Every = Annotated[int, typer.Option(min=1, metavar="N", help="Score every Nth axial slice.")]
Repeats = Annotated[
    int,
    typer.Option(min=1, metavar="N", help="Trainings of each network, by a seed each; their mean counts."),
]
Methods = Annotated[
    str, typer.Option(metavar="NAME[,...]", help="Which of the table's methods, by their names in its rows.")
]
Jobs = Annotated[int, typer.Option(min=1, metavar="N", help="Threads of the forests.")]
Folder = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where all tables' rows and trainings are kept; runs/joyce by default."),
]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Where page, figure and rows are written.")]
RESULTS = Path("docs/results")


def _command(name: str, summary: str) -> Callable[..., Report]:
    def command(
        config: Config = None,
        changes: Changes = None,
        data: Data = None,
        folds: Folds = 5,
        every: Every = 1,
        repeats: Repeats = 1,
        methods: Methods = "",
        jobs: Jobs = 1,
        quick: Quick = False,
        folder: Folder = None,
        out: Out = RESULTS,
    ) -> Report:
        where = absolute(folder or Path("runs/joyce"))
        overrides = (*(changes or ()), *data_in(data))
        numbers = (folds, every, repeats, jobs)
        return _run(
            name, config, overrides, numbers, where, absolute(out), quick=quick, methods=listed(methods)
        )

    command.__doc__ = summary
    return command


unimodal = _command("unimodal", "T2w and FLAIR from T1w: the network against older methods (table 1).")
missing = _command("missing", "FLAIR from any subset of three inputs: one network against seven (table 2).")
misaligned = _command("misaligned", "FLAIR from inputs out of place, with and without the transformer (5.3).")
transfer = _command("transfer", "Decoders fine-tuned on 1, 2, 3 volumes of another source of data (5.4).")


def data_in(folder: Path | None) -> tuple[str, ...]:
    """Return the setting that says where patients lie; none where the configuration is to say it."""
    return () if folder is None else (setting("data.root", str(absolute(folder))),)


def _run(
    name: str,
    config: Path | None,
    overrides: tuple[str, ...],
    numbers: tuple[int, int, int, int],
    folder: Path,
    out: Path,
    *,
    quick: bool,
    methods: tuple[str, ...],
) -> Report:
    from napari_mrsynth.training.experiments.joyce.plan import Joyce, JoyceSettings
    from napari_mrsynth.training.experiments.joyce.repeats import repeated
    from napari_mrsynth.training.experiments.joyce.report import figure_of, tables_of, write_report
    from napari_mrsynth.training.experiments.joyce.running import run
    from napari_mrsynth.training.shipped import configuration_at

    module, standard = TABLES[name]
    path = configuration_at(config or standard, "anysubset")
    folds, every, repeats, jobs = numbers
    where = (folder / "quick" if quick else folder) / name
    settings = JoyceSettings(
        path,
        overrides,
        where,
        folds=folds,
        every=every,
        jobs=jobs,
        quick=quick,
        repeats=repeats,
        methods=methods,
    )
    plan = import_module(f"napari_mrsynth.training.experiments.joyce.{module}").experiment
    with showing_progress() as show:
        experiment = plan(Joyce(settings))
        experiment = repeated(experiment.only(methods) if methods else experiment, repeats)
        outcome = run(experiment, settings, show)
    paths, bars = write_report(experiment, outcome, where if quick else out, settings)
    tables = tables_of(experiment, outcome)
    found = [(line, figure_of(line, tables)) for line in experiment.lines]
    payload = {
        "quick": quick,
        "repeats": repeats,
        "files": paths,
        "lines": [
            {
                "target": line.pair[1],
                "inputs": line.pair[0],
                "method": line.title,
                "published": dict(zip(experiment.published, line.published, strict=False)),
                "mse": spread.mean,
                "sd": spread.sd,
                "patients": spread.count,
            }
            for line, spread in found
        ],
        "bars": [{"bar": b.name, "cleared": b.cleared, "measured": b.measured} for b in bars],
        "skipped": [{"subject": subject, "reason": reason} for subject, reason in experiment.skipped],
    }
    rows = [
        (
            line.pair[1],
            ", ".join(line.pair[0]),
            line.title,
            *(text or "-" for text in line.published),
            spread.shown(4) if math.isfinite(spread.mean) else "-",
        )
        for line, spread in found
    ]
    text = [table(rows, ("target", "inputs", "method", *experiment.published, "ours, MSE")), ""]
    text += [f"{'yes' if b.cleared else 'NO '} {b.name}: {b.measured}" for b in bars]
    text += left_out(experiment.skipped)
    text += [f"{what}: {written}" for what, written in paths.items()]
    if quick:
        text.append(REHEARSED)
    return Report(payload, "\n".join(text))
