"""Which patients a training learns from and which it is measured on: split by patient, never by slice."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_mrsynth.errors import ConfigError, InputError
from napari_mrsynth.training.config import DataConfig


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
    """

    id: str
    folder: Path
    split: str = "train"


@dataclass(frozen=True)
class Split:
    """Patients to learn from and patients held out: no patient on both sides."""

    train: tuple[Subject, ...]
    held_out: tuple[Subject, ...]

    def __post_init__(self) -> None:
        both = sorted({s.id for s in self.train} & {s.id for s in self.held_out})
        if both:
            raise InputError(f"{', '.join(both)} would be both learnt from and measured on.")


def find_subjects(data: DataConfig) -> tuple[Subject, ...]:
    """List the patients of a data folder that belong to ``data.split``, sorted by id.

    Raises
    ------
    InputError
        If the folder or a patient of its table does not exist, or a patient is listed twice.
    """
    root = Path(data.root).expanduser()
    if not root.is_dir():
        raise InputError(f"There is no data folder {root}.", hint="Set data.root to a folder of patients.")
    table = root / data.table if data.table else None
    if table is not None and table.is_file():
        subjects = _from_table(root, table)
    else:
        subjects = [Subject(p.name, p) for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")]
    chosen = sorted((s for s in subjects if s.split == data.split), key=lambda s: s.id)
    if not chosen:
        raise InputError(f"No patient of {root} is in the split {data.split!r}.")
    return tuple(chosen)


def split_subjects(subjects: Sequence[Subject], data: DataConfig) -> Split:
    """Hold patients out, by name or by fold.

    Raises
    ------
    ConfigError
        If a named patient is not there, the fold does not exist, or there are fewer patients than folds.
    """
    if data.held_out:
        unknown = sorted(set(data.held_out) - {s.id for s in subjects})
        if unknown:
            raise ConfigError(f"data.held_out names {', '.join(unknown)}, who is not among the patients.")
        held = set(data.held_out)
    elif data.folds > 1:
        if not 0 <= data.fold < data.folds:
            raise ConfigError(
                f"data.fold is {data.fold}; with {data.folds} folds it is 0 to {data.folds - 1}."
            )
        if len(subjects) < data.folds:
            raise ConfigError(f"{len(subjects)} patients cannot be dealt into {data.folds} folds.")
        held = {s.id for index, s in enumerate(subjects) if index % data.folds == data.fold}
    else:
        held = set()
    return Split(tuple(s for s in subjects if s.id not in held), tuple(s for s in subjects if s.id in held))


def _from_table(root: Path, table: Path) -> list[Subject]:
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    if not rows or not {"subject", "split"} <= set(rows[0]):
        raise InputError(f"{table} has no columns 'subject' and 'split'.")
    subjects: dict[str, Subject] = {}
    for row in rows:
        name = row["subject"]
        if name in subjects:
            raise InputError(f"{table} lists {name} twice.", hint="A patient belongs to one split.")
        subjects[name] = Subject(name, root / name, row["split"])
    return list(subjects.values())
