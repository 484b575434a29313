"""Predictions and truths of many patients, paired by the names of their files and folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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


@dataclass
class _Index:
    """Files by patient and contrast, or by patient and role."""

    scans: dict[tuple[str, str | None], list[Path]] = field(default_factory=dict)
    labels: dict[tuple[str, Role], list[Path]] = field(default_factory=dict)
    stems: dict[str, list[Path]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


def pair_folders(
    pred: Path, truth: Path, *, lesions: Path | None = None, mask: Path | None = None
) -> tuple[list[FilePair], list[tuple[Path, str]]]:
    """Find the truth of every prediction.

    A patient is known by the entities of BIDS, else by what is left of the file's name without its contrast,
    else by the folder; ``sub-`` and everything but letters and digits are passed over, so that what
    ``mrsynth synthesize`` writes finds the scans it was made from. Synthetic files are never taken as truth.

    Parameters
    ----------
    pred, truth : Path
        Folders, searched with all that is below them.
    lesions, mask : Path, optional
        Folders of labels; by default those below `truth` are used.

    Returns
    -------
    pairs : list of FilePair
        Sorted by the predictions' paths.
    skipped : list of (Path, str)
        Predictions without a truth, and why.

    Raises
    ------
    InputError
        If a folder is none, or no prediction found its truth.
    """
    index = _index(truth, mask_of=None)
    others = {
        Role.LESIONS: index if lesions is None else _index(lesions, Role.LESIONS),
        Role.BRAIN_MASK: index if mask is None else _index(mask, Role.BRAIN_MASK),
    }
    pairs: list[FilePair] = []
    skipped: list[tuple[Path, str]] = []
    for path in _images(pred):
        if role_of(stem_of(path)) is not Role.SCAN:
            continue
        contrast = guess_from_name(stem_of(path)).contrast
        keys = tuple(_patients(path, pred))
        found = _truth_of(path, keys, contrast, index)
        if len(found) != 1:
            listed = ", ".join(str(each.relative_to(truth)) for each in found)
            skipped.append(
                (path, f"{len(found)} scans could be its truth: {listed}" if found else "no truth")
            )
            continue
        pairs.append(
            FilePair(
                index.names.get(keys[0], stem_of(found[0])),
                contrast,
                path,
                found[0],
                *(_labels_of(keys, role, others[role]) for role in (Role.LESIONS, Role.BRAIN_MASK)),
            )
        )
    if not pairs:
        why = f"; for example {skipped[0][0].name}: {skipped[0][1]}" if skipped else ""
        raise InputError(
            f"No scan below {pred} has a truth below {truth}{why}.",
            hint="Files are paired by patient and contrast, as in p01_FLAIR.nii.gz.",
        )
    return pairs, skipped


def _truth_of(path: Path, patients: Sequence[str], contrast: str | None, index: _Index) -> list[Path]:
    if contrast is not None:
        for patient in patients:
            found = index.scans.get((patient, contrast), [])
            if found:
                return found
    return index.stems.get(stem_of(path).casefold(), [])


def _labels_of(patients: Sequence[str], role: Role, index: _Index) -> Path | None:
    for patient in patients:
        found = index.labels.get((patient, role), [])
        if len(found) == 1:
            return found[0]
    return None


def _index(root: Path, mask_of: Role | None) -> _Index:
    """Index the images below a folder; where `mask_of` is given, all of them are labels of that role."""
    index = _Index()
    for path in _images(root):
        stem = stem_of(path)
        role = mask_of or role_of(stem)
        for patient, name in _patients(path, root).items():
            index.names.setdefault(patient, name)
            if role is not Role.SCAN:
                index.labels.setdefault((patient, role), []).append(path)
            elif recognise(path) is None:
                index.scans.setdefault((patient, guess_from_name(stem).contrast), []).append(path)
        if role is Role.SCAN and recognise(path) is None:
            index.stems.setdefault(stem.casefold(), []).append(path)
    return index


def _patients(path: Path, root: Path) -> dict[str, str]:
    """Return what the patient may be called, by a spelling that all share: by the file, then its folder."""
    names = [patient_of(path)]
    if path.parent != root:
        says_only_the_contrast = known(canonical(names[0])) is not None
        names = [*(() if says_only_the_contrast else names), patient_of(path.parent)]
    return {derivative_name(name, "FLAIR", synthetic=False).casefold(): name for name in names}


def _images(root: Path) -> Iterator[Path]:
    if not root.is_dir():
        raise InputError(f"{root} is not a folder.", hint="Give two files or two folders.")
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if not hidden and path.is_file() and extension_of(path) not in (None, ".dcm"):
            yield path
