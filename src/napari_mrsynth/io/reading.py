"""Read one image file of any known format as a scan or as a label map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, overload

import numpy as np

from napari_mrsynth.errors import FormatError, GridError, InputError
from napari_mrsynth.imaging import Affine, Grid, LabelVolume, Source, Volume, contrasts
from napari_mrsynth.imaging.contrasts import Guess, guess_from_name
from napari_mrsynth.imaging.wording import says_unenhanced
from napari_mrsynth.io import checks, provenance, sequence
from napari_mrsynth.io.decoded import Decoded, require_file
from napari_mrsynth.io.dicom import read_one_series
from napari_mrsynth.io.itk import decode_itk
from napari_mrsynth.io.naming import EXTENSIONS, Role, extension_of, role_of, stem_of
from napari_mrsynth.io.nifti import decode_mgh, decode_nifti

Kind = Literal["auto", "scan", "labels"]
SYNTHETIC_NOTE = "synthetic: made by a model, not acquired"

_DECODERS: dict[str, Callable[[Path], Decoded]] = {
    ".nii.gz": decode_nifti,
    ".nii": decode_nifti,
    ".mgz": decode_mgh,
    ".mgh": decode_mgh,
    ".nrrd": decode_itk,
    ".nhdr": decode_itk,
    ".mha": decode_itk,
    ".mhd": decode_itk,
}


@overload
def read_image(path: str | Path, *, kind: Literal["scan"]) -> Volume: ...
@overload
def read_image(path: str | Path, *, kind: Literal["labels"]) -> LabelVolume: ...
@overload
def read_image(path: str | Path, *, kind: Literal["auto"] = ...) -> Volume | LabelVolume: ...
def read_image(path: str | Path, *, kind: Kind = "auto") -> Volume | LabelVolume:
    """Read one file, or a DICOM folder that holds one series.

    Parameters
    ----------
    path : path-like
        ``.nii``, ``.nii.gz``, ``.mgz``, ``.mgh``, ``.nrrd``, ``.nhdr``, ``.mha``, ``.mhd``, ``.dcm`` (its
        whole series is read) or a folder.
    kind : {"auto", "scan", "labels"}
        What to read it as. ``auto`` opens what looks like a label map (whole numbers in plateaus) as one,
        with a note where the name did not say so.

    Returns
    -------
    Volume or LabelVolume
        Native voxels (i, j, k): integers as stored where no scaling applies, else float32; labels in the
        smallest integer type that holds them. What was corrected or assumed is in its `notes`; a scan's
        contrast is guessed from its name and sidecar, with the confidence.

    Raises
    ------
    FormatError
        If the file is missing, empty, damaged, no image, a series, in colour, blank, has NaN or infinity in
        more than 1 % of its voxels, or is a label map while a scan was asked for.
    LabelError
        If labels were asked for and the values are a scan's: not whole (but for a probability map, which is
        cut at 0.5 with a note), or many and hardly two neighbours alike.
    GridError
        If the header's affine is not usable.
    """
    if kind not in ("auto", "scan", "labels"):
        raise InputError(f"kind is {kind!r}.", hint="Say auto, scan or labels.")
    path = Path(path).expanduser()
    require_file(path)
    if path.is_dir() or extension_of(path) == ".dcm":
        return as_kind(read_one_series(path), kind)
    extension = extension_of(path)
    if extension is None:
        raise FormatError(
            f"“{path.name}” is not a kind of file that can be opened here.",
            hint=f"Give a DICOM folder or a file ending in {', '.join(EXTENSIONS)}.",
        )
    return as_kind(_scan_of(_DECODERS[extension](path), path), kind)


def as_kind(scan: Volume, kind: Kind) -> Volume | LabelVolume:
    """Turn freshly decoded voxels into the kind that was asked for, checking that they are one."""
    path = scan.source.path or Path(scan.name)
    says_labels = role_of(stem_of(path)) is not Role.SCAN or contrasts.is_label_name(stem_of(path))
    if checks.is_probability(scan.array) and (kind == "labels" or (kind == "auto" and says_labels)):
        inside = scan.with_array((scan.array >= 0.5).astype(np.uint8))
        return _labels_of(inside).noting("a probability map: voxels of 0.5 and more are taken")
    if kind == "labels":
        found = _labels_of(scan)
        checks.refuse_image(found.array, path.name)
        return found
    values = checks.label_values(scan.array)
    if kind == "auto" and says_labels and values is not None:
        return _labels_of(scan)
    checks.require_signal(scan.array, path.name)
    if values is None:
        return scan.noting("the name says labels, but the values are a scan's") if says_labels else scan
    shown = ", ".join(map(str, values[:6])) + (" ..." if len(values) > 6 else "")
    if kind == "scan":
        raise FormatError(
            f"“{path.name}” is a label map (its only values are {shown}), not a scan.",
            hint="Give it as the lesions or as the brain mask, and the scan itself here.",
        )
    return _labels_of(scan).noting(f"opened as labels: its only values are {shown}")


def _scan_of(decoded: Decoded, path: Path) -> Volume:
    """Check the voxels and put them on their grid; nothing is decided about labels yet."""
    array = checks.three_axes(decoded.array, path.name)
    array = checks.real_numbers(array, path.name)
    array, notes = checks.finite(array, path.name)
    try:
        i, j, k = array.shape
        grid = Grid((i, j, k), Affine(decoded.matrix))
    except GridError as error:
        raise GridError(f"“{path.name}”: {error.message}", hint=error.hint or "Mend its header.") from error
    synthetic = provenance.recognise(path, decoded.description)
    if synthetic is not None:
        notes = (SYNTHETIC_NOTE, *notes)
    guess = _guess(path)
    return Volume(
        array,
        grid,
        stem_of(path),
        Source(path, decoded.format, decoded.header, synthetic),
        (*decoded.notes, *notes),
        contrast=guess.contrast,
        confidence=guess.confidence,
    )


def _labels_of(scan: Volume) -> LabelVolume:
    path = scan.source.path or Path(scan.name)
    array = checks.as_labels(scan.array, path.name)
    notes = scan.notes if np.any(array) else (*scan.notes, "holds no label: every voxel is background")
    return LabelVolume(array, scan.grid, scan.name, scan.source, notes)


def _guess(path: Path) -> Guess:
    """Guess from the name, then the JSON sidecar, then a folder that is named like a contrast."""
    named = guess_from_name(stem_of(path))
    sidecar = provenance.read_sidecar(path)
    acquired = sequence.from_bids(sidecar)
    if named.contrast is not None:
        if named.contrast == "T1w" and acquired.agent:
            reason = f"contrast agent {acquired.agent} in the sidecar"
            if says_unenhanced(stem_of(path)):
                return Guess("T1w", 0.6, f"{named.reason}, before the {reason}")
            return Guess("T1ce", 0.9, reason)
        return named
    measured = sequence.guess(acquired)
    if measured.contrast is not None:
        return measured
    folder = contrasts.canonical(path.parent.name)
    if contrasts.known(folder) is not None:
        return Guess(folder, 0.6, f"the folder “{path.parent.name}”")
    return named
