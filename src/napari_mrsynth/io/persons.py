"""Whose the images found together are: those of two persons are refused, those of two visits are told apart.

DICOM says it by PatientID and StudyInstanceUID (of which :class:`~napari_mrsynth.io.dicom_frames.Frame` keeps
digests), BIDS by the ``sub`` and ``ses`` entities of files and folders. An image that does not say it is
never refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from napari_mrsynth.errors import InputError
from napari_mrsynth.imaging import LabelVolume, Volume
from napari_mrsynth.io.naming import stem_of

_NAMED = 3
"""So many images of each person are named in a refusal."""

_LEVELS = 4
"""So many parts at the end of a path may hold BIDS entities."""

_Image = Volume | LabelVolume
_Kind = TypeVar("_Kind", bound=_Image)


def refuse_two_persons(images: Sequence[_Image]) -> None:
    """Refuse images that say that they are of different persons.

    Raises
    ------
    InputError
        Naming the images of each person, and where they lie; a PatientID is not named.
    """
    for said_of in (_subject, _patient):
        persons = _grouped(images, said_of)
        if len(persons) < 2:
            continue
        called = list(persons) if said_of is _subject else [f"person {n + 1}" for n in range(len(persons))]
        named = (
            f"{person}: {_listed(group)}" for person, group in zip(called, persons.values(), strict=True)
        )
        raise InputError(
            f"The images are of {len(persons)} persons, by their "
            f"{'BIDS subject' if said_of is _subject else 'DICOM PatientID'}: {'; '.join(named)}.",
            hint="Open one patient's folder, or say which file is what: CONTRAST=FILE.",
        )


def visits(scans: Iterable[Volume]) -> tuple[str, ...]:
    """Return a note on which visit each scan of known contrast is from, where they are from more than one.

    Sessions are called as in BIDS; DICOM studies are numbered, and the folders of their series named.
    """
    scans = [scan for scan in scans if scan.contrast]
    sessions = _grouped(scans, _session)
    if len(sessions) > 1:
        told = (f"{scan.contrast} of {session}" for session, group in sessions.items() for scan in group)
        return (f"the scans are of {len(sessions)} sessions: {', '.join(told)}",)
    studies = _grouped(scans, _study)
    if len(studies) > 1:
        told = (
            f"{scan.contrast} (“{scan.name}” in “{_folder(scan).name}”) of study {number}"
            for number, group in enumerate(studies.values(), 1)
            for scan in group
        )
        return (f"the scans are of {len(studies)} DICOM studies: {', '.join(told)}",)
    return ()


def _grouped(images: Iterable[_Kind], said_of: Callable[[_Image], str]) -> dict[str, list[_Kind]]:
    """Return the images by what is said of them, in order; without those of which nothing is."""
    groups: dict[str, list[_Kind]] = {}
    for image in images:
        if said := said_of(image):
            groups.setdefault(said, []).append(image)
    return groups


def _patient(image: _Image) -> str:
    return str(_header(image).get("patient", ""))


def _study(image: _Image) -> str:
    return str(_header(image).get("study", ""))


def _subject(image: _Image) -> str:
    return _entity(image, r"sub-[A-Za-z0-9]+(?=_|$)")


def _session(image: _Image) -> str:
    return _entity(image, r"(?:.*_)?(ses-[A-Za-z0-9]+)(?=_|$)")


def _entity(image: _Image, pattern: str) -> str:
    """Return the BIDS entity that a file's name holds, else the nearest of its folders that does."""
    path = image.source.path
    if path is None:
        return ""
    path = (_folder(image) if image.source.format == "dicom" else path).absolute()
    for part in (stem_of(path), *path.parts[-2 : -_LEVELS - 1 : -1]):
        if found := re.match(pattern, part):
            return found[found.re.groups]
    return ""


def _listed(images: Sequence[_Image]) -> str:
    names = [
        f"“{_folder(image) / image.name}”" if image.source.format == "dicom" else f"“{image.source.path}”"
        for image in images
    ]
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _folder(image: _Image) -> Path:
    """Return the folder of a DICOM series' files."""
    folder: Path = _header(image)["folder"]
    return folder


def _header(image: _Image) -> dict[str, Any]:
    header = image.source.header
    return header if image.source.format == "dicom" and isinstance(header, dict) else {}
