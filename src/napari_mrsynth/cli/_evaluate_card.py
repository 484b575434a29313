"""``mrsynth evaluate --card``: a model on patients it has not seen."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mrsynth.cli._options import bundle_of
from napari_mrsynth.cli._output import Report, absolute, follow, left_out, table
from napari_mrsynth.errors import BundleError, InputError

if TYPE_CHECKING:
    from napari_mrsynth.bundles import Bundle


def measure_card(
    bundle: str,
    patients: Path | None,
    out: Path,
    *,
    training_error: bool,
    on_card: bool = False,
    align: bool = False,
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
        Whether the figures are written on the model's card.
    align : bool
        Whether each patient's scans are first aligned to its reference; not where lesions are painted.

    Raises
    ------
    InputError
        If there is no folder of patients, the model makes no contrasts, a patient was trained on, or nothing
        could be measured.
    """
    from napari_mrsynth.bundles import save_bundle
    from napari_mrsynth.evaluation.card import (
        BASELINE,
        HINDSIGHT,
        differences,
        figures_of,
        measuring,
        patients_below,
        write_card_report,
    )
    from napari_mrsynth.synthesis import Engine

    if patients is None:
        raise InputError(
            "No folder of patients was given.", hint=f"mrsynth evaluate --card {bundle} PATIENTS"
        )
    model = bundle_of(bundle)
    card, options = model.card, " --align" if align else ""
    command = f"mrsynth evaluate --card {card.id} PATIENTS{options}"
    root = absolute(patients)
    folders = patients_below(root)
    steps = measuring(Engine(), model, folders, root=root, training_error=training_error, align=align)
    rows, skipped = follow(steps)
    found = differences(rows)
    paths = write_card_report(
        out, card, rows, found, skipped=skipped, training_error=training_error, align=align
    )
    patients_seen = list(dict.fromkeys(row.patient for row in rows))
    figures = figures_of(found, patients_seen, command, training_error=training_error)
    payload = {
        "bundle": card.id,
        "weights_sha256": card.weights_sha256,
        "training_error": training_error,
        "patients": patients_seen,
        "tasks": [asdict(each) for each in found],
        "skipped": [{"patient": name, "reason": reason} for name, reason in skipped],
        "files": paths,
    }
    lines = [
        table(
            [
                (
                    each.target,
                    each.inputs,
                    f"{each.model:.4f}",
                    f"{each.baseline:.4f}",
                    f"{each.hindsight:.4f}",
                    _p(each.corrected),
                )
                for each in found
                if each.region == "brain"
            ],
            ("target", "inputs", "NMSE", BASELINE, HINDSIGHT, "p (Holm)"),
        )
    ]
    lines += left_out(skipped)
    if card.system == "lesion-scans":
        try:
            more, painted = _painted(model, folders, root, out, command, training_error=training_error)
        except (BundleError, InputError) as error:
            payload["painted"] = []
            lines.append(f"Note: painted lesions were not measured: {error.message}")
        else:
            paths |= more.payload["files"]
            payload |= {**more.payload, "files": paths}
            lines.append(more.text)
            figures |= painted
    if on_card:
        save_bundle(model.folder, replace(card, results={**card.results, **figures}), model.state())
    lines += [f"{what}: {path}" for what, path in paths.items()]
    return Report(payload, "\n".join(lines))


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _painted(
    bundle: Bundle,
    folders: list[Path],
    root: Path,
    out: Path,
    command: str,
    *,
    training_error: bool,
) -> tuple[Report, dict[str, Any]]:
    """Measure the lesions that a generator paints; also return what its card says of them."""
    from napari_mrsynth.bundles import BundleStore
    from napari_mrsynth.evaluation.card import name_below, refusing_trained_on
    from napari_mrsynth.generation import LesionCheck, LesionMaker, disease_of, segmenter_bundle
    from napari_mrsynth.generation.measured import measuring, results_of, write_painted_report

    classes = disease_of(bundle.card)
    judge = segmenter_bundle(BundleStore(), classes)
    if not training_error:  # a segmenter that knows a patient's lesion would find it in anything
        follow(refusing_trained_on(judge.card, {folder: name_below(root, folder) for folder in folders}))
    steps = measuring(LesionMaker(bundle), LesionCheck(judge), classes, folders, root=root)
    scores, pictured, skipped = follow(steps)
    files = write_painted_report(
        out, bundle.card, judge.card, scores, pictured, skipped=skipped, training_error=training_error
    )
    found = results_of(scores, judge.card, command, training_error=training_error)
    rows = [(name, f"{value:.4f}") for name, value in found["painted"].items()]
    payload = {
        "painted": [asdict(score) for score in scores],
        "painted_skipped": [{"patient": name, "reason": reason} for name, reason in skipped],
        "segmenter": judge.card.id,
        "files": files,
    }
    text = "\n".join([table(rows, ("painted lesions, mean", "")), *left_out(skipped)])
    return Report(payload, text), found
