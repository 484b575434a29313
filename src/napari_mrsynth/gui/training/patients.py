"""Who is in a data folder or a list of folders: what each patient has, and who is left out and why."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_mrsynth.errors import InputError, MrsynthError
from napari_mrsynth.imaging import Affine, Grid, LabelVolume, Member, Volume
from napari_mrsynth.imaging.contrasts import own_names
from napari_mrsynth.io import read_patient, write_volume
from napari_mrsynth.io.naming import called, stem_of
from napari_mrsynth.progress import Progress
from napari_mrsynth.training.config import DataConfig
from napari_mrsynth.training.subjects import find_subjects, person_of

if TYPE_CHECKING:
    from napari_mrsynth.imaging.study import Study

FEWEST = 2
"""Contrasts a patient must have: something to make, and something to make it from."""


@dataclass(frozen=True)
class Patient:
    """One patient.

    Attributes
    ----------
    id : str
        Path below the data folder, or the folder's name.
    folder : Path
    contrasts : tuple of str
        What was recognised; empty where nothing could be read.
    stems : tuple of str
        The scans' file names without extensions: contrasts of the user's own are what they end with.
    reason : str
        Why nothing could be read; empty where something could.
    """

    id: str
    folder: Path
    contrasts: tuple[str, ...] = ()
    stems: tuple[str, ...] = ()
    reason: str = ""

    def left_out(self, wanted: Sequence[str], at_least: int | None = None) -> str:
        """Say why this patient cannot be used for contrasts; empty where it can.

        Parameters
        ----------
        wanted : sequence of str
            What is learnt.
        at_least : int, optional
            How many of them suffice; all if not given.
        """
        if self.reason:
            return self.reason
        here = self.among(wanted)
        missing = [contrast for contrast in wanted if contrast not in here]
        has = len(wanted) - len(missing)
        if has >= (len(wanted) if at_least is None else at_least):
            return ""
        if at_least is None:
            return f"has no {', '.join(missing)}"
        named = ", ".join(contrast for contrast in wanted if contrast in here) or "none"
        return f"has {named} of {', '.join(wanted)}; {at_least} are needed"

    def among(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Return the contrasts recognised, and the user's own among `wanted` that files are called."""
        own = [name for name in own_names(wanted) if any(called(stem, [name]) for stem in self.stems)]
        return tuple(dict.fromkeys((*self.contrasts, *own)))


def looking(folders: Sequence[tuple[str, Path]]) -> Generator[Progress, None, tuple[Patient, ...]]:
    """Read what each folder holds; `folders` are (id, folder)."""
    found = []
    for count, (name, folder) in enumerate(folders):
        yield Progress(count / len(folders), f"Looking at {name}")
        try:
            volumes = read_patient(folder).volumes
        except MrsynthError as error:
            found.append(Patient(name, folder, reason=error.message))
            continue
        contrasts = dict.fromkeys(v.contrast for v in volumes if v.contrast)
        files = dict.fromkeys(v.source.path for v in volumes if v.source.path)
        found.append(Patient(name, folder, tuple(contrasts), tuple(stem_of(path) for path in files)))
    return tuple(found)


@dataclass(frozen=True)
class DataFolder:
    """A folder that holds a folder per patient, as a configuration reads it.

    Attributes
    ----------
    root : Path
    table, split : str
        As ``data.table`` and ``data.split`` of the configuration.
    """

    root: Path
    table: str = DataConfig.table
    split: str = DataConfig.split


def looking_through(data: DataFolder) -> Generator[Progress, None, tuple[Patient, ...]]:
    """Read what every patient of a data folder has whom a training with that table and split would find.

    Raises
    ------
    InputError
        If the folder or its table cannot be used.
    """
    yield Progress(0.0, f"Looking through {data.root}")
    subjects = find_subjects(DataConfig(root=str(data.root), table=data.table, split=data.split))
    return (yield from looking([(subject.id, subject.folder) for subject in subjects]))


def refuse_session_of(folder: Path, listed: Sequence[Patient]) -> None:
    """Refuse a folder if another session of its person is listed; of a copy the name alone tells whose it is.

    Raises
    ------
    InputError
        If there is one.
    """
    person = _whose(folder)
    both = [patient.id for patient in listed if person and _whose(patient.folder) == person]
    if both:
        raise InputError(
            f"{both[0]} is a session of {person} too: one would judge what was learnt from the other.",
            hint="Give one session of each person.",
        )


def _whose(folder: Path) -> str:
    """Return the name of the person whose session a folder is; empty where it does not say so."""
    return Path(person_of(folder)).name


def _aligned(member: Member) -> Volume:
    """Return a scan as acquired, in the space of its study's reference."""
    native = member.native
    affine = Affine(np.linalg.inv(member.motion.matrix) @ native.grid.affine.matrix)
    return replace(native, grid=Grid(native.grid.shape, affine))


def copying(study: Study, folder: Path) -> Generator[Progress, None, tuple[Patient, ...]]:
    """Write an open study's acquired scans, named and aligned as they are there, as a patient's folder.

    Voxels are as they were scanned: what aligned a scan goes into its affine. A file is called after its
    contrast alone: the study's name may hold words that name another. A brain mask that was given goes with
    them.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    acquired = [c for c in study.contrasts if not study.members[c].native.is_synthetic]
    for count, contrast in enumerate(acquired):
        yield Progress(count / len(acquired), f"Copying {contrast}")
        called = re.sub(r"[/\\]", "_", contrast)
        write_volume(folder / f"{called}.nii.gz", _aligned(study.members[contrast]))
    if study.mask is not None and study.mask.is_given:
        brain = LabelVolume(study.mask.array.astype(np.uint8), study.grid, "brain mask")
        write_volume(folder / "brainmask.nii.gz", brain)
    return (yield from looking([(study.name, folder)]))
