"""The any-subset experiment as people read it: a page of tables, a figure and the rows behind both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_mrsynth import __version__
from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.io.figures import blank_figure, write_png
from napari_mrsynth.training.experiments.any_subset import Outcome
from napari_mrsynth.training.experiments.ledger import write_rows
from napari_mrsynth.training.experiments.plan import METHODS, NETWORK, AnySubset, command_of
from napari_mrsynth.training.experiments.published import published_lines
from napari_mrsynth.training.experiments.summary import Table, bars_of, by_kind

TITLES = {"mean": "mean image", "linear": "linear regression", "forest": "random forest", NETWORK: "network"}
FIGURES = {"nmse": ("NMSE", 4), "mae": ("MAE", 4), "psnr": ("PSNR, dB", 2), "ssim": ("SSIM", 4)}
COLOURS = {"mean": "#b0b0b0", "linear": "#56b4e9", "forest": "#e69f00", NETWORK: "#0b3c78"}


def write_report(settings: AnySubset, outcome: Outcome, folder: Path) -> dict[str, Path]:
    """Write ``any-subset.md``, ``any-subset.png`` and ``any-subset.csv`` into a folder.

    Returns
    -------
    dict of str to Path
        ``page``, ``figure`` and ``rows``.

    Raises
    ------
    OutputError
        If matplotlib, which draws the figure, is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {
        "page": folder / "any-subset.md",
        "figure": folder / "any-subset.png",
        "rows": folder / "any-subset.csv",
    }
    tables = by_kind(outcome.rows)
    _draw(tables, paths["figure"])
    write_rows(paths["rows"], outcome.rows)
    with replacing(paths["page"]) as temporary:
        temporary.write_text(page(settings, outcome, tables, figure=paths["figure"].name), encoding="utf-8")
    return paths


def page(settings: AnySubset, outcome: Outcome, tables: Mapping[str, Table], *, figure: str) -> str:
    """Return the report as Markdown."""
    lines = ["# Any subset of inputs to any other contrast", ""]
    if settings.quick:
        lines += [
            "**A rehearsal (`--quick`): short trainings, small forests. These figures say nothing.**",
            "",
        ]
    lines += _protocol(settings, tables)
    for kind, table in tables.items():
        lines += ["", f"## {_heading(kind, table)}", ""]
        bars = bars_of(table)
        if bars:
            lines += ["| bar | cleared | measured |", "|---|---|---|"]
            lines += [
                f"| {bar.name} | {'yes' if bar.cleared else '**no**'} | {bar.measured} |" for bar in bars
            ]
            lines.append("")
        lines += ["NMSE over the brain:", "", *_by_method(table, "nmse", "brain")]
        lines += ["", "NMSE within lesions:", "", *_by_method(table, "nmse", "lesion")]
        for figure_name in ("mae", "psnr", "ssim"):
            title = FIGURES[figure_name][0]
            lines += ["", f"{title} over the brain:", "", *_by_method(table, figure_name, "brain")]
        for figure_name in ("mae", "psnr", "ssim"):
            title = FIGURES[figure_name][0]
            lines += ["", f"{title} within lesions:", "", *_by_method(table, figure_name, "lesion")]
    lines += ["", f"![NMSE of every method on every pair]({figure})", ""]
    lines += published_lines(tables)
    if outcome.skipped:
        lines += ["", "Patients left out: " + " ".join(f"{name} ({why})" for name, why in outcome.skipped)]
    return "\n".join(lines).rstrip() + "\n"


def _protocol(settings: AnySubset, tables: Mapping[str, Table]) -> list[str]:
    forest = settings.forest
    every = {len(table.pairs) for table in tables.values()}
    lines = [
        f"Made by `{command_of(settings)}` of napari-mrsynth {__version__}: "
        f"{max(every, default=0)} (subset, target) pairs, each method on the same patients and voxels.",
        "",
        "- Every volume, real or made, is divided by its own mean over the scored part of the brain. NMSE is "
        "the mean squared error of these, MAE the mean absolute one, both over all brain voxels (or those of "
        "the lesions); nothing is clipped, stretched or set to 0.",
        "- PSNR and SSIM take the truth's maximum minus minimum over the brain as full scale. SSIM has a "
        "flat Gaussian window (sigma 1.5 voxels) in each axial slice; `mrsynth evaluate` uses one in 3D.",
        f"- In the cross-validation every {_ordinal(settings.every)} axial slice is made and scored; of the "
        "test patient all are. Figures are mean ± standard deviation over patients.",
        "- *mean image*: the target's mean over the training patients. *linear regression*: one weight per "
        "present contrast and an intercept, least squares over every brain voxel, per pair.",
        f"- *random forest*: per pair {forest.trees} trees (scikit-learn; leaves of at least "
        f"{forest.min_samples_leaf}, a third of the features per split) on {forest.samples:,} voxels drawn "
        "evenly from the training patients' brains; per present contrast the voxel, its six neighbours and "
        f"two Gaussian scales ({' and '.join(f'{s:g}' for s in forest.sigmas)} mm), after REPLICA (Jog et "
        "al. 2017). Scales, features and leaves were chosen in its favour, among a few settings, on three of "
        "the training patients.",
        "- *network*: one any-subset network for all pairs"
        + (
            f"; on the test patient the bundle `{settings.bundle.card.id}`."
            if settings.bundle is not None
            else "; on the test patient one trained on all other patients."
        ),
    ]
    if "cross-validation" in tables and NETWORK in tables["cross-validation"].methods:
        changes = [change for change in settings.overrides if not change.startswith("data.root=")]
        changed = f", but with {', '.join(changes)}" if changes else ""
        lines.append(
            f"- The folds' networks are trained anew as {settings.config.name} says{changed}, "
            "without the fold's patients. The recipe was chosen in short runs judged on three of the "
            "training patients, so a little in its favour."
        )
    return lines


def _heading(kind: str, table: Table) -> str:
    count = len(table.patients)
    if kind == "test":
        return f"Test patient{'s' if count > 1 else ''} ({', '.join(table.patients)})"
    labelled = len(table.patients_with("lesion"))
    some = f", {labelled} of them with lesion labels" if 0 < labelled < count else ""
    return f"Cross-validation over {count} patients{some}"


def _by_method(table: Table, figure: str, region: str) -> list[str]:
    methods = [method for method in METHODS if method in table.methods]
    with_ratio = figure == "nmse" and {NETWORK, "forest"} <= set(methods)
    header = ["target", "inputs", *(TITLES[method] for method in methods)]
    lines = ["| " + " | ".join([*header, *(["network / forest"] if with_ratio else [])]) + " |"]
    lines.append("|---|---|" + "---:|" * (len(header) - 2 + with_ratio))
    ratios = table.ratios(NETWORK, "forest", region) if with_ratio else {}
    digits = FIGURES[figure][1]
    for inputs, target in table.pairs:
        cells = [table.spread(method, inputs, target, figure, region).shown(digits) for method in methods]
        if with_ratio:
            ratio = ratios[inputs, target]
            cells.append("–" if ratio != ratio else f"{ratio:.3f}")  # noqa: PLR0124  (NaN)
        lines.append("| " + " | ".join([target, inputs.replace("+", ", "), *cells]) + " |")
    return lines


def _ordinal(number: int) -> str:
    return {1: "single", 2: "second", 3: "third"}.get(number, f"{number}th")


def _draw(tables: Mapping[str, Table], path: Path) -> None:
    """Draw the NMSE of every method on every pair: a row per kind of part, a panel per target."""
    targets = list(dict.fromkeys(target for table in tables.values() for _, target in table.pairs))
    figure = blank_figure(3.6 * len(targets), 3.4 * len(tables) + 0.6)
    axes = figure.subplots(len(tables), len(targets), squeeze=False)
    for row, (kind, table) in zip(axes, tables.items(), strict=True):
        for panel, target in zip(row, targets, strict=True):
            _panel(panel, table, target)
            panel.set_title(f"{target}, {kind}", fontsize=10)
        row[0].set_ylabel("NMSE over the brain (log)")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    write_png(figure, path, dpi=150)


def _panel(panel: Any, table: Table, target: str) -> None:
    subsets: Sequence[str] = [inputs for inputs, made in table.pairs if made == target]
    methods = [method for method in METHODS if method in table.methods]
    for number, method in enumerate(methods):
        spreads = [table.spread(method, inputs, target, "nmse") for inputs in subsets]
        places = [place + 0.14 * (number - (len(methods) - 1) / 2) for place in range(len(subsets))]
        means = [spread.mean for spread in spreads]
        low = [min(spread.sd, 0.9 * spread.mean) if spread.count > 1 else 0.0 for spread in spreads]
        high = [spread.sd if spread.count > 1 else 0.0 for spread in spreads]
        panel.errorbar(
            places,
            means,
            yerr=[low, high],
            fmt="o",
            markersize=4.5,
            linewidth=0.9,
            color=COLOURS[method],
            label=TITLES[method],
        )
    panel.set_yscale("log")
    panel.set_xticks(range(len(subsets)), [s.replace("+", "\n") for s in subsets], fontsize=7)
    panel.grid(axis="y", which="both", linewidth=0.3, alpha=0.6)
    panel.spines[["top", "right"]].set_visible(False)
