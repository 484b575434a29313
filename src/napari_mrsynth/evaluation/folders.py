"""Predictions and truths of many patients, paired by the names of their files and folders."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_mrsynth.errors import InputError
from napari_mrsynth.imaging.contrasts import canonical, guess_from_name, known
from napari_mrsynth.io.naming import Role, derivative_name, extension_of, patient_of, role_of, stem_of
from napari_mrsynth.io.provenance import recognise


@dataclass(frozen=True)
class FilePair:
    """Files of one comparison.

    Attributes
    ----------
    patient : str
        The patient as the truth's files call them.
    contrast : str or None
        What both show, where the names tell it.
    pred, truth : Path
    lesions, mask : Path or None
        What lies beside the truth, or in folders of their own.
    """

    patient: str
    contrast: str | None
    pred: Path
    truth: Path
    lesions: Path | None = None
    mask: Path | None = None


@dataclass(frozen=True)
class _Entry:
    """A file and what its names say.

    Attributes
    ----------
    path : Path
    role : Role
    contrast : str or None
    named : str
        The patient as the file is called; empty where it says no more than the contrast or the role.
    folders : tuple of str
        The folders below the root that hold it, nearest first.
    """

    path: Path
    role: Role
    contrast: str | None
    named: str
    folders: tuple[str, ...]

    @property
    def nearest(self) -> str:
        """The folder that holds the file, empty at the root."""
        return self.folders[0] if self.folders else ""

    @property
    def patient(self) -> str:
        """What the patient is called."""
        return self.named or "/".join(reversed(self.folders))


@dataclass(frozen=True)
class _Maps:
    """Label maps of one role, and where they are looked for.

    Attributes
    ----------
    role : Role
    what : str
        What people call them.
    folder : Path
        What the maps are named by in a reason.
    asked : bool
        Whether the folder was given for these maps: then a patient without one of them is not scored.
    entries : tuple of _Entry
    """

    role: Role
    what: str
    folder: Path
    asked: bool
    entries: tuple[_Entry, ...]

    @classmethod
    def of(cls, role: Role, what: str, given: Path | None, beside: tuple[Path, Sequence[_Entry]]) -> _Maps:
        """Look in the folder that was given, else among what lies `beside`, a folder and its files."""
        if given is not None:
            return cls(role, what, given, True, tuple(_entries(given, role)))
        folder, entries = beside
        return cls(role, what, folder, False, tuple(each for each in entries if each.role is role))

    def belonging_to(self, scan: _Entry) -> list[_Entry]:
        """Return the maps that could be a scan's patient's."""
        return _nearest_of(scan, [each for each in self.entries if _same_patient(scan, each)])

    def missing(self, found: Sequence[_Entry]) -> str | None:
        """Say why a patient with these maps cannot be scored as it was asked for; None if it can."""
        if not self.asked or len(found) == 1:
            return None
        if not found:
            return f"no {self.what} in {self.folder}"
        listed = ", ".join(str(each.path.relative_to(self.folder)) for each in found)
        return f"{len(found)} maps could be its {self.what}: {listed}"

    def unused(self, scan: _Entry, found: Sequence[_Entry]) -> dict[Path, str]:
        """Return those of a patient's maps that are not used since there are several, and why."""
        if len(found) < 2:
            return {}
        why = (
            f"one of {len(found)} maps that could be the {self.what} of {scan.patient}: none of them is used"
        )
        return {each.path: why for each in found}


def pair_folders(
    pred: Path, truth: Path, *, lesions: Path | None = None, mask: Path | None = None
) -> tuple[list[FilePair], list[tuple[Path, str]]]:
    """Find the truth of every prediction.

    A patient is known by the entities of BIDS, else by what is left of the file's name without its contrast,
    and by the folder where the file says no more than the contrast. Spellings must be equal, but for capital
    letters and for the labels of BIDS, which have letters and digits only: what ``mrsynth synthesize`` writes
    for ``Case_07``, ``sub-Case07``, finds the scans it was made from. Files of unknown contrast must have the
    same name. Files with the name or the sidecar of a synthetic one are never taken as truth.

    Parameters
    ----------
    pred, truth : Path
        Folders, searched with all that is below them.
    lesions, mask : Path, optional
        Folders of labels, in which every patient has one; by default those below `truth` are used, where a
        patient has them.

    Returns
    -------
    pairs : list of FilePair
        Sorted by the predictions' paths.
    skipped : list of (Path, str)
        Predictions without a truth or without the labels that were asked for, and why; then the label maps
        beside the truth that are not used, since a patient has several.

    Raises
    ------
    InputError
        If a folder is none, or no prediction found its truth and the labels that were asked for.
    """
    real = [entry for entry in _entries(truth) if recognise(entry.path) is None]
    scans = [entry for entry in real if entry.role is Role.SCAN]
    labels = (
        _Maps.of(Role.LESIONS, "lesions", lesions, (truth, real)),
        _Maps.of(Role.BRAIN_MASK, "mask", mask, (truth, real)),
    )
    pairs: list[FilePair] = []
    skipped: list[tuple[Path, str]] = []
    unlabelled: list[tuple[Path, str]] = []
    unused: dict[Path, str] = {}
    for entry in _entries(pred):
        if entry.role is not Role.SCAN:
            continue
        found = _nearest_of(entry, [scan for scan in scans if _shows_the_same(entry, scan)])
        if len(found) != 1:
            listed = ", ".join(str(each.path.relative_to(truth)) for each in found)
            skipped.append(
                (entry.path, f"{len(found)} scans could be its truth: {listed}" if found else "no truth")
            )
            continue
        [scan] = found
        own = [maps.belonging_to(scan) for maps in labels]
        missing = [why for maps, each in zip(labels, own, strict=True) if (why := maps.missing(each))]
        if missing:
            unlabelled.append((entry.path, ", ".join(missing)))
            continue
        for maps, each in zip(labels, own, strict=True):
            unused |= maps.unused(scan, each)
        paths = (each[0].path if len(each) == 1 else None for each in own)
        pairs.append(FilePair(scan.patient, entry.contrast, entry.path, scan.path, *paths))
    if not pairs:
        raise _nothing_to_score(pred, truth, skipped, unlabelled)
    return pairs, [*skipped, *unlabelled, *unused.items()]


def _nothing_to_score(
    pred: Path, truth: Path, skipped: Sequence[tuple[Path, str]], unlabelled: Sequence[tuple[Path, str]]
) -> InputError:
    """Return the error of predictions none of which has a truth, or none of those the labels asked for."""
    example = [*unlabelled, *skipped][:1]
    why = "".join(f"; for example {path.name}: {reason}" for path, reason in example)
    if unlabelled:
        return InputError(
            f"No scan below {pred} has both a truth below {truth} and the labels that were asked for{why}.",
            hint="Labels are found by patient, as in p01_seg.nii.gz; leave their folder out to do without.",
        )
    return InputError(
        f"No scan below {pred} has a truth below {truth}{why}.",
        hint="Files are paired by patient and contrast, as in p01_FLAIR.nii.gz.",
    )


def _shows_the_same(entry: _Entry, other: _Entry) -> bool:
    """Whether two scans are of one patient and one contrast."""
    if entry.contrast != other.contrast:
        return False
    if entry.contrast is not None:
        return _same_patient(entry, other)
    same_name = stem_of(entry.path).casefold() == stem_of(other.path).casefold()
    return same_name and _same_place(entry, other)


def _same_patient(entry: _Entry, other: _Entry) -> bool:
    if entry.named and other.named:
        return (
            _same(entry.named, other.named)
            or _same(entry.named, other.nearest)
            or _same(entry.nearest, other.named)
        )
    if not entry.named and not other.named:
        return _same_place(entry, other)
    named, in_folder = (entry, other) if entry.named else (other, entry)
    return _same(named.named, in_folder.nearest) or _same(named.nearest, in_folder.nearest)


def _same_place(entry: _Entry, other: _Entry) -> bool:
    """Whether two files lie in folders that are called the same, as far up as both have some."""
    if not entry.folders or not other.folders:
        return entry.folders == other.folders
    return all(_same(*pair) for pair in zip(entry.folders, other.folders, strict=False))


def _same(name: str, other: str) -> bool:
    """Whether two spellings mean one patient: equal, or one is the label that BIDS makes of the other."""
    first, second = (re.sub(r"^sub-", "", each.casefold()) for each in (name, other))
    if not first or not second:
        return False
    if first == second:
        return True
    of_bids = [each for each in (name, other) if each.startswith("sub-")]
    return len(of_bids) == 1 and _label(name) == _label(other)


def _label(name: str) -> str:
    return derivative_name(name, "FLAIR", synthetic=False).casefold()


def _nearest_of(entry: _Entry, found: list[_Entry]) -> list[_Entry]:
    """Of several candidates, return those in folders that are called the same, if there are any."""
    if len(found) < 2:
        return found
    return [each for each in found if each.folders == entry.folders] or found


def _entries(root: Path, role: Role | None = None) -> list[_Entry]:
    """Read the names of the images below a folder; with `role`, all of them have it."""
    found = []
    for path in _images(root):
        stem = stem_of(path)
        named = patient_of(path)
        says_nothing_else = known(canonical(named)) is not None or role_of(named) is not Role.SCAN
        folders = tuple(reversed(path.relative_to(root).parts[:-1]))
        found.append(
            _Entry(
                path,
                role or role_of(stem),
                guess_from_name(stem).contrast,
                "" if says_nothing_else and folders else named,
                folders,
            )
        )
    return found


def _images(root: Path) -> Iterator[Path]:
    if not root.is_dir():
        raise InputError(f"{root} is not a folder.", hint="Give two files or two folders.")
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if not hidden and path.is_file() and extension_of(path) not in (None, ".dcm"):
            yield path
