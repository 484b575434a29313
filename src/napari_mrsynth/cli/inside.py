"""``mrsynth inside``: open up one axial slice of a synthesis, and write its single decodings and latents."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from napari_mrsynth.cli._options import Device, Mask, Numbers, Precision, Where
from napari_mrsynth.cli._output import Report, say
from napari_mrsynth.cli.study import Paths
from napari_mrsynth.cli.synthesize import AUTO, Align, Model, Out, Reference, Use, Want, prepared


def inside(
    paths: Paths,
    want: Want,
    use: Use = None,
    display_slice: Annotated[
        int | None,
        typer.Option("--slice", metavar="K", help="The axial slice, 0 the lowest; by default most brain."),
    ] = None,
    bundle: Model = AUTO,
    out: Out = Path(),
    device: Where = Device.AUTO,
    precision: Numbers = Precision.AUTO,
    reference: Reference = None,
    mask: Mask = None,
    align: Align = False,
) -> Report:
    """Write what each input alone would give on one axial slice, the latents, and which input won where."""
    from napari_mrsynth.io import write_volume
    from napari_mrsynth.synthesis.inside import look_inside, most_brain
    from napari_mrsynth.synthesis.sheets import sheets_of

    began = time.perf_counter()
    task = prepared(
        paths,
        want=want,
        use=use,
        bundle=bundle,
        out=out,
        device=device,
        precision=precision,
        reference=reference,
        mask=mask,
    )
    if align:
        task = task.aligned()
    index = most_brain(task.study) if display_slice is None else display_slice
    say(f"Looking inside axial slice {index}")
    opened = look_inside(task.engine, task.study, task.request, index)
    sheets = {sheet.file_name(task.study.name, index): sheet for sheet in sheets_of(opened)}
    task.keep_other_results(sheets)
    outputs = [
        {
            "kind": sheet.kind,
            "contrast": sheet.contrast or None,
            "parts": sheet.parts,
            "columns": sheet.columns,
            "path": write_volume(task.folder / name, sheet.image),
        }
        for name, sheet in sheets.items()
    ]
    notes = list(dict.fromkeys(task.notes))
    payload = {
        "outputs": outputs,
        "slice": index,
        "used": task.request.used,
        "bundle": opened.provenance["bundle"]["id"],
        "device": opened.provenance["device"],
        "precision": opened.provenance["precision"],
        "seconds": round(time.perf_counter() - began, 3),
        "reference": task.study.reference,
        "warnings": notes,
    }
    lines = [
        f"{sheet.name}: {output['path']}" for sheet, output in zip(sheets.values(), outputs, strict=True)
    ]
    lines.append(
        f"Axial slice {index} from {', '.join(task.request.used)} by {payload['bundle']}. "
        "Synthetic: for research, not for diagnosis."
    )
    lines += [f"Note: {note}" for note in notes]
    return Report(payload, "\n".join(lines))
