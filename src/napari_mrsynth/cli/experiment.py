"""``mrsynth experiment``: the project's published tables, each made by one command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mrsynth.cli._options import REHEARSED, Changes, Quick, bundle_of, listed
from napari_mrsynth.cli._output import Report, absolute, left_out, showing_progress
from napari_mrsynth.cli.joyce import RESULTS, Config, Data, Jobs, Out, data_in
from napari_mrsynth.errors import ConfigError

if TYPE_CHECKING:
    from napari_mrsynth.training.experiments.plan import AnySubset
    from napari_mrsynth.training.experiments.summary import Table


def any_subset(
    config: Config = None,
    changes: Changes = None,
    data: Data = None,
    bundle: Annotated[
        str | None,
        typer.Option(
            metavar="ID|DIR", help="The model judged on the test patients; by default one is trained for it."
        ),
    ] = None,
    folds: Annotated[int, typer.Option(help="Of the cross-validation over `train`; 0 leaves it out.")] = 5,
    test: Annotated[bool, typer.Option(help="Score the patients of the split `test`.")] = True,
    methods: Annotated[
        str, typer.Option(metavar="NAME[,...]", help="Which methods are compared.")
    ] = "mean,linear,forest,network",
    every: Annotated[
        int, typer.Option(metavar="N", help="Cross-validate on every Nth axial slice; 1 for all.")
    ] = 8,
    jobs: Jobs = 1,
    card: Annotated[
        bool, typer.Option("--card", help="Write the network's figures on the card of --bundle.")
    ] = False,
    quick: Quick = False,
    folder: Annotated[
        Path, typer.Option(metavar="DIR", help="Where rows and trainings are kept, to go on from.")
    ] = Path("runs/any-subset"),
    out: Out = RESULTS,
) -> Report:
    """Compare the any-subset network with plain methods on every (subset, target) pair."""
    from napari_mrsynth.training.experiments.any_subset import run
    from napari_mrsynth.training.experiments.plan import AnySubset
    from napari_mrsynth.training.experiments.report import write_report
    from napari_mrsynth.training.experiments.summary import bars_of, by_kind
    from napari_mrsynth.training.shipped import configuration_at

    where = absolute(folder) / "quick" if quick else absolute(folder)
    settings = AnySubset(
        config=configuration_at(config or "anysubset/brain", "anysubset"),
        overrides=(*(changes or ()), *data_in(data)),
        folder=where,
        bundle=None if bundle is None else bundle_of(bundle),
        folds=folds,
        test=test,
        methods=listed(methods),
        every=every,
        jobs=jobs,
        quick=quick,
    )
    with showing_progress() as show:
        outcome = run(settings, show)
    paths = write_report(settings, outcome, where if quick else absolute(out))
    tables = by_kind(outcome.rows)
    if card:
        _write_card(settings, tables)
    bars = {kind: bars_of(table) for kind, table in tables.items()}
    payload = {
        "quick": quick,
        "files": paths,
        "patients": {kind: table.patients for kind, table in tables.items()},
        "nmse": {kind: _errors(table) for kind, table in tables.items()},
        "bars": {
            kind: [{"bar": b.name, "cleared": b.cleared, "measured": b.measured} for b in found]
            for kind, found in bars.items()
        },
        "skipped": [{"subject": subject, "reason": reason} for subject, reason in outcome.skipped],
    }
    lines = [f"{what}: {written}" for what, written in paths.items()]
    for kind, found in bars.items():
        lines += [f"{kind}: {'yes' if b.cleared else 'NO '} {b.name}: {b.measured}" for b in found]
    lines += left_out(outcome.skipped)
    if quick:
        lines.append(REHEARSED)
    return Report(payload, "\n".join(lines))


def _write_card(settings: AnySubset, tables: Mapping[str, Table]) -> None:
    from napari_mrsynth.training.config import load_config
    from napari_mrsynth.training.experiments.on_card import write_on_card
    from napari_mrsynth.training.experiments.plan import NETWORK, command_of

    judged = tables.get("test")
    if settings.bundle is None or settings.quick or judged is None or NETWORK not in judged.methods:
        raise ConfigError(
            "There are no figures for a card.",
            hint="--card needs --bundle, the test patients and the method network, and not --quick.",
        )
    texts = load_config(settings.config, settings.overrides).card
    write_on_card(settings.bundle, texts, judged, f"{command_of(settings)} --card")


def _errors(table: Table) -> dict[str, dict[str, float]]:
    """Return, per method, the mean NMSE over the brain of every ``T1w+T2w>FLAIR``."""
    return {
        method: {
            f"{inputs}>{target}": table.spread(method, inputs, target, "nmse").mean
            for inputs, target in table.pairs
        }
        for method in table.methods
    }
