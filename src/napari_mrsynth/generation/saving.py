"""Write what was generated: every file marked synthetic, its provenance beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_mrsynth.errors import OutputError
from napari_mrsynth.generation.provenance import label_record
from napari_mrsynth.generation.result import Generated
from napari_mrsynth.imaging import LabelVolume, Source, Volume
from napari_mrsynth.io import derivative_name, write_volume

SUFFIX = {
    "generated": "",
    "healthy twin": "healthy",
    "difference": "difference",
    "found": "found",
    "into": "lesion",
}


@dataclass(frozen=True, eq=False)
class Item:
    """An image of a result.

    Attributes
    ----------
    contrast : str
        Or ``seg`` and ``structure``.
    kind : str
        ``generated``, ``healthy twin``, ``difference``, ``found`` (by the segmenter) or ``into`` (the lesion
        in a real scan).
    image : Volume or LabelVolume
    file : str
        Its file name.
    """

    contrast: str
    kind: str
    image: Volume | LabelVolume
    file: str


def items_of(generated: Generated, into: Mapping[str, Volume] | None = None) -> list[Item]:
    """Return every image of a result, and of real scans with its lesion painted in."""
    patient = generated.anatomy.name
    images: list[tuple[str, str, Volume | LabelVolume]] = [
        (contrast, kind, volume)
        for kind, volumes in (
            ("generated", generated.outputs),
            ("healthy twin", generated.healthy),
            ("difference", generated.difference),
            ("into", into or {}),
        )
        for contrast, volume in volumes.items()
    ]
    images.append(("seg", "generated", marked(generated.painted.labels, generated)))
    if generated.check is not None:
        images.append(("seg", "found", generated.check.found))
    if generated.anatomy.scan is None:
        images.append(("structure", "generated", marked(generated.anatomy.structure_map(), generated)))
    return [
        Item(contrast, kind, image, file_name(patient, contrast, kind)) for contrast, kind, image in images
    ]


def save(
    folder: Path, generated: Generated, into: Mapping[str, Volume] | None = None, *, overwrite: bool = True
) -> list[tuple[Item, Path]]:
    """Write every image of a result into a folder; return each with its path.

    Raises
    ------
    OutputError
        If an acquired scan is in the way, another result is and `overwrite` is not set, or the disk refuses.
    """
    items = items_of(generated, into)
    there = [item.file for item in items if (folder / item.file).exists()]
    if there and not overwrite:
        raise OutputError(
            f"{', '.join(there)} is already in {folder}.", hint="Choose another folder, or overwrite."
        )
    return [(item, write_volume(folder / item.file, item.image)) for item in items]


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


def file_name(patient: str, contrast: str, kind: str = "generated") -> str:
    """Return a file's name: ``sub-01_desc-synthetichealthy_FLAIR.nii.gz`` for the healthy twin's FLAIR."""
    return derivative_name(patient, contrast).replace("desc-synthetic", f"desc-synthetic{SUFFIX[kind]}", 1)
