"""Write what was generated: every file marked synthetic, its provenance beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_mrsynth.errors import OutputError
from napari_mrsynth.generation.provenance import label_record
from napari_mrsynth.generation.result import Generated
from napari_mrsynth.imaging import LabelVolume, Source, Volume
from napari_mrsynth.io import derivative_name, write_volume

HEALTHY, DIFFERENCE, FOUND, INTO = "healthy", "difference", "found", "lesion"


def files_of(
    generated: Generated, into: Mapping[str, Volume] | None = None
) -> dict[str, Volume | LabelVolume]:
    """Return every image of a result by the name of its file.

    Parameters
    ----------
    generated : Generated
    into : mapping of str to Volume, optional
        Real scans with the lesion painted in.
    """
    patient = generated.anatomy.name
    files: dict[str, Volume | LabelVolume] = {}
    for kind, volumes in (
        ("", generated.outputs),
        (HEALTHY, generated.healthy),
        (DIFFERENCE, generated.difference),
        (INTO, into or {}),
    ):
        for contrast, volume in volumes.items():
            files[_name(patient, contrast, kind)] = volume
    files[_name(patient, "seg", "")] = marked(generated.painted.labels, generated)
    if generated.check is not None:
        files[_name(patient, "seg", FOUND)] = generated.check.found
    if generated.anatomy.scan is None:
        files[_name(patient, "structure", "")] = marked(generated.anatomy.structure_map(), generated)
    return files


def save(
    folder: Path, generated: Generated, into: Mapping[str, Volume] | None = None, *, overwrite: bool = True
) -> list[Path]:
    """Write every image of a result into a folder.

    Raises
    ------
    OutputError
        If an acquired scan is in the way, another result is and `overwrite` is not set, or the disk refuses.
    """
    files = files_of(generated, into)
    there = [name for name in files if (folder / name).exists()]
    if there and not overwrite:
        raise OutputError(
            f"{', '.join(there)} is already in {folder}.", hint="Choose another folder, or overwrite."
        )
    return [write_volume(folder / name, image) for name, image in files.items()]


def marked(labels: LabelVolume, generated: Generated) -> LabelVolume:
    """Return labels that say that they belong to a synthetic image, and to which."""
    record: dict[str, Any] = {
        "Synthetic": True,
        "what": f"{labels.name or 'labels'}, of a generated scan",
        "patient": generated.anatomy.name,
        "anatomy": dict(generated.anatomy.record),
        "bundle": {"id": generated.bundle},
        "lesion": label_record(generated.painted.labels),
    }
    return replace(labels, source=Source(format="synthetic", header=labels.source.header, synthetic=record))


def _name(patient: str, contrast: str, kind: str) -> str:
    return derivative_name(patient, contrast).replace("desc-synthetic", f"desc-synthetic{kind}", 1)
