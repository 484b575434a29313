"""What a fine-tuning keeps aside to judge itself by: a patient, or slices of the only one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import InputError
from napari_mrsynth.preprocess.likeness import KnownScans
from napari_mrsynth.training.prepared import Prepared, SomeSlices

BLOCK, EVERY = 8, 4
"""With one patient, of every four blocks of eight slices the last one is kept aside.

In a small brain the blocks are smaller, in one of thick slices larger.
"""

MEASURED_SLICES = 24
"""At most so many slices of what is kept aside are synthesised, spread evenly."""


@dataclass(frozen=True)
class Aside:
    """Patients to learn from, and one on some slices of whom the result is measured.

    Invariant: no slice is on both sides, nor next to one of the other side as far as the network sees.

    Attributes
    ----------
    learn : tuple of Prepared
    judge : Prepared
    planes : ndarray of int, shape (n,)
        Axial slices of `judge` that are measured.
    by_slices : bool
        Whether `judge` is also learnt from, on other slices: its error then flatters.
    """

    learn: tuple[Prepared, ...]
    judge: Prepared
    planes: NDArray[np.intp]
    by_slices: bool = False

    @property
    def words(self) -> str:
        """Say what is kept aside."""
        if self.by_slices:
            return (
                f"every fourth block of slices of {self.judge.subject}, the only patient: "
                "their error says little about other patients"
            )
        return f"the patient {self.judge.subject}"


def keep_aside(patients: Sequence[Prepared], learnt: Sequence[Mapping[str, Any]], neighbours: int) -> Aside:
    """Keep the last patient aside whom the parent model has not learnt from, or slices of the only one.

    Parameters
    ----------
    patients : sequence of Prepared
        All with the same contrasts, in the order they were given.
    learnt : sequence of mapping
        Whom the parent model learnt from, as its card says.
    neighbours : int
        Slices that the network sees on each side.

    Raises
    ------
    InputError
        If two of them share a scan or are sessions of one person, or the only one has too few slices.
    """
    _refuse_shared(patients)
    if len(patients) == 1:
        return _by_slices(patients[0], neighbours)
    unseen = [patient for patient in patients if not was_seen(patient, learnt)]
    judge = (unseen or list(patients))[-1]
    brain = np.flatnonzero(judge.mask.any(axis=(1, 2)))
    return Aside(tuple(p for p in patients if p is not judge), judge, _spread(brain))


def was_seen(patient: Prepared, learnt: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a model learnt from a patient: known by the scans' hashes, or by what scans saved anew show."""
    record = patient.record()
    whole = any(record["sha256"] == subject["sha256"] for subject in learnt)
    return whole or KnownScans.of(learnt).find(record) is not None


def _refuse_shared(patients: Sequence[Prepared]) -> None:
    """Refuse two patients with a scan in common, or of one person: one might judge what the other taught."""
    for place, patient in enumerate(patients):
        found = KnownScans.of(earlier.record() for earlier in patients[:place]).find(patient.record())
        if found is not None:
            raise InputError(
                f"The {found[0]} of {patient.subject} is also a scan of {found[1]}.",
                hint="Give each patient once.",
            )
        for other in patients[:place]:
            if other.person == patient.person:
                raise InputError(
                    f"{other.subject} and {patient.subject} are sessions of one person: one would judge what "
                    "was learnt from the other.",
                    hint="Give one session of each person.",
                )


def _by_slices(patient: Prepared, neighbours: int) -> Aside:
    brain = np.flatnonzero(patient.mask.any(axis=(1, 2)))
    # All that is seen with a slice on either side, and what was interpolated from the same acquired ones:
    # two planes share one up to twice its thickness apart.
    gap = 2 * neighbours + math.ceil(2 * patient.meta["slices_mm"] / patient.meta["spacing_mm"])
    block = max(1, min(max(BLOCK, gap), len(brain) // (2 * EVERY)))
    kept = brain[np.arange(len(brain)) // block % EVERY == EVERY - 1]
    learnt = np.setdiff1d(brain, kept[:, None] + np.arange(-gap, gap + 1))
    if not kept.size or not learnt.size:
        raise InputError(
            f"{patient.subject} has {len(brain)} slices with brain: too few to keep some aside.",
            hint="Give more than one patient.",
        )
    return Aside((SomeSlices.of(patient, learnt),), patient, _spread(kept), by_slices=True)


def _spread(planes: NDArray[np.intp]) -> NDArray[np.intp]:
    count = min(len(planes), MEASURED_SLICES)
    return planes[np.linspace(0, len(planes) - 1, count).round().astype(np.intp)]
