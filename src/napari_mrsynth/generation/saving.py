"""Write what was generated: every file marked synthetic, its provenance beside it; and know it again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import MrsynthError, OutputError
from napari_mrsynth.generation.provenance import label_record
from napari_mrsynth.generation.result import Generated
from napari_mrsynth.imaging import LabelVolume, Source, Volume
from napari_mrsynth.io import derivative_name, write_volume
from napari_mrsynth.io.nifti import decode_nifti
from napari_mrsynth.io.provenance import read_sidecar, sidecar_path

SUFFIX = {
    "generated": "",
    "healthy twin": "healthy",
    "difference": "difference",
    "found": "found",
    "into": "lesion",
}

RESULT = "result"
"""Where a file's provenance says that it is one of these, and of whom."""


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
    return [
        (item, write_volume(folder / item.file, item.image, provenance={RESULT: _mark(item, generated)}))
        for item in items
    ]


def results_of(folder: Path, patient: str) -> list[Path]:
    """Return the images in a folder that are called like results of a patient, sorted; whoever wrote them."""
    start = re.escape(derivative_name(patient, "FLAIR").partition("_desc-")[0])
    called = re.compile(rf"{start}(_ce-gd)?_desc-synthetic[a-z]*_[A-Za-z0-9]+\.nii(\.gz)?")
    there = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in there if called.fullmatch(path.name))


def remove_results(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Delete results of an earlier run, each with its JSON file; return what went, and what was left.

    Only what :func:`save` wrote goes, and only as long as its voxels are those that were written.

    Raises
    ------
    OutputError
        If the disk refuses.
    """
    gone, left = [], []
    for path in paths:
        if not _is_result(path):
            left.append(path)
            continue
        try:
            path.unlink()
            sidecar_path(path).unlink()
        except OSError as error:
            raise OutputError(
                f"“{path}” cannot be removed: {error.strerror or error}.",
                hint="Remove it yourself, or choose another folder.",
            ) from error
        gone.append(path)
    return gone, left


def _mark(item: Item, generated: Generated) -> dict[str, Any]:
    """Return by what a file is known again as a result that nobody has changed."""
    return {"patient": generated.anatomy.name, "kind": item.kind, "voxels": _digest(item.image.array)}


def _is_result(path: Path) -> bool:
    sidecar = read_sidecar(path)
    record = sidecar.get("Provenance")
    mark = record.get(RESULT) if isinstance(record, dict) else None
    if sidecar.get("Synthetic") is not True or not isinstance(mark, dict):
        return False
    try:
        return bool(mark.get("voxels") == _digest(decode_nifti(path).array))
    except MrsynthError:
        return False


def _digest(array: NDArray[Any]) -> str:
    digest = hashlib.blake2b(str(array.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(array, np.float32).data)
    return digest.hexdigest()


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
