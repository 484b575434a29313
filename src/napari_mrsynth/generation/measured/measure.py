"""Is the painted lesion found, the map kept, are contrasts registered? Of real scans the same is asked."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import InputError, LabelError, MrsynthError
from napari_mrsynth.evaluation.card import name_below
from napari_mrsynth.evaluation.displacement import shifts
from napari_mrsynth.generation.anatomy import Anatomy, patient_anatomy
from napari_mrsynth.generation.check import Check, LesionCheck
from napari_mrsynth.generation.maker import LesionMaker
from napari_mrsynth.generation.painted import paint_on
from napari_mrsynth.imaging import LabelVolume, Volume
from napari_mrsynth.io import read_patient
from napari_mrsynth.lesions import LabelSet
from napari_mrsynth.preprocess.members import labels_on
from napari_mrsynth.progress import Progress, Stopwatch, ended

MADE, REAL = "made", "real"
EASIEST = ("T1w", "T2w", "FLAIR", "T1ce")
"""Of which scan the anatomy is taken: lesions show least in the first."""

EVERY = 4
"""Every how many slices displacement is measured."""


@dataclass(frozen=True)
class Score:
    """One set of scans, made or real.

    Attributes
    ----------
    patient : str
        Whose anatomy it is.
    lesion : str
        Whose lesion label was painted.
    kind : str
        :data:`MADE` or :data:`REAL`.
    dice : mapping of str to (float or None)
        Of the segmenter against the label, by class and for the whole ``lesion``; nothing was filtered.
    published : float or None
        The published measure (class numbers, slice by slice).
    structure_f1 : mapping of str to float
        By contrast: how well its own map agrees with the given one, lesion left out; empty for real scans.
    apart_mean, apart_most : mapping of str to float
        ``T1w-FLAIR`` and so on: mean and greatest in-plane shift of the slices, in voxels.
    """

    patient: str
    lesion: str
    kind: str
    dice: Mapping[str, float | None]
    published: float | None
    structure_f1: Mapping[str, float]
    apart_mean: Mapping[str, float]
    apart_most: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Pictured:
    """The slice of a patient with most lesion, (A, R) each: real and made contrasts, map and label."""

    patient: str
    real: Mapping[str, NDArray[np.float32]]
    made: Mapping[str, NDArray[np.float32]]
    labels: NDArray[Any]
    structure: NDArray[Any]


@dataclass(frozen=True, eq=False)
class _Patient:
    name: str
    volumes: Mapping[str, Volume]
    labels: LabelVolume
    anatomy: Anatomy


def measuring(
    maker: LesionMaker, judge: LesionCheck, classes: LabelSet, folders: Sequence[Path], *, root: Path
) -> Generator[Progress, None, tuple[list[Score], list[Pictured], list[tuple[str, str]]]]:
    """Make scans of every patient's anatomy with its own lesion, and with the others' on its grid.

    What a label marks outside the anatomy's brain is left out. Nothing is drawn again, nothing filtered.

    Parameters
    ----------
    maker : LesionMaker
    judge : LesionCheck
        The segmenter.
    classes : LabelSet
        The disease.
    folders : sequence of Path
        One per patient, none of whom either model has learnt from.
    root : Path
        Patients are named by their path below it.

    Returns
    -------
    scores : list of Score
    pictured : list of Pictured
        One per patient.
    skipped : list of (patient, reason)

    Raises
    ------
    InputError
        If no patient has all contrasts and a lesion label.
    """
    clock = Stopwatch()
    patients, skipped = [], []
    for folder in folders:
        name = name_below(root, folder)
        yield clock.at(0.0, f"Reading {name}")
        try:
            patients.append(_read(name, folder, maker))
        except MrsynthError as error:
            skipped.append((name, str(error)))
    if not patients:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped)
        raise InputError(f"No lesion could be painted: {reasons}")
    scores: list[Score] = []
    pictured: list[Pictured] = []
    pairs = [(one, other) for one in patients for other in patients]
    for done, (patient, other) in enumerate(pairs):
        yield clock.at(done / len(pairs), f"{patient.name} with the lesion of {other.name}")
        own = patient is other
        if not own and patient.labels.grid.mismatch(other.labels.grid) is not None:
            continue
        inside = replace(other.labels, array=other.labels.array * patient.anatomy.brain.array)
        try:
            painted = paint_on(inside, classes, patient.anatomy)
        except LabelError as error:
            skipped.append((f"{patient.name} with the lesion of {other.name}", error.message))
            continue
        made = ended(maker.run(patient.anatomy, painted, maker.contrasts))
        brain, labels = patient.anatomy.brain, painted.labels
        check = ended(judge.run(made.outputs, labels, brain))
        scores.append(_score(patient, other.name, MADE, check, made.outputs, structure_f1=made.structure_f1))
        if own:
            check = ended(judge.run(patient.volumes, labels, brain))
            scores.append(_score(patient, other.name, REAL, check, patient.volumes))
            pictured.append(_pictured(patient, made.outputs, labels))
    return scores, pictured, skipped


def _read(name: str, folder: Path, maker: LesionMaker) -> _Patient:
    files = read_patient(folder)
    there = {volume.contrast: volume for volume in files.volumes}
    missing = [contrast for contrast in maker.contrasts if contrast not in there]
    if missing:
        raise InputError(f"it has no {', '.join(missing)}")
    if files.lesions is None:
        raise InputError("it has no lesion label")
    volumes = {contrast: there[contrast] for contrast in maker.contrasts}
    source = next(contrast for contrast in (*EASIEST, *maker.contrasts) if contrast in volumes)
    scan = volumes[source]
    for contrast, volume in volumes.items():
        reason = scan.grid.mismatch(volume.grid)
        if reason is not None:
            raise InputError(f"its {contrast} is not on the grid of its {source}: {reason}")
    labels, _, _ = labels_on(scan.grid, source, files.lesions, "lesion label")
    anatomy = patient_anatomy(scan, maker.spacing_mm, name=name, lesions=labels)
    return _Patient(name, volumes, labels, anatomy)


def _score(
    patient: _Patient,
    lesion: str,
    kind: str,
    check: Check,
    volumes: Mapping[str, Volume],
    structure_f1: Mapping[str, float] | None = None,
) -> Score:
    grid = patient.anatomy.grid
    brain = np.asarray(grid.as_display(patient.anatomy.brain.array)).astype(bool)
    mean, most = {}, {}
    for one, other in combinations(volumes, 2):
        found = shifts(
            np.asarray(volumes[one].display), np.asarray(volumes[other].display), brain, every=EVERY
        )
        lengths = np.hypot(*found.T)
        mean[f"{one}-{other}"] = float(lengths.mean()) if lengths.size else float("nan")
        most[f"{one}-{other}"] = float(lengths.max()) if lengths.size else float("nan")
    return Score(
        patient.name, lesion, kind, check.dice, check.published, dict(structure_f1 or {}), mean, most
    )


def _pictured(patient: _Patient, made: Mapping[str, Volume], labels: LabelVolume) -> Pictured:
    marked = np.asarray(labels.display)
    plane = int((marked > 0).sum(axis=(1, 2)).argmax())
    structure = np.asarray(patient.anatomy.structure_map().display)[plane]

    def cut(volumes: Mapping[str, Volume]) -> dict[str, NDArray[np.float32]]:
        return {name: np.asarray(volumes[name].display[plane], dtype=np.float32) for name in made}

    return Pictured(patient.name, cut(patient.volumes), cut(made), marked[plane], structure)
