"""Real patients whose anatomy goes into a data set, without their own lesions, and the maps of these."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from napari_mrsynth.datasets.recipe import Recipe
from napari_mrsynth.errors import InputError, MrsynthError
from napari_mrsynth.generation import Anatomy, patient_anatomy
from napari_mrsynth.io.naming import stem_of
from napari_mrsynth.io.patient import PatientFiles
from napari_mrsynth.lesions import LabelSet, LesionLibrary, conform, label_set
from napari_mrsynth.training.config import DataConfig
from napari_mrsynth.training.subjects import Subject, find_subjects

KEPT = 8
"""How many patients' anatomies a process keeps in memory."""


@dataclass(frozen=True)
class Usable:
    """Patients whose anatomy can be used, and those who were left out.

    Attributes
    ----------
    subjects : tuple of Subject
    known : tuple of mapping
        ``id`` and ``volumes`` (fingerprints by contrast) of each.
    skipped : tuple of (id, reason)
    maps : tuple of str
        Files of the lesion labels of those who can be used, below the folder of patients.
    """

    subjects: tuple[Subject, ...]
    known: tuple[dict[str, Any], ...]
    skipped: tuple[tuple[str, str], ...]
    maps: tuple[str, ...] = ()


def usable_patients(root: Path, contrast: str, classes: LabelSet, only: str = "") -> Usable:
    """Look for patients with a contrast and lesion labels of a disease; never those of a split ``test``.

    Without labels the edges of a patient's own lesions could not be taken out.

    Parameters
    ----------
    root : Path
        Folder of patients; a table ``subjects.tsv`` may say who is ``train``.
    contrast : str
    classes : LabelSet
    only : str
        Pattern of their ids; empty for all.

    Raises
    ------
    InputError
        If nobody can be used, with the reasons.
    """
    subjects = [s for s in find_subjects(DataConfig(str(root))) if fnmatchcase(s.id, only or "*")]
    used, known, skipped, maps = [], [], [], []
    for subject in subjects:
        try:
            files = _read(subject, contrast, classes)
        except MrsynthError as error:
            skipped.append((subject.id, error.message))
            continue
        used.append(subject)
        prints = {str(volume.contrast): volume.fingerprint for volume in files.volumes}
        known.append({"id": subject.id, "volumes": prints})
        labels = files.lesions.source.path if files.lesions is not None else None
        if labels is not None:
            maps.append(os.path.relpath(labels, root.expanduser()))
    if not used:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped[:3])
        raise InputError(
            f"No patient of {root} can give anatomy ({reasons or 'nobody is called so'}).",
            hint=f"They need {contrast} and lesion labels with {classes.described()}.",
        )
    return Usable(tuple(used), tuple(known), tuple(skipped), tuple(maps))


class PatientsLesions(LesionLibrary):
    """The lesion maps of patients: of those that were chosen alone, and none of their scans.

    Parameters
    ----------
    root : Path
        Folder of patients.
    maps : sequence of str
        Their label files below it.
    classes : LabelSet

    Raises
    ------
    LabelError
        If none of them is a lesion map of this disease any more.
    """

    def __init__(self, root: Path, maps: Sequence[str], classes: LabelSet) -> None:
        self._maps = tuple(maps)
        super().__init__(root, classes)

    def _found(self) -> dict[str, Path]:
        """Return the files under the names that they would have in a folder of maps."""
        below = sorted(Path(name) for name in self._maps)
        return {str(path.with_name(stem_of(path))): self.folder / path for path in below}


def library_of(recipe: Recipe) -> LesionLibrary:
    """Open the lesion maps that a recipe draws from.

    Raises
    ------
    LabelError
        If there is no usable one.
    """
    classes = label_set(recipe.disease)
    if recipe.maps:
        return PatientsLesions(Path(recipe.data), recipe.maps, classes)
    return LesionLibrary(Path(recipe.labels), classes)


class LostError(InputError):
    """Scans that a data set is made from are there no longer: no fault of what was drawn."""


class Patients:
    """The patients of a recipe, read when they are drawn.

    Parameters
    ----------
    recipe : Recipe
        Of the anatomy ``patients``.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.read = lru_cache(KEPT)(self._read)

    def draw(self, seed: int, spacing_mm: float) -> Anatomy:
        """Draw one of them; the same seed draws the same.

        Raises
        ------
        LostError
            If the patient's scans cannot be read any more.
        InputError
            If they show no brain.
        """
        number = int(np.random.default_rng(seed).integers(len(self.recipe.patients)))
        return self.read(number, spacing_mm)

    def _read(self, number: int, spacing_mm: float) -> Anatomy:
        from napari_mrsynth.preprocess.study import build_study

        name, contrast = self.recipe.patients[number], self.recipe.structure_from
        subject = Subject(name, Path(self.recipe.data) / name)
        try:
            files = _read(subject, contrast, label_set(self.recipe.disease))
        except MrsynthError as error:
            raise LostError(
                f"{name} could be read before and no longer can: {error.message}",
                hint=f"Bring {self.recipe.data} back and start again: what is made is kept.",
            ) from error
        study = build_study(
            files.volumes, name=name, reference=contrast, mask=files.mask, lesions=files.lesions
        )
        if study.mask is None:
            raise InputError(f"{name} shows no brain.")
        made = patient_anatomy(
            study.volume(contrast), spacing_mm, name=name, brain=study.mask, lesions=study.lesions
        )
        return replace(made, record={**made.record, "patient": name})


def _read(subject: Subject, contrast: str, classes: LabelSet) -> PatientFiles:
    """Read a patient who has the contrast and the labels, without scans of unknown contrast."""
    from napari_mrsynth.io import read_patient

    files = read_patient(subject.folder)
    named = tuple(volume for volume in files.volumes if volume.contrast is not None)
    if contrast not in [volume.contrast for volume in named]:
        raise InputError(f"{subject.id} has no {contrast}.")
    if files.lesions is None:
        raise InputError(f"{subject.id} has no lesion labels.")
    return replace(files, volumes=named, lesions=conform(files.lesions, classes))
