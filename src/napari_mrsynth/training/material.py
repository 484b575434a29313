"""The patients of a training, prepared: learnt from, held out, and left out with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_mrsynth.errors import ConfigError, InputError
from napari_mrsynth.preprocess.likeness import KnownScans
from napari_mrsynth.progress import ProgressCallback
from napari_mrsynth.training.config import DataConfig
from napari_mrsynth.training.prepared import Prepared, prepare_all
from napari_mrsynth.training.subjects import Split, Subject, find_subjects, split_subjects

_LOOK = "See what each of them has with `mrsynth study FOLDER`."


@dataclass(frozen=True)
class Material:
    """Prepared patients; no scan is on both sides.

    Attributes
    ----------
    patients, held_out : tuple of Prepared
        To learn from, and to measure on.
    skipped : tuple of (id, reason)
        Who could not be used, and why.
    """

    patients: tuple[Prepared, ...]
    held_out: tuple[Prepared, ...]
    skipped: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        learnt = KnownScans.of(patient.record() for patient in self.patients)
        for patient in self.held_out:
            found = learnt.find(patient.record())
            if found is not None:
                raise InputError(
                    f"The {found[0]} of {patient.subject}, who is held out, is also a scan of "
                    f"{found[1]}, who is learnt from.",
                    hint="One patient lies in two folders: remove one, or hold both out.",
                )

    def records(self) -> dict[str, Any]:
        """Return who is on which side, by id and hashes, as plain data."""
        return {
            "train": [patient.record() for patient in self.patients],
            "held_out": [patient.record() for patient in self.held_out],
            "skipped": [{"id": name, "reason": reason} for name, reason in self.skipped],
        }

    def spread(self, contrasts: Sequence[str]) -> list[float]:
        """Return each contrast's mean standard deviation inside the brain, over the patients learnt from."""
        totals = [0.0] * len(contrasts)
        for patient in self.patients:
            for index, contrast in enumerate(contrasts):
                totals[index] += float(patient.volume(contrast)[patient.mask].std()) / len(self.patients)
        return totals


def gather(data: DataConfig, report: ProgressCallback | None = None) -> Material:
    """Find, split and prepare the patients of a configuration.

    Parameters
    ----------
    data : DataConfig
    report : callable, optional
        Told how far the preparation is.

    Raises
    ------
    InputError
        If nobody is there to learn from, nobody of those held out can be used, or a scan is on both sides.
    ConfigError
        If the patients cannot be split as asked.
    OutputError
        If prepared patients cannot be kept.
    """
    subjects = find_subjects(data)
    split = split_subjects(subjects, data)  # refused before anybody is prepared
    if not split.train:
        raise InputError(
            "Everybody is held out: nobody is left to learn from.",
            hint="Take patients out of data.held_out.",
        )
    prepared, skipped = prepare_all(subjects, data, report)
    here = {patient.subject: patient for patient in prepared}
    learnable = subjects if data.folds > 1 else split.train
    if not any(subject.id in here for subject in learnable):
        raise InputError(f"No patient can be used: {_reasons(learnable, skipped)}", hint=_LOOK)
    if data.folds > 1:  # only who can be used is dealt: a fold of nobody could not be measured
        split = _dealt([subject for subject in subjects if subject.id in here], data, skipped)
    patients = tuple(here[s.id] for s in split.train if s.id in here)
    held_out = tuple(here[s.id] for s in split.held_out if s.id in here)
    if split.held_out and not held_out:
        raise InputError(
            f"No patient of those held out can be used: {_reasons(split.held_out, skipped)}", hint=_LOOK
        )
    return Material(patients, held_out, tuple(skipped))


def _dealt(usable: Sequence[Subject], data: DataConfig, skipped: Sequence[tuple[str, str]]) -> Split:
    """Deal those who can be used into folds; where they are too few, name who cannot be and why."""
    try:
        return split_subjects(usable, data)
    except ConfigError as error:
        left_out = "; ".join(f"{name}: {reason}" for name, reason in skipped)
        raise ConfigError(f"{error.message} Left out: {left_out}", hint=error.hint) from error


def _reasons(side: Sequence[Subject], skipped: Sequence[tuple[str, str]]) -> str:
    names = {subject.id for subject in side}
    return "; ".join(f"{name}: {reason}" for name, reason in skipped if name in names)


def changed_patients(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """List who was added, removed, moved to the other side or scanned anew since :meth:`Material.records`."""
    found = set()
    for side in ("train", "held_out"):
        before = {(r["id"], r["sha256"]) for r in earlier.get(side, ())}
        after = {(r["id"], r["sha256"]) for r in now.get(side, ())}
        found |= {name for name, _ in before ^ after}
    return sorted(found)
