"""What was measured of a model as people read it: a page, a figure, and the rows behind both."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_mrsynth.bundles import Card
from napari_mrsynth.evaluation.card.measure import BASELINE, HINDSIGHT, MODEL, SCORED, Row
from napari_mrsynth.evaluation.card.page import TRAINING_ERROR, closing, how_many, opening
from napari_mrsynth.evaluation.card.significance import FEWEST_PATIENTS, Difference
from napari_mrsynth.evaluation.metrics import METRICS
from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.io.figures import blank_figure, write_png

_SHOWN = (("nmse", "NMSE", 4), ("mae", "MAE", 2), ("psnr", "PSNR, dB", 2), ("ssim", "SSIM", 4))

ALIGNED = "- The scans of each patient were first aligned to one of them, as by `--align`."


def write_card_report(
    folder: Path,
    card: Card,
    rows: Sequence[Row],
    found: Sequence[Difference],
    *,
    skipped: Sequence[tuple[str, str]] = (),
    training_error: bool = False,
    align: bool = False,
) -> dict[str, Path]:
    """Write ``evaluation-ID.md``, ``.png`` and ``.csv`` into a folder.

    Returns
    -------
    dict of str to Path
        ``page``, ``figure`` and ``rows``.

    Raises
    ------
    OutputError
        If matplotlib, which draws the figure, is not installed, or the disk refuses.
    """
    stem = f"evaluation-{card.id}"
    paths = {"page": folder / f"{stem}.md", "figure": folder / f"{stem}.png", "rows": folder / f"{stem}.csv"}
    _draw(paths["figure"], rows)
    with replacing(paths["rows"]) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["patient", "method", "inputs", "target", "region", "voxels", *METRICS])
        for row in rows:
            figures = [repr(row.figures[metric]) for metric in METRICS]
            writer.writerow(
                [row.patient, row.method, row.inputs, row.target, row.region, row.voxels, *figures]
            )
    text = page(
        card,
        rows,
        found,
        skipped=skipped,
        training_error=training_error,
        figure=f"{stem}.png",
        align=align,
    )
    with replacing(paths["page"]) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return paths


def page(
    card: Card,
    rows: Sequence[Row],
    found: Sequence[Difference],
    *,
    skipped: Sequence[tuple[str, str]],
    training_error: bool,
    figure: str,
    align: bool = False,
) -> str:
    """Return the report as Markdown."""
    patients = list(dict.fromkeys(row.patient for row in rows))
    lines = opening(card.title, card, patients, training_error=training_error)
    lines += [
        "- Every contrast a patient has is made from every subset of the others, as by `mrsynth synthesize`.",
        *_of_the_system(card),
        *([ALIGNED] if align else []),
        "- Both images' means over the brain are made equal by one factor; nothing else is rescaled, "
        "clipped or set to 0. NMSE is the mean squared error after dividing each image by its brain mean.",
        "- Full scale of PSNR and SSIM: the truth's maximum minus minimum over the brain.",
        f"- *{BASELINE}*: the inputs' average, each divided by its own brain mean; nothing is learnt.",
        f"- *{HINDSIGHT}*: the weighted sum of the inputs that is nearest to this very truth. Nobody has it "
        "beforehand: what is below it has found more than the best change of grey values.",
        f"- *p*: Wilcoxon's signed-rank test of the NMSE over patients, model against {BASELINE}, corrected "
        "after Holm for all tests "
        f"of this page; left out with fewer than {FEWEST_PATIENTS} patients.",
    ]
    for region in SCORED:
        here = [each for each in found if each.region == region]
        if here:
            lines += ["", f"## {region.capitalize()}", "", *_table(rows, here, region)]
    lines += ["", f"![NMSE of every subset]({figure})"]
    lines += closing(skipped)
    return "\n".join(lines) + "\n"


def figures_of(
    found: Sequence[Difference], patients: Sequence[str], command: str, *, training_error: bool
) -> dict[str, Any]:
    """Return the errors as a card keeps them: how they were measured, then NMSE over the brain by task."""
    unseen = f"{TRAINING_ERROR} " if training_error else ""
    how = (
        f"{unseen}Every subset of the scans of {how_many(patients)}, beside the {BASELINE} and the "
        f"{HINDSIGHT} with the truth. Made by `{command}`."
    )
    tasks = {
        f"{each.inputs} → {each.target}": {
            MODEL: round(each.model, 4),
            BASELINE: round(each.baseline, 4),
            HINDSIGHT: round(each.hindsight, 4),
        }
        for each in found
        if each.region == "brain"
    }
    return {"how every subset was measured": how, "every subset, NMSE over the brain": tasks}


def _of_the_system(card: Card) -> list[str]:
    """Say what the reader must know of a system to read its figures."""
    if card.system != "lesion-scans":
        return []
    return [
        "- The model translates: it learnt to make contrasts from one scan at a time; of several, the codes "
        "are averaged. Scans of painted lesions, its other use, have no truth: what is measured of them is "
        f"in `painted-{card.id}.md`."
    ]


def _table(rows: Sequence[Row], found: Sequence[Difference], region: str) -> list[str]:
    titles = (*(title for _, title, _ in _SHOWN), f"NMSE of the {BASELINE}", f"of the {HINDSIGHT}")
    header = ["target", "inputs", *titles, "p"]
    lines = ["| " + " | ".join(header) + " |", "|---|---|" + "---:|" * (len(header) - 2)]
    for each in found:
        mine = [
            row.figures
            for row in rows
            if (row.method, row.inputs, row.target, row.region) == (MODEL, each.inputs, each.target, region)
        ]
        cells = [_spread([figures[metric] for figures in mine], digits) for metric, _, digits in _SHOWN]
        p = "–" if each.corrected is None else f"{each.corrected:.3g}"
        inputs = each.inputs.replace("+", ", ")
        others = (f"{each.baseline:.4f}", f"{each.hindsight:.4f}")
        lines.append("| " + " | ".join([each.target, inputs, *cells, *others, p]) + " |")
    return lines


def _spread(values: Sequence[float], digits: int) -> str:
    known = np.array([value for value in values if np.isfinite(value)])
    if not known.size:
        return "–"
    spread = f" ± {known.std(ddof=1):.{digits}f}" if known.size > 1 else ""
    return f"{known.mean():.{digits}f}{spread}"


def _draw(path: Path, rows: Sequence[Row]) -> None:
    """Draw every patient's NMSE over the brain: a panel per target, model and baseline per subset."""
    targets = list(dict.fromkeys(row.target for row in rows))
    figure = blank_figure(3.6 * len(targets), 4.0)
    panels = figure.subplots(1, len(targets), squeeze=False)[0]
    for panel, target in zip(panels, targets, strict=True):
        here = [row for row in rows if row.target == target and row.region == "brain"]
        subsets = list(dict.fromkeys(row.inputs for row in here))
        for method, colour in ((BASELINE, "#b0b0b0"), (HINDSIGHT, "#e69f00"), (MODEL, "#0b3c78")):
            points = [
                (subsets.index(row.inputs), row.figures["nmse"]) for row in here if row.method == method
            ]
            panel.scatter(*zip(*points, strict=True), s=18, color=colour, label=method)
        panel.set_xticks(range(len(subsets)), [s.replace("+", "\n") for s in subsets], fontsize=7)
        panel.set_yscale("log")
        panel.set_title(target, fontsize=10)
    panels[0].set_ylabel("NMSE over the brain (log)")
    panels[0].legend(frameon=False, fontsize=8)
    write_png(figure, path, dpi=120)
