"""Which patients a training learns from and which it is measured on: split by patient, never by slice."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from napari_mrsynth.errors import ConfigError, InputError
from napari_mrsynth.training.config import DataConfig

_SESSION = re.compile(r"(?<=[^/])_ses-[^/]*$")
"""The end of a folder's name that tells one session of a person from another."""


@dataclass(frozen=True)
class Subject:
    """One patient of a data folder.

    Attributes
    ----------
    id : str
        Path of the patient's folder below the data root, with forward slashes.
    folder : Path
        Where the scans are.
    split : str
        As the table says; ``train`` without one.
    patient : str
        Who it is, where one person has several sessions; by default what stands before the session in a BIDS
        id (``sub-01/ses-2`` and ``sub-01_ses-2`` are ``sub-01``), else the id.
    synthetic : bool
        Whether scans that a model made are read too.
    """

    id: str
    folder: Path
    split: str = "train"
    patient: str = ""
    synthetic: bool = False

    @property
    def person(self) -> str:
        """The patient, the same for all sessions of one."""
        if self.patient:
            return self.patient
        own = self.id.removesuffix("/anat")
        parts = own.split("/")
        sessions = [i for i, part in enumerate(parts) if part.startswith("ses-")]
        if sessions and sessions[0]:
            return "/".join(parts[: sessions[0]])
        person = _SESSION.sub("", own)
        return person if person != own else self.id


def person_of(folder: Path) -> str:
    """Return what the folders of one person's sessions have in common; empty where that is not known.

    The folder's own name says so, or its parent's if it is BIDS' ``anat``: what stands above may be anything.
    """
    folder = folder.absolute()
    if folder.name == "anat":
        folder = folder.parent
    if folder.name.startswith("ses-"):
        return folder.parent.as_posix()
    person = _SESSION.sub("", folder.as_posix())
    return person if person != folder.as_posix() else ""


def persons_in(records: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return whose the patients are that a card or a manifest lists by their ids."""
    return {Subject(str(record.get("id")), Path()).person for record in records}


@dataclass(frozen=True)
class Split:
    """Patients to learn from and patients held out: no patient on both sides."""

    train: tuple[Subject, ...]
    held_out: tuple[Subject, ...]

    def __post_init__(self) -> None:
        both = sorted({s.person for s in self.train} & {s.person for s in self.held_out})
        if both:
            raise InputError(
                f"{', '.join(both)} would be both learnt from and measured on.",
                hint="Hold out every session of a patient, or none.",
            )


def find_subjects(data: DataConfig) -> tuple[Subject, ...]:
    """List the patients of a data folder that belong to ``data.split`` and ``data.only``, sorted by id.

    Raises
    ------
    InputError
        If the folder does not exist, its table cannot be read or lists a patient twice, or nobody is chosen.
    """
    root = Path(data.root).expanduser()
    if not root.is_dir():
        raise InputError(f"There is no data folder {root}.", hint="Set data.root to a folder of patients.")
    table = root / data.table if data.table else None
    if table is not None and table.is_file():
        subjects = _from_table(root, table)
    elif data.table not in ("", DataConfig.table):
        raise InputError(
            f"There is no table {table}.",
            hint="Check data.table, which is looked for within data.root; leave it out to take every folder.",
        )
    else:
        subjects = [Subject(p.name, p) for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")]
    chosen = sorted((s for s in subjects if s.split == data.split), key=lambda s: s.id)
    if not chosen:
        splits = ", ".join(sorted({s.split for s in subjects})) or "none"
        raise InputError(
            f"No patient of {root} is in the split {data.split!r}.",
            hint=f"Set data.split; the splits there are: {splits}.",
        )
    if data.only:
        named = [subject for subject in chosen if fnmatchcase(subject.id, data.only)]
        if not named:
            raise InputError(
                f"No patient of the split {data.split!r} is called {data.only!r}.",
                hint=f'Set data.only="" for all of them: {", ".join(s.id for s in chosen)}.',
            )
        chosen = named
    return tuple(chosen)


def split_subjects(subjects: Sequence[Subject], data: DataConfig) -> Split:
    """Hold patients out, by name or by fold.

    Raises
    ------
    ConfigError
        If a named patient is not there, the fold does not exist, there are fewer patients than folds, or
        patients are named and folds asked for.
    """
    if data.held_out and data.folds > 1:
        raise ConfigError(
            f"data.held_out names {', '.join(data.held_out)}, and data.folds asks for {data.folds} folds.",
            hint="Set data.held_out=[] to hold out a fold, or data.folds=1 to hold out who is named.",
        )
    if data.folds == 1 and data.fold:
        raise ConfigError(
            f"data.fold is {data.fold}, but the patients are not dealt into folds.",
            hint="Set data.folds to how many there are, or data.fold to 0.",
        )
    if data.held_out:
        unknown = sorted(set(data.held_out) - {s.id for s in subjects})
        if unknown:
            raise ConfigError(
                f"data.held_out names {', '.join(unknown)}, who is not among the patients.",
                hint=f"Set data.held_out=[] for nobody, or choose from {', '.join(s.id for s in subjects)}.",
            )
        held = set(data.held_out)
    elif data.folds > 1:
        if not 0 <= data.fold < data.folds:
            raise ConfigError(
                f"data.fold is {data.fold}; with {data.folds} folds it is 0 to {data.folds - 1}.",
                hint="Folds are counted from 0.",
            )
        people = list(dict.fromkeys(s.person for s in subjects))
        if len(people) < data.folds:
            raise ConfigError(
                f"{len(people)} patients cannot be dealt into {data.folds} folds.",
                hint=f"Set data.folds to {len(people)} or fewer, or add patients.",
            )
        dealt = set(people[data.fold :: data.folds])
        held = {s.id for s in subjects if s.person in dealt}
    else:
        held = set()
    return Split(tuple(s for s in subjects if s.id not in held), tuple(s for s in subjects if s.id in held))


def _from_table(root: Path, table: Path) -> list[Subject]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} cannot be read: {error}.", hint="Save it as UTF-8 text.") from error
    if not rows or not {"subject", "split"} <= set(rows[0]):
        raise InputError(
            f"{table} has no columns 'subject' and 'split'.", hint="The columns are separated by tabs."
        )
    subjects: dict[str, Subject] = {}
    for number, row in enumerate(rows, start=2):
        name, split, patient = (_cell(row, column) for column in ("subject", "split", "patient"))
        if not name or not split:
            raise InputError(
                f"Line {number} of {table} has no {'split' if name else 'subject'}.",
                hint="Every line names a patient's folder and the split it belongs to, separated by a tab.",
            )
        name = PurePosixPath(name).as_posix()  # p1/ and ./p1 are p1
        if name in subjects:
            raise InputError(f"{table} lists {name} twice.", hint="A patient belongs to one split.")
        subjects[name] = Subject(name, root / name, split, patient)
    _require_one_split(table, subjects.values())
    return list(subjects.values())


def _cell(row: Mapping[str, str | None], column: str) -> str:
    return (row.get(column) or "").strip()


def _require_one_split(table: Path, subjects: Iterable[Subject]) -> None:
    """Refuse a person who would be learnt from in one split and measured on in another."""
    splits: dict[str, str] = {}
    for subject in subjects:
        if splits.setdefault(subject.person, subject.split) != subject.split:
            raise InputError(
                f"{table} has sessions of {subject.person} in the splits {splits[subject.person]!r} and "
                f"{subject.split!r}.",
                hint="Every session of a patient belongs to one split.",
            )
