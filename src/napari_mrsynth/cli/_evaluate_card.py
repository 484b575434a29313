"""``mrsynth evaluate --card``: a model on patients it has not seen."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from napari_mrsynth.cli._options import bundle_of
from napari_mrsynth.cli._output import Report, absolute, follow, left_out, table
from napari_mrsynth.errors import InputError


def measure_card(bundle: str, patients: Path | None, out: Path, *, training_error: bool) -> Report:
    """Measure a model and write page, figure and rows.

    Parameters
    ----------
    bundle : str
        Id of an installed model, or a bundle's folder.
    patients : Path or None
        A folder with one folder per patient.
    out : Path
        Where the files go.
    training_error : bool
        Whether patients the model was trained on may be measured.

    Raises
    ------
    InputError
        If there is no folder of patients, the model makes no contrasts, a patient was trained on, or nothing
        could be measured.
    """
    from napari_mrsynth.evaluation.card import differences, measuring, patients_below, write_card_report
    from napari_mrsynth.synthesis import Engine

    if patients is None:
        raise InputError(
            "No folder of patients was given.", hint=f"mrsynth evaluate --card {bundle} PATIENTS"
        )
    model = bundle_of(bundle)
    card = model.card
    root = absolute(patients)
    folders = patients_below(root)
    steps = measuring(Engine(), model, folders, root=root, training_error=training_error)
    rows, skipped = follow(steps)
    found = differences(rows)
    paths = write_card_report(out, card, rows, found, skipped=skipped, training_error=training_error)
    payload = {
        "bundle": card.id,
        "weights_sha256": card.weights_sha256,
        "training_error": training_error,
        "patients": list(dict.fromkeys(row.patient for row in rows)),
        "tasks": [asdict(each) for each in found],
        "skipped": [{"patient": name, "reason": reason} for name, reason in skipped],
        "files": paths,
    }
    lines = [
        table(
            [
                (each.target, each.inputs, f"{each.model:.4f}", f"{each.baseline:.4f}", _p(each.corrected))
                for each in found
                if each.region == "brain"
            ],
            ("target", "inputs", "NMSE", "mean of the inputs", "p (Holm)"),
        )
    ]
    lines += left_out(skipped)
    lines += [f"{what}: {path}" for what, path in paths.items()]
    return Report(payload, "\n".join(lines))


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
