"""Read a patient: folders and files in any of the field's namings become scans, lesions and a brain mask."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from napari_mrsynth.errors import ContrastError, FormatError, InputError, LabelError
from napari_mrsynth.imaging import LabelVolume, Volume, contrasts
from napari_mrsynth.io.decoded import require_file
from napari_mrsynth.io.dicom import read_series, series_number
from napari_mrsynth.io.dicom_frames import is_dicom
from napari_mrsynth.io.naming import (
    Role,
    called,
    extension_of,
    lesion_names,
    patient_of_scans,
    role_of,
    stem_of,
)
from napari_mrsynth.io.persons import refuse_two_persons, visits
from napari_mrsynth.io.reading import read_image

MAX_DEPTH = 4
MAX_FILES = 20_000
BRAIN_ML = 500.0
"""A mask of unclear name with at least this volume is a brain's, a smaller one a lesion's."""

SURE = 0.8
"""Of DICOM series that claim one contrast, those whose guess is less sure come last."""

UNUSED_LABELS = "tissue, parcellation and source-map labels are not used"

_NOT_IMAGES = frozenset(
    {".json", ".tsv", ".csv", ".txt", ".bval", ".bvec", ".md", ".pdf", ".xml", ".png", ".jpg"}
)
_LABELS_SAID = {"lesions": Role.LESIONS, "lesion": Role.LESIONS, "mask": Role.BRAIN_MASK}

_Spec = tuple[str | None, Path, int | None]
"""What the user said that a path is (or None), the path, and the number of its DICOM series (or None)."""


@dataclass(frozen=True)
class PatientFiles:
    """What was found of one patient.

    Attributes
    ----------
    name : str
        The patient's name, from the folder or the files.
    volumes : tuple of Volume
        The scans, no two of one contrast; the contrast is None where nothing told it, and of DICOM series
        that claim one where another was taken.
    lesions, mask : LabelVolume or None
    notes : tuple of str
        What was assumed or left out, for the user to see.
    skipped : tuple of (Path, str)
        Files that were not used, and why.
    """

    name: str
    volumes: tuple[Volume, ...]
    lesions: LabelVolume | None = None
    mask: LabelVolume | None = None
    notes: tuple[str, ...] = ()
    skipped: tuple[tuple[Path, str], ...] = ()


@dataclass
class _Findings:
    """What has been read so far; explicit names stand above guesses, DICOM series of folders wait for all."""

    volumes: list[Volume] = field(default_factory=list)
    series: list[Volume] = field(default_factory=list)
    guessed: list[Volume | LabelVolume] = field(default_factory=list)
    labels: dict[Role, LabelVolume] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)

    def require_one_person(self, *images: Volume | LabelVolume) -> None:
        """Refuse images of another person than those before; what is said by name may be anybody's."""
        self.guessed += [
            image for image in images if isinstance(image, LabelVolume) or image.contrast not in self.named
        ]
        refuse_two_persons(self.guessed)

    def skip(self, path: Path, reason: str, *, tell: bool = True) -> None:
        self.skipped.append((path, reason))
        if tell:
            self.notes.append(f"left out “{path.name}”: {reason}")


def read_patient(*specs: str | Path, synthetic: bool = False, names: Sequence[str] = ()) -> PatientFiles:
    """Read one patient from folders, files, or files whose contrast is said.

    Understood are BraTS 2021 (``*_t1ce``) and 2023 (``*-t1c``) names, BIDS (with the JSON sidecars), names
    such as ``*_T1WKS``, ``*_consensus_gt`` and ``*_FLAIR_brainmask``, and DICOM exports.

    Parameters
    ----------
    *specs : str or path-like
        A folder (searched four levels deep), a file, ``T1w=FILE``, ``T1w=FOLDER``, ``T1w=FOLDER#4`` (the
        DICOM series of that number), ``lesions=FILE`` or ``mask=FILE``. What is said by name wins over what
        is guessed.
    synthetic : bool
        Whether synthetic files in a folder are taken: a synthetic data set is meant to be learnt from.
    names : sequence of str
        Contrasts of the user's own, which are not guessed: a file in a folder is taken for one of them where
        its name ends with it, whatever else might be guessed (``p1_CT.nii.gz`` for ``CT``).

    Returns
    -------
    PatientFiles
        At least one volume. Otherwise synthetic files found in a folder are left out (an estimate is never
        taken for a scan unless its file is given by name), and so are files that cannot be read, each with
        its reason.

    Raises
    ------
    ContrastError
        If two files claim one contrast, naming both. (Of DICOM series in a folder the one with most slices is
        taken, with a note.)
    LabelError
        If two files claim to be the lesions, or the brain mask.
    FormatError
        If a file that was given is not readable, or nothing is a scan.
    InputError
        If what is not said by name is of more than one person: of several PatientIDs or BIDS subjects.
    """
    if not specs:
        raise InputError("No file or folder was given.", hint="Give a patient's folder or files.")
    parsed = [_parse(spec) for spec in specs]
    found = _Findings()
    for said, path, number in sorted(parsed, key=lambda item: item[0] is None):
        if said is not None:
            _read_named(said, path, number, found)
        elif path.is_dir():
            _read_folder(path, found, synthetic=synthetic, names=names)
        else:
            image = read_image(path)
            found.require_one_person(image)
            _add(image, found)
    _add_series(found)
    found.notes.extend(visits(found.volumes))
    if not found.volumes:
        where = ", ".join(f"“{path.name}”" for _, path, _ in parsed)
        reasons = "; ".join(f"{path.name}: {reason}" for path, reason in found.skipped[:3])
        raise FormatError(
            f"There is no scan in {where}{f' ({reasons})' if reasons else ''}.",
            hint="Give a folder with NIfTI, MGZ, NRRD, MHA or DICOM files of one patient.",
        )
    return PatientFiles(
        name=_name(parsed, found.volumes),
        volumes=tuple(found.volumes),
        lesions=found.labels.get(Role.LESIONS),
        mask=found.labels.get(Role.BRAIN_MASK),
        notes=tuple(found.notes),
        skipped=tuple(found.skipped),
    )


def _name(parsed: list[_Spec], volumes: list[Volume]) -> str:
    """Name the patient after the first scan or folder that was given."""
    scans = [path for said, path, _ in parsed if said is None or said.lower() not in _LABELS_SAID]
    return patient_of_scans(scans[0], (_path(volume) for volume in volumes))


def _parse(spec: str | Path) -> _Spec:
    """Split ``NAME=PATH#SERIES``; a path that exists as it stands is never split."""
    said, text = None, os.fspath(spec)
    if isinstance(spec, str) and "=" in text and not Path(text).exists():
        left, right = text.split("=", 1)
        if left and not set(left) & set("/\\"):
            said, text = left.strip(), right
    if not text.strip():
        raise FormatError(f"“{spec}” names no file.", hint=f"Give it as {said or 'T1w'}=FILE.")
    path, number = Path(text).expanduser(), None
    if said is not None and not path.exists() and "#" in path.name:
        before, after = text.rsplit("#", 1)
        if after.isdigit():
            path, number = Path(before).expanduser(), int(after)
    require_file(path)
    return said, path, number


def _read_named(said: str, path: Path, number: int | None, found: _Findings) -> None:
    """Read what the user named: a contrast, ``lesions`` or ``mask``."""
    role = _LABELS_SAID.get(said.lower())
    if role is not None:
        _add_labels(read_image(path, kind="labels"), role, found)
        return
    contrast = contrasts.canonical(said)
    volume = read_image(path, kind="scan") if number is None else _read_numbered(path, number)
    _add(volume.as_contrast(contrast), found, said=True)
    found.named.add(contrast)


def _read_numbered(folder: Path, number: int) -> Volume:
    volumes = read_series(_files(folder), folder).volumes
    for volume in volumes:
        if series_number(volume) == number:
            return volume
    there = ", ".join(f"“{volume.name}”" for volume in volumes) or "none"
    raise FormatError(f"“{folder.name}” has no series {number}.", hint=f"The series here: {there}.")


def _read_folder(
    folder: Path, found: _Findings, *, synthetic: bool = False, names: Sequence[str] = ()
) -> None:
    slices: list[Path] = []
    for path in _files(folder):
        if extension_of(path) in (None, ".dcm"):
            if path.suffix.lower() not in _NOT_IMAGES and is_dicom(path):
                slices.append(path)
            elif path.suffix.lower() != ".json" and path.name.upper() != "DICOMDIR":
                found.skip(path, f"not an image ({path.suffix or 'no extension'})", tell=False)
            continue
        if role_of(stem_of(path)) is Role.OTHER_LABELS:
            found.skip(path, UNUSED_LABELS, tell=False)
            continue
        try:
            image = read_image(path)
        except InputError as error:
            found.skip(path, str(error))
            continue
        if image.source.synthetic is not None and not synthetic:
            found.skip(path, "synthetic, not acquired: give the file itself to use it")
        else:
            if isinstance(image, Volume) and (own := called(stem_of(path), names)):
                image = image.as_contrast(own)
            found.require_one_person(image)
            _add(image, found)
    series = read_series(slices, folder)
    for path, reason in series.skipped:
        found.skip(path, reason)
    found.require_one_person(*series.volumes)
    found.series.extend(series.volumes)


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder in order, `MAX_DEPTH` levels deep, hidden ones left out."""
    count = 0
    for root, folders, names in os.walk(folder):
        depth = len(Path(root).relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < MAX_DEPTH else []
        for name in sorted(names):
            if name.startswith("."):
                continue
            count += 1
            if count > MAX_FILES:
                raise FormatError(
                    f"“{folder.name}” holds more than {MAX_FILES} files.", hint="Give one patient's folder."
                )
            yield Path(root) / name


def _add(image: Volume | LabelVolume, found: _Findings, *, said: bool = False) -> None:
    """Put an image where it belongs; `said` where the user named its contrast."""
    if isinstance(image, LabelVolume):
        _add_labels(image, role_of(image.name), found)
        return
    contrast = image.contrast
    twin = next((other for other in found.volumes if contrast and other.contrast == contrast), None)
    if twin is not None and contrast in found.named and not said:
        found.skip(_path(image), f"{contrast} was given by name: “{_path(twin).name}”")
    elif twin is not None:
        raise ContrastError(
            f"Two files claim {contrast}: “{_claim(twin)}” and “{_claim(image)}”.",
            hint=f"Say which one: {contrast}={spec_of(image)}, or give one session's folder.",
        )
    else:
        found.volumes.append(image)
        found.notes.extend(f"{image.name}: {note}" for note in image.notes)


def _add_series(found: _Findings) -> None:
    """Add the DICOM series of folders: of several that claim one contrast the best, others without one."""
    taken: dict[str, Volume] = {}
    for volume in sorted(found.series, key=_rank):
        if volume.contrast and volume.contrast not in found.named:
            taken.setdefault(volume.contrast, volume)
    for volume in found.series:
        contrast = volume.contrast or ""
        best = taken.get(contrast, volume)
        if best is volume:
            _add(volume, found)
            continue
        _add(replace(volume, contrast=None, confidence=0.0), found)
        slices = f"{best.array.shape[2]} slices against {volume.array.shape[2]}"
        found.notes.append(
            f"“{volume.name}” claims {contrast} too: “{best.name}” was taken ({slices}). To have it instead,"
            f" say {contrast}={spec_of(volume)}, or remove {contrast} from the table and call this one so"
        )


def _rank(series: Volume) -> tuple[bool, bool, int, float]:
    """Sort series of one contrast: surely it first, then as acquired, most slices, finest voxels."""
    derived = bool(series.source.header["derived"])
    return series.confidence < SURE, derived, -series.array.shape[2], max(series.grid.spacing)


def _add_labels(labels: LabelVolume, role: Role, found: _Findings) -> None:
    if role in (Role.SOME_MASK, Role.SCAN):
        ml = float(np.count_nonzero(labels.array) * np.prod(labels.grid.spacing) / 1000)
        role = Role.BRAIN_MASK if ml >= BRAIN_ML else Role.LESIONS
        labels = labels.noting(f"taken as {role.value}: {ml:.0f} ml")
    if role is Role.OTHER_LABELS:
        found.skip(_path(labels), UNUSED_LABELS)
        return
    twin = found.labels.get(role)
    if twin is not None:
        raise LabelError(
            f"Two files claim to be the {role.value}: “{_claim(twin)}” and “{_claim(labels)}”.",
            hint=f"Say which one: {'mask' if role is Role.BRAIN_MASK else 'lesions'}=FILE.",
        )
    if role is Role.LESIONS:
        labels = replace(labels, labels=lesion_names(labels.name, labels.present))
    found.labels[role] = labels
    found.notes.extend(f"{labels.name}: {note}" for note in labels.notes)


def _path(image: Volume | LabelVolume) -> Path:
    return image.source.path or Path(image.name)


def _claim(image: Volume | LabelVolume) -> str:
    path = _path(image)
    return f"{path.name}: {image.name}" if image.source.format == "dicom" else str(path)


def spec_of(image: Volume) -> str:
    """Return what names a scan's file, or its DICOM series, to :func:`read_patient`: ``FOLDER#4``."""
    number = series_number(image)
    return f"{_path(image)}" if number is None else f"{_path(image)}#{number}"
