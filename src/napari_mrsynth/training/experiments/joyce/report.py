"""A table of Joyce 2017 as people read it: published figures beside ours, a figure, and the rows."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from napari_mrsynth import __version__
from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.io.figures import blank_figure, write_png
from napari_mrsynth.training.experiments.joyce.experiment import Experiment, Line
from napari_mrsynth.training.experiments.joyce.plan import JoyceSettings
from napari_mrsynth.training.experiments.joyce.repeats import averaged, training
from napari_mrsynth.training.experiments.joyce.running import Outcome
from napari_mrsynth.training.experiments.ledger import Row, write_rows
from napari_mrsynth.training.experiments.plan import written
from napari_mrsynth.training.experiments.summary import Bar, Table
from napari_mrsynth.training.figures import Spread

COLUMNS = {"MSE": ("nmse", "brain", 4), "MSE in lesions": ("nmse", "lesion", 4), "SSIM": ("ssim", "brain", 3)}
REHEARSAL = "**A rehearsal (`--quick`): few patients, short trainings. These figures say nothing.**"


def tables_of(experiment: Experiment, outcome: Outcome) -> dict[str, Table]:
    """Return the tables that lines and bars are read from, by the beginning of the parts' names.

    Where networks were trained several times they hold the means over these trainings.
    """
    return _tables(experiment, averaged(outcome.rows))


def _tables(experiment: Experiment, rows: Sequence[Row]) -> dict[str, Table]:
    return {part: Table(row for row in rows if row.part.startswith(part)) for part in _places(experiment)}


def figure_of(line: Line, tables: Mapping[str, Table], column: str = "MSE") -> Spread:
    """Return one measured figure of a line."""
    figure, region, _ = COLUMNS[column]
    return tables[line.part].spread(line.method, "+".join(line.pair[0]), line.pair[1], figure, region)


def write_report(
    experiment: Experiment, outcome: Outcome, folder: Path, settings: JoyceSettings
) -> tuple[dict[str, Path], list[Bar]]:
    """Write ``NAME.md``, ``NAME.png`` and ``NAME.csv`` into a folder.

    The name tells a table of some methods, or of several trainings, from the whole one of a single training.

    Parameters
    ----------
    experiment : Experiment
    outcome : Outcome
    folder : Path
        Made where it does not exist.
    settings : JoyceSettings
        What the experiment was told.

    Returns
    -------
    files : dict of str to Path
        ``page``, ``figure`` and ``rows``.
    bars : list of Bar

    Raises
    ------
    OutputError
        If matplotlib, which draws the figure, is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = "-".join([experiment.name, *settings.methods, *_several(settings)])
    paths = {
        kind: folder / f"{name}.{suffix}"
        for kind, suffix in (("page", "md"), ("figure", "png"), ("rows", "csv"))
    }
    tables = tables_of(experiment, outcome)
    apart = [_tables(experiment, training(outcome.rows, number)) for number in range(settings.repeats)]
    bars = experiment.bars(tables)
    _draw(experiment, tables, paths["figure"])
    write_rows(paths["rows"], outcome.rows)
    with replacing(paths["page"]) as temporary:
        temporary.write_text(
            page(experiment, tables, apart, bars, settings, figure=paths["figure"].name), encoding="utf-8"
        )
    return paths, bars


def page(
    experiment: Experiment,
    tables: Mapping[str, Table],
    apart: Sequence[Mapping[str, Table]],
    bars: list[Bar],
    settings: JoyceSettings,
    *,
    figure: str,
) -> str:
    """Return the report as Markdown; `apart` are the tables of each training by itself."""
    several = len(apart) > 1
    lines = [f"# {experiment.title}", ""]
    if settings.quick:
        lines += [REHEARSAL, ""]
    own = [f"--folds {settings.folds}"] if experiment.folded else []
    own += [f"--every {settings.every}"] if settings.every > 1 else []
    own += [f"--methods {','.join(settings.methods)}"] if settings.methods else []
    own += [f"--repeats {settings.repeats}"] if several else []
    lines += [f"Made by `{written(settings, experiment.name, *own)}` of napari-mrsynth {__version__}.", ""]
    lines += [f"- {sentence}" for sentence in experiment.protocol]
    lines += ["", "| bar | cleared | measured |", "|---|---|---|"]
    lines += [f"| {bar.name} | {_cleared(bar)} | {bar.measured} |" for bar in bars]
    head = [
        "target",
        "inputs",
        "method",
        *experiment.published,
        *(f"ours, {name}" for name in COLUMNS),
        *(["MSE, s.d. over folds"] if experiment.folded else []),
        *(["MSE, s.d. over trainings"] if several else []),
        "patients",
    ]
    lines += ["", "| " + " | ".join(head) + " |", "|---|---|---|" + "---:|" * (len(head) - 3)]
    for line in experiment.lines:
        published = [text or "–" for text in line.published] or ["–"] * len(experiment.published)
        found = [figure_of(line, tables, column) for column in COLUMNS]
        ours = [spread.shown(digits) for spread, (_, _, digits) in zip(found, COLUMNS.values(), strict=True)]
        cells = [line.pair[1], ", ".join(line.pair[0]), line.title, *published, *ours]
        if experiment.folded:
            inputs, target = "+".join(line.pair[0]), line.pair[1]
            sd = tables[line.part].between_parts(line.method, inputs, target, "nmse")
            cells.append("–" if math.isnan(sd) else f"{sd:.4f}")
        if several:
            means = [figure_of(line, each).mean for each in apart]
            cells.append(f"{np.std(means, ddof=1):.4f}" if len(set(means)) > 1 else "–")
        whole, labelled = found[0].count, found[1].count
        cells.append(f"{whole} ({labelled} with lesions)" if 0 < labelled < whole else str(whole))
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", f"![Published errors beside ours]({figure})"]
    if several:
        lines += ["", "## Each training by itself", ""]
        lines += ["| bar | " + " | ".join(f"training {n + 1}" for n in range(len(apart))) + " |"]
        lines += ["|---" * (1 + len(apart)) + "|"]
        for each in zip(bars, *map(experiment.bars, apart), strict=True):
            shown = [f"{_cleared(bar)}: {bar.measured}" for bar in each[1:]]
            lines.append(f"| {each[0].name} | " + " | ".join(shown) + " |")
    if experiment.skipped:
        lines += ["", "Patients left out: " + " ".join(f"{name} ({why})" for name, why in experiment.skipped)]
    return "\n".join(lines) + "\n"


def _several(settings: JoyceSettings) -> list[str]:
    return [f"{settings.repeats}-trainings"] if settings.repeats > 1 else []


def _cleared(bar: Bar) -> str:
    return "yes" if bar.cleared else "**no**"


def _places(experiment: Experiment) -> list[str]:
    return list(dict.fromkeys(("", *(line.part for line in experiment.lines))))


def _draw(experiment: Experiment, tables: Mapping[str, Table], path: Path) -> None:
    """Draw every line's published errors on the left and ours on the right, each on its own scale."""
    count, panels = len(experiment.lines), len(experiment.published) + 1
    figure = blank_figure(4.5 + 2.6 * panels, 1.4 + 0.26 * count)
    axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    places = range(count)
    for number, (panel, name) in enumerate(zip(axes, experiment.published, strict=False)):
        values = [_number(line.published[number]) if line.published else None for line in experiment.lines]
        shown = [(place, value) for place, value in zip(places, values, strict=True) if value is not None]
        panel.barh([p for p, _ in shown], [v for _, v in shown], color="#b0b0b0", height=0.7)
        panel.set_title(name, fontsize=9)
    spreads = [figure_of(line, tables) for line in experiment.lines]
    axes[-1].barh(
        places,
        [spread.mean for spread in spreads],
        xerr=[spread.sd if spread.count > 1 else 0.0 for spread in spreads],
        color="#0b3c78",
        ecolor="#56b4e9",
        height=0.7,
    )
    axes[-1].set_title("ours", fontsize=9)
    labels = [f"{line.title}  ({', '.join(line.pair[0])} to {line.pair[1]})" for line in experiment.lines]
    axes[0].set_yticks(places, labels, fontsize=7)
    axes[0].invert_yaxis()
    for panel in axes:
        panel.set_xlabel("MSE over the brain", fontsize=8)
        panel.tick_params(axis="x", labelsize=7)
        panel.spines[["top", "right"]].set_visible(False)
    write_png(figure, path, dpi=150)


def _number(text: str) -> float | None:
    found = re.match(r"\d*\.\d+", text)
    return float(found.group()) if found else None
