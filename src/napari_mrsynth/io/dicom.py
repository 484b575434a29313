"""Read DICOM folders: every series that is a volume, its slices sorted by where they lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_mrsynth.errors import FormatError, GridError
from napari_mrsynth.imaging import Affine, Grid, Source, Volume
from napari_mrsynth.imaging.geometry import FloatArray
from napari_mrsynth.io import checks, sequence
from napari_mrsynth.io.decoded import require_file
from napari_mrsynth.io.dicom_frames import Frame, frames_of, is_dicom, pixels_of, siblings_of
from napari_mrsynth.io.itk import LPS_TO_RAS

MIN_SLICES = 3
UNEVEN_SHARE = 0.02
MISSING_SHARE = 1.5


@dataclass(frozen=True)
class Series:
    """What DICOM files hold.

    Attributes
    ----------
    volumes : tuple of Volume
        One per series (more where a series holds several echoes), by series number.
    skipped : tuple of (Path, str)
        What was left out and why.
    """

    volumes: tuple[Volume, ...]
    skipped: tuple[tuple[Path, str], ...]


def read_dicom(folder: str | Path) -> list[Volume]:
    """Read every volume of a DICOM folder and the folders in it.

    Slices are grouped by patient and series (and by echo, b-value and time point) and sorted by their
    position along the normal, whatever the files are called. Classic and enhanced multi-frame files are
    read; localisers, reports and colour captures are left out, with a note on the first volume.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    list of Volume
        Voxels (i, j, k) = (column, row, slice); integers as stored where no rescaling applies, else float32;
        the contrast guessed from the header.

    Raises
    ------
    FormatError
        If there is no volume, with the reasons.
    """
    folder = Path(folder).expanduser()
    require_file(folder)
    found = read_series(sorted(path for path in folder.rglob("*") if path.is_file()), folder)
    if not found.volumes:
        reasons = "; ".join(dict.fromkeys(reason for _, reason in found.skipped)) or "it has no DICOM file"
        raise FormatError(
            f"“{folder.name}” holds no DICOM volume: {reasons}.",
            hint="Give the folder of the exported series, and export it again if files are missing.",
        )
    notes = [f"left out “{path.name}”: {reason}" for path, reason in found.skipped]
    first, *others = found.volumes
    return [first.noting(*notes), *others]


def read_one_series(path: Path) -> Volume:
    """Read the one volume of a DICOM folder, or the series that a DICOM file belongs to.

    Raises
    ------
    FormatError
        If there is none, or more than one, naming them.
    """
    volumes = read_dicom(path) if path.is_dir() else _volumes_or_raise(siblings_of(path), path)
    if len(volumes) > 1:
        names = ", ".join(f"“{volume.name}”" for volume in volumes)
        raise FormatError(
            f"“{path.name}” holds {len(volumes)} series: {names}.",
            hint="Open it as a patient, or give one of them by its number: "
            f"CONTRAST={path.name}#{_number_of(volumes[0])}.",
        )
    return volumes[0]


def read_series(files: Iterable[Path], root: Path) -> Series:
    """Read the volumes of these files; anything that is not DICOM is passed over.

    Parameters
    ----------
    files : iterable of Path
    root : Path
        The folder that the volumes name as their source.
    """
    skipped: list[tuple[Path, str]] = []
    stacks: dict[tuple[object, ...], list[Frame]] = defaultdict(list)
    for path in files:
        if path.name.upper() == "DICOMDIR" or not is_dicom(path):
            continue
        try:
            for frame in frames_of(path):
                stacks[frame.stack].append(frame)
        except FormatError as error:
            skipped.append((path, error.message))
    volumes = []
    for frames in sorted(stacks.values(), key=lambda group: (group[0].series_number, str(group[0].stack))):
        for stack in _split_repeats(frames):
            try:
                volumes.append(_volume(stack, root))
            except (FormatError, GridError) as error:
                skipped.append((frames[0].path, error.message))
    return Series(tuple(volumes), tuple(skipped))


def series_number(volume: Volume) -> int | None:
    """Return the DICOM series number a volume was read from, None where it is no DICOM series."""
    return _number_of(volume) if volume.source.format == "dicom" else None


def _number_of(volume: Volume) -> int:
    return int(volume.source.header["series_number"])


def _volumes_or_raise(files: Iterable[Path], path: Path) -> list[Volume]:
    found = read_series(files, path)
    if not found.volumes:
        reason = found.skipped[0][1] if found.skipped else "not a DICOM file"
        raise FormatError(f"“{path.name}”: {reason}", hint="Export the whole series again.")
    return list(found.volumes)


def _split_repeats(frames: list[Frame]) -> list[list[Frame]]:
    """Separate acquisitions that share a series and a place, where their numbers tell them apart."""
    places = {tuple(np.round(frame.position_lps, 2)) for frame in frames}
    if len(places) == len(frames):
        return [frames]
    by_acquisition: dict[int, list[Frame]] = defaultdict(list)
    for frame in frames:
        by_acquisition[frame.acquisition].append(frame)
    even = {len(group) for group in by_acquisition.values()} == {len(places)}
    return list(by_acquisition.values()) if even else [frames]


def _volume(frames: list[Frame], root: Path) -> Volume:
    """Stack frames of one orientation into a volume."""
    first = frames[0]
    name = first.title
    if len(frames) < MIN_SLICES:
        raise FormatError(f"“{name}” has {len(frames)} slice(s), too few for a volume (a localiser?)")
    normal = np.cross(first.row_lps, first.column_lps)
    frames = sorted(frames, key=lambda frame: float(frame.position_lps @ normal))
    matrix, notes = _affine(frames, normal, name)
    scaled = any((frame.slope, frame.intercept) != (1, 0) for frame in frames)
    files = {path: pixels_of(path) for path in dict.fromkeys(frame.path for frame in frames)}
    planes = []
    for frame in frames:
        plane = files[frame.path][frame.index]
        planes.append(plane * np.float32(frame.slope) + np.float32(frame.intercept) if scaled else plane)
    array = checks.real_numbers(np.stack(planes, axis=-1).transpose(1, 0, 2), name)
    array, mended = checks.finite(array, name)
    checks.require_signal(array, name)
    guess = sequence.guess(first.acquired)
    header = {
        "series_number": first.series_number,
        "derived": first.is_derived,
        "folder": first.path.parent,
        "patient": first.patient,
        "study": first.study,
    }
    i, j, k = array.shape
    return Volume(
        array,
        Grid((i, j, k), Affine(matrix)),
        name,
        Source(root, "dicom", header),
        (*notes, *mended),
        contrast=guess.contrast,
        confidence=guess.confidence,
    )


def _affine(frames: list[Frame], normal: FloatArray, name: str) -> tuple[FloatArray, tuple[str, ...]]:
    """RAS affine of sorted frames, and a note on uneven gaps (DICOM PS3.3 C.7.6.2.1.1, then LPS to RAS)."""
    first, last = frames[0], frames[-1]
    places = np.array([frame.position_lps @ normal for frame in frames])
    gaps = np.diff(places)
    step = float(np.median(gaps))
    if (gaps < 1e-3).any():
        repeats = len(frames) / max(1, int(np.count_nonzero(gaps >= 1e-3)) + 1)
        raise FormatError(
            f"“{name}” is a series of {repeats:.3g} images at each place"
            f" ({first.columns} x {first.rows} x {len(frames)} slices), not one volume"
        )
    if (gaps > MISSING_SHARE * step).any():
        hole = int(np.argmax(gaps))
        raise FormatError(
            f"“{name}” misses slices: {gaps[hole]:.2f} mm between slice {hole + 1} and {hole + 2},"
            f" {step:.2f} mm elsewhere"
        )
    uneven = float(np.abs(gaps - gaps.mean()).max())
    notes = (f"slices are unevenly spaced by up to {uneven:.2f} mm",) if uneven > UNEVEN_SHARE * step else ()
    matrix = np.eye(4)
    matrix[:3, 0] = np.asarray(first.row_lps) * first.spacing[1]
    matrix[:3, 1] = np.asarray(first.column_lps) * first.spacing[0]
    matrix[:3, 2] = (last.position_lps - first.position_lps) / (len(frames) - 1)
    matrix[:3, 3] = first.position_lps
    ras: FloatArray = LPS_TO_RAS @ matrix
    return ras, notes
