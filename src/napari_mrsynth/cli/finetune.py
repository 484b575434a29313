"""``mrsynth finetune``: adapt a model to one to five of your own patients; a worse model is never kept."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mrsynth.cli._options import Telling, bundle_of
from napari_mrsynth.cli._output import Report, Style, absolute, left_out, table, telling

if TYPE_CHECKING:
    from napari_mrsynth.training.finetune import FineTuned


class Parts(StrEnum):
    """What can learn."""

    DECODER = "decoder"
    ALL = "all"
    TRANSFORMER = "transformer"


def finetune(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="The model's id, or its folder.")],
    patients: Annotated[
        list[Path],
        typer.Argument(metavar="PATIENT...", help="1 to 5 folders; the last is kept aside."),
    ],
    parts: Annotated[Parts, typer.Option(help="What learns; the rest stays as it was.")] = Parts.DECODER,
    add_input: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=LIKE]", help="Add an encoder for a new contrast; starts as LIKE's."),
    ] = None,
    add_output: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=LIKE]", help="Add a decoder for a new contrast; starts as LIKE's."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The new model's folder; by default among your models."),
    ] = None,
    name: Annotated[
        str,
        typer.Option("--id", metavar="ID", help="The new model's id; made up if not given."),
    ] = "",
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = 200,
    rate: Annotated[float, typer.Option(help="Learning rate at its highest.")] = 5e-4,
    batch: Annotated[int, typer.Option(min=1, help="Crops per step.")] = 8,
    crop: Annotated[int, typer.Option(min=16, help="Side of the crops in voxels.")] = 96,
    seed: Annotated[int, typer.Option(help="Of crops and order.")] = 0,
    threads: Annotated[int, typer.Option(min=0, help="Processor threads; 0 for torch's choice.")] = 0,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help="Draw a slice that was kept aside, made before and after."),
    ] = None,
    progress: Telling = Style.TEXT,
) -> Report:
    """Fine-tune a model on your own scans; kept only if the error on what was kept aside falls."""
    from napari_mrsynth.training.adapt import Pace
    from napari_mrsynth.training.finetune import FineTune
    from napari_mrsynth.training.finetune import finetune as run
    from napari_mrsynth.training.transfer import Addition

    settings = FineTune(
        bundle_of(bundle),
        tuple(absolute(patient) for patient in patients),
        parts=parts.value,
        add_inputs=tuple(Addition.parse(text) for text in add_input or ()),
        add_outputs=tuple(Addition.parse(text) for text in add_output or ()),
        pace=Pace(steps=steps, batch=batch, crop=crop, lr=rate, seed=seed, threads=threads),
        out=None if out is None else absolute(out),
        id=name,
        picture=None if picture is None else absolute(picture),
    )
    with telling(progress) as show:
        outcome = run(settings, show)
    return report_of(outcome)


def report_of(outcome: FineTuned) -> Report:
    """Say what came of it; a model that was rolled back ends the command with 1."""
    before, after = outcome.means
    payload = {
        "bundle": outcome.bundle,
        "rolled_back": outcome.rolled_back,
        "learnt_from": outcome.learnt_from,
        "kept_aside": outcome.kept_aside,
        "by_slices": outcome.by_slices,
        "nmse": {
            "before": outcome.before,
            "after": outcome.after,
            "mean_before": before,
            "mean_after": after,
        },
        "seconds": outcome.seconds,
        "skipped": [{"patient": patient, "reason": reason} for patient, reason in outcome.skipped],
        "notes": outcome.notes,
    }
    rows = [
        (pair, f"{error:.4f}", f"{outcome.after[pair]:.4f}", f"{outcome.after[pair] / error - 1:+.0%}")
        for pair, error in outcome.before.items()
    ]
    rows.append(("mean", f"{before:.4f}", f"{after:.4f}", f"{after / before - 1:+.0%}"))
    lines = [
        f"Kept aside: {outcome.kept_aside}.",
        table(rows, ("NMSE over the brain", "before", "after", "change")),
        *left_out(outcome.skipped),
        *outcome.notes,
    ]
    if outcome.rolled_back:
        lines.append("Rolled back: what was kept aside is not made better. Nothing was written.")
    else:
        lines.append(f"Bundle: {outcome.bundle}")
    return Report(payload, "\n".join(lines), exit_code=1 if outcome.rolled_back else 0)
