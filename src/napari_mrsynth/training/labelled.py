"""Training with lesion labels: crops that carry them, centred on lesions as often as is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import InputError
from napari_mrsynth.systems.training_system import TrainingSystem
from napari_mrsynth.training.artefacts import Artefacts
from napari_mrsynth.training.config import TrainConfig
from napari_mrsynth.training.crops import Crops, usable_slices
from napari_mrsynth.training.module import Loop
from napari_mrsynth.training.prepared import Prepared
from napari_mrsynth.training.validation import HeldOutCheck


class LabelledCrops(Crops):
    """Crops whose contrasts are followed by an indicator, 0 or 1, for each lesion class.

    Parameters
    ----------
    patients : sequence of Prepared
        With lesion labels.
    classes : sequence of int
        Their numbers, in the order of the indicators.
    focus : float
        Share of the crops centred on a lesion voxel, drawn evenly over the patient's slices with a lesion.
    least : float
        The other crops are of slices that show at least this share of their patient's largest slice's brain.
    count, crop, neighbours, seed, artefacts
        As for :class:`Crops`.
    """

    def __init__(
        self,
        patients: Sequence[Prepared],
        count: int,
        crop: int,
        neighbours: int,
        seed: int,
        artefacts: Artefacts | None = None,
        *,
        classes: Sequence[int],
        focus: float,
        least: float = 0.0,
    ) -> None:
        super().__init__(patients, count, crop, neighbours, seed, artefacts)
        self.classes, self.focus = tuple(classes), focus
        self._slices = [usable_slices(patient, least) for patient in self.patients]
        self._lesions = [lesions_of(patient, self.classes) for patient in self.patients]
        self._marked = [np.flatnonzero(lesions.any(axis=(1, 2))) for lesions in self._lesions]

    def place(self, rng: np.random.Generator, which: int) -> tuple[int, NDArray[np.intp]]:
        """Return a slice of a patient, and the voxel of it that a crop is centred on."""
        if rng.random() >= self.focus or not len(self._marked[which]):
            return super().place(rng, which)
        plane = int(rng.choice(self._marked[which]))
        lesion = np.argwhere(self._lesions[which][plane])
        return plane, lesion[int(rng.integers(len(lesion)))]

    def channels(self, which: int, where: tuple[NDArray[np.intp], slice, slice]) -> NDArray[np.float32]:
        """Return the contrasts and then the classes' indicators, (contrast + class, planes, H, W)."""
        lesions = self._lesions[which][where]
        marks = np.stack([lesions == value for value in self.classes]).astype(np.float32)
        return np.concatenate([super().channels(which, where), marks])


class LabelledLoop(Loop):
    """A loop over labelled crops, for a system with ``classes`` and ``focus``.

    Patients without labels are left out.

    Raises
    ------
    InputError
        If no patient has labels, or a label map has a class that the system does not know.
    """

    def __init__(
        self, system: TrainingSystem[Any], config: TrainConfig, patients: Sequence[Prepared]
    ) -> None:
        labelled = [patient for patient in patients if patient.lesions is not None]
        if not labelled:
            raise InputError(
                "None of the patients has lesion labels.",
                hint="A label map lies beside the scans, its name ending in “seg”; see data.only too.",
            )
        for patient in labelled:
            lesions_of(patient, system.classes)
        super().__init__(system, config, labelled)

    def check(self, patients: Sequence[Prepared], folder: Path) -> HeldOutCheck:
        """Return what watches the overlap on held-out patients."""
        from napari_mrsynth.training.overlap import OverlapCheck

        return OverlapCheck(patients, self.config, folder)

    def crops(self, count: int) -> Crops:
        """Return the first `count` crops of the training."""
        return self.crops_of(self.patients, count)

    def crops_of(self, patients: Sequence[Prepared], count: int) -> LabelledCrops:
        """Return the first `count` crops of a training on these patients alone."""
        return LabelledCrops(
            patients,
            count,
            self.config.optim.crop,
            self.system.neighbours,
            self.config.seed,
            self.artefacts,
            classes=self.system.classes,
            focus=self.system.focus,
            least=self.system.least,
        )


def lesions_of(patient: Prepared, classes: Sequence[int]) -> NDArray[np.uint8]:
    """Return a patient's lesion classes, (S, A, R) uint8.

    Raises
    ------
    InputError
        If the patient has no labels, or a class that is not among `classes`.
    """
    if patient.lesions is None:
        raise InputError(
            f"{patient.subject} has no lesion labels.", hint="Leave the patient out, or add a label map."
        )
    unknown = sorted(set(np.unique(patient.lesions).tolist()) - {0, *classes})
    if unknown:
        raise InputError(
            f"The labels of {patient.subject} have the class {unknown[0]}; the network knows "
            f"{', '.join(map(str, classes))}.",
            hint="Choose patients of one disease with data.only, or list the class in network.classes.",
        )
    return patient.lesions
