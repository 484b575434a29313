"""``mrsynth study``: what was understood of a patient's files, before anything is made from them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_mrsynth.cli._output import Report, left_out, table
from napari_mrsynth.errors import InputError

if TYPE_CHECKING:
    from napari_mrsynth.imaging import LabelVolume, Volume
    from napari_mrsynth.io import PatientFiles

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...",
        help="A patient's folder, a DICOM folder, or files; CONTRAST=FILE says what a file is.",
    ),
]


def study(paths: Paths) -> Report:
    """Say what was understood: contrasts, grids, labels, notes, and what could be made."""
    from napari_mrsynth.io import read_patient

    files = read_patient(*paths)
    makeable = _makeable(files)
    obstacle = _obstacle(files) if makeable else None
    if obstacle is not None:
        makeable, files = {}, replace(files, notes=(*files.notes, obstacle))
    payload = {
        "name": files.name,
        "volumes": [_volume(volume, files.volumes[0]) for volume in files.volumes],
        "lesions": _labels(files.lesions),
        "mask": _labels(files.mask),
        "can_make": makeable,
        "notes": files.notes,
        "skipped": [{"path": path, "reason": reason} for path, reason in files.skipped],
    }
    return Report(payload, _text(files, makeable))


def _makeable(files: PatientFiles) -> dict[str, str]:
    """Missing contrast to the id of a model that makes it from all that is here and that it reads."""
    from napari_mrsynth.bundles import BundleStore

    here = [volume.contrast for volume in files.volumes if volume.contrast]
    makeable: dict[str, str] = {}
    for card in BundleStore().synthesisers():
        inputs = [contrast for contrast in here if contrast in card.inputs]
        for contrast in card.outputs:
            if contrast not in here and card.explain(inputs, [contrast]) is None:
                makeable.setdefault(contrast, card.id)
    return makeable


def _obstacle(files: PatientFiles) -> str | None:
    """Return why nothing can be made of a patient's scans together: grids far apart, no brain found."""
    from napari_mrsynth.preprocess.mask import no_mask
    from napari_mrsynth.preprocess.study import build_study

    known = [volume for volume in files.volumes if volume.contrast]
    try:
        built = build_study(known, name=files.name, mask=files.mask, lesions=files.lesions)
    except InputError as error:
        return str(error)
    return str(no_mask(built)) if built.mask is None else None


def _volume(volume: Volume, first: Volume) -> dict[str, Any]:
    return {
        "contrast": volume.contrast,
        "confidence": volume.confidence,
        "name": volume.name,
        "path": volume.source.path,
        "format": volume.source.format,
        "shape": volume.grid.shape,
        "spacing_mm": volume.grid.spacing,
        "axes": volume.grid.affine.codes,
        "oblique_degrees": volume.grid.affine.obliquity_deg,
        "dtype": str(volume.array.dtype),
        "synthetic": volume.is_synthetic,
        "grid_mismatch": first.grid.mismatch(volume.grid),
        "notes": volume.notes,
    }


def _labels(labels: LabelVolume | None) -> dict[str, Any] | None:
    if labels is None:
        return None
    return {
        "path": labels.source.path,
        "shape": labels.grid.shape,
        "spacing_mm": labels.grid.spacing,
        "classes": {value: labels.labels.get(value, "") for value in labels.present},
        "notes": labels.notes,
    }


def _text(files: PatientFiles, makeable: dict[str, str]) -> str:
    rows = []
    for volume in files.volumes:
        sure = "" if volume.confidence >= 0.9 else f" ({volume.confidence:.0%} sure)"
        contrast = f"{volume.contrast}{sure}" if volume.contrast else "unknown"
        apart = files.volumes[0].grid.mismatch(volume.grid)
        rows.append(
            (
                contrast + (" SYNTHETIC" if volume.is_synthetic else ""),
                " x ".join(str(n) for n in volume.grid.shape),
                " x ".join(f"{size:.3g}" for size in volume.grid.spacing),
                volume.grid.affine.codes,
                "same" if apart is None else apart,
                volume.name,
            )
        )
    lines = [f"Patient {files.name}"]
    lines.append(table(rows, ("contrast", "voxels", "mm", "axes", "grid against the first", "name")))
    for what, labels in (("lesion labels", files.lesions), ("brain mask", files.mask)):
        if labels is not None:
            lines.append(f"With {what}: {labels.name}")
    lines += [f"Note: {note}" for note in files.notes]
    lines += left_out(files.skipped)
    lines.append(f"Can be made: {', '.join(makeable) or 'nothing that is missing'}")
    return "\n".join(lines)
