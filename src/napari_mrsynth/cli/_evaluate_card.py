"""``mrsynth evaluate --card``: a model on patients it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mrsynth.cli._options import bundle_of
from napari_mrsynth.cli._output import Report, absolute, follow, left_out, table
from napari_mrsynth.errors import BundleError, InputError

if TYPE_CHECKING:
    from napari_mrsynth.bundles import Bundle
    from napari_mrsynth.evaluation.card import Difference


def measure_card(
    bundle: str, patients: Path | None, out: Path, *, training_error: bool, on_card: bool = False
) -> Report:
    """Measure a model and write page, figure and rows; of a lesion generator what it paints as well.

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
    on_card : bool
        Whether a lesion generator's figures are written on its card.

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
    if card.system == "lesion-scans":
        try:
            translation = _translation(found) if on_card else None
            more = _painted(model, folders, root, out, training_error=training_error, translation=translation)
        except (BundleError, InputError) as error:
            payload["painted"] = []
            lines.append(f"Note: painted lesions were not measured: {error.message}")
        else:
            paths |= more.payload["files"]
            payload |= {**more.payload, "files": paths}
            lines.append(more.text)
    lines += [f"{what}: {path}" for what, path in paths.items()]
    return Report(payload, "\n".join(lines))


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _translation(found: Sequence[Difference]) -> dict[str, Any]:
    """Return the errors of translated contrasts as a card keeps them."""
    return {
        "translation, NMSE over the brain": {
            f"{each.inputs} → {each.target}": {
                "model": round(each.model, 4),
                "mean of the inputs": round(each.baseline, 4),
            }
            for each in found
            if each.region == "brain"
        }
    }


def _painted(
    bundle: Bundle,
    folders: list[Path],
    root: Path,
    out: Path,
    *,
    training_error: bool,
    translation: dict[str, Any] | None,
) -> Report:
    """Measure the lesions that a generator paints; with `translation`, write both on its card."""
    from dataclasses import replace

    from napari_mrsynth.bundles import BundleStore, save_bundle
    from napari_mrsynth.generation import LesionCheck, LesionMaker, disease_of, segmenter_bundle
    from napari_mrsynth.generation.measured import measuring, results_of, write_painted_report

    classes = disease_of(bundle.card)
    judge = segmenter_bundle(BundleStore(), classes)
    steps = measuring(LesionMaker(bundle), LesionCheck(judge), classes, folders, root=root)
    scores, pictured, skipped = follow(steps)
    files = write_painted_report(
        out, bundle.card, judge.card, scores, pictured, skipped=skipped, training_error=training_error
    )
    command = f"mrsynth evaluate --card {bundle.card.id} PATIENTS"
    found = results_of(scores, judge.card, command, training_error=training_error)
    if translation is not None:
        card = replace(bundle.card, results={**found, **translation})
        save_bundle(bundle.folder, card, bundle.state())
    rows = [(name, f"{value:.4f}") for name, value in found["painted"].items()]
    payload = {
        "painted": [asdict(score) for score in scores],
        "painted_skipped": [{"patient": name, "reason": reason} for name, reason in skipped],
        "segmenter": judge.card.id,
        "files": files,
    }
    return Report(payload, "\n".join([table(rows, ("painted lesions, mean", "")), *left_out(skipped)]))
