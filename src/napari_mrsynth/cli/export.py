"""``mrsynth export``: write the model of a training run, or a bundle, as a bundle, for MONAI or as ONNX."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from napari_mrsynth.cli._output import Report, absolute
from napari_mrsynth.cli.train import report_of

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The run folder of a training, or a bundle.")]
Out = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where it goes; RUN/bundle/ID, or RUN/FORMAT/ID, if not given."),
]
Form = Annotated[str, typer.Option("--format", metavar="FORMAT", help="bundle, monai or onnx.")]


def export(run: Run, out: Out = None, form: Form = "bundle") -> Report:
    """Write the model of a training run, whether it has ended or not, as a bundle, for MONAI or as ONNX."""
    from napari_mrsynth.bundles import Bundle
    from napari_mrsynth.bundles.card import CARD_FILE
    from napari_mrsynth.training.formats import convert, require_format

    require_format(form)
    place, target = absolute(run), None if out is None else absolute(out)
    if (place / CARD_FILE).is_file() and form != "bundle":
        bundle = Bundle.open(place)
        written = convert(bundle, form, target or place.parent / form / place.name)
        return Report({"folder": written, "format": form}, f"Written: {written}")
    from napari_mrsynth.training.run import export as write

    outcome = write(place, target if form == "bundle" else None)
    report = report_of(outcome)
    if form == "bundle":
        return report
    bundle = Bundle.open(outcome.bundle)
    written = convert(bundle, form, target or place / form / bundle.card.id)
    payload = {**report.payload, form: written}
    return replace(report, payload=payload, text=f"{report.text}\nWritten as {form}: {written}")
