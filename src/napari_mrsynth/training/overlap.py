"""A segmenter measured on patients it has not learnt from: Dice per class, while it learns and at the end."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mrsynth.errors import InputError
from napari_mrsynth.systems.segmenter.overlap import dice, label_value_dice
from napari_mrsynth.systems.segmenter.predictor import SegmenterPredictor
from napari_mrsynth.training.config import TrainConfig
from napari_mrsynth.training.prepared import Prepared
from napari_mrsynth.training.validation import HeldOutCheck

if TYPE_CHECKING:
    from torch import nn

Table = dict[str, dict[str, float]]


def measure_overlap(network: nn.Module, patients: Sequence[Prepared]) -> dict[str, Any]:
    """Segment patients and compare with what experts drew.

    Parameters
    ----------
    network : SegmenterNetwork
        Left as it is: a copy of it is measured.
    patients : sequence of Prepared
        Those without labels, and slices without brain in the mask, are left out.

    Returns
    -------
    dict
        ``dice``: class -> patient -> figure, where either map has the class; ``label_value_dice``: patient
        -> the published measure, to stand beside published figures only.
    """
    copied = deepcopy(network).float()
    predictor = SegmenterPredictor(copied, str(next(copied.parameters()).device))  # type: ignore[arg-type]
    table: Table = {name: {} for name in (*predictor.network.outputs, "lesion")}
    published: dict[str, float] = {}
    for patient in patients:
        if patient.lesions is None:
            continue
        planes = np.flatnonzero(patient.mask.any(axis=(1, 2)))
        volumes = {name: patient.volume(name) for name in predictor.inputs}
        found = predictor.segment_volume(volumes, planes=planes)[planes]
        drawn = np.where(patient.mask, patient.lesions, 0)[planes]
        for name, figure in dice(found, drawn, predictor.classes).items():
            if figure is not None:
                table[name][patient.subject] = figure
        whole = label_value_dice(found, drawn)
        if whole is not None:
            published[patient.subject] = whole
    return {"dice": table, "label_value_dice": published}


class OverlapCheck(HeldOutCheck):
    """Watches a segmenter: its error is one minus the mean Dice. It draws no pictures."""

    figure = "dice_error"

    def __init__(self, patients: Sequence[Prepared], config: TrainConfig, folder: Path) -> None:
        super().__init__(patients, config, folder)
        if all(patient.lesions is None for patient in self.patients):
            raise InputError(
                "No patient that is held out has a lesion label: there is nothing to watch the training by.",
                hint="Hold out one who has, or set validation.every=0.",
            )

    def errors(self, network: nn.Module) -> dict[str, float]:
        """Return one minus the mean Dice over the patients of each class."""
        table: Table = measure_overlap(network, self.patients)["dice"]
        return {name: 1 - float(np.mean(list(each.values()))) for name, each in table.items() if each}

    def draw(self, path: Path, network: nn.Module, step: int, error: float) -> None:
        """Draw nothing: the figures say more than one slice of labels."""
