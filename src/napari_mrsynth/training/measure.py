"""The error of a network on patients it has not learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING

from napari_mrsynth.evaluation import normalised_mse
from napari_mrsynth.training.prepared import Prepared
from napari_mrsynth.training.registry import predictor_of

if TYPE_CHECKING:
    from torch import nn

Pair = tuple[tuple[str, ...], str]


def nmse_table(
    system: str, network: nn.Module, patients: Sequence[Prepared], wanted: Sequence[Pair] = ()
) -> dict[str, dict[str, float]]:
    """Measure a network's normalised mean squared error inside the brain.

    Parameters
    ----------
    system : str
        Whose network it is.
    network : nn.Module
        Left as it is: a copy of it is measured.
    patients : sequence of Prepared
    wanted : sequence of (subset, target)
        What to synthesise; by default every target from every subset of the other inputs, or from all inputs
        where the network needs them.

    Returns
    -------
    dict
        ``T1w+T2w>FLAIR`` -> patient -> error; both images are divided by their own mean over the brain.
    """
    from napari_mrsynth.training.heldout import needs_all, pairs, synthesise

    predictor = predictor_of(system, deepcopy(network).float())
    wanted = wanted or pairs(predictor.inputs, predictor.outputs, needs_all=needs_all(network))
    table: dict[str, dict[str, float]] = {name_of(pair): {} for pair in wanted}
    for patient in patients:
        for pair, made in synthesise(predictor, patient, wanted).items():
            inside, real = (
                image[patient.mask].astype("float64") for image in (made, patient.volume(pair[1]))
            )
            error = normalised_mse(inside, real, (float(inside.mean()), float(real.mean())))
            table[name_of(pair)][patient.subject] = error
    return table


def name_of(pair: Pair) -> str:
    """Write a (subset, target) as ``T1w+T2w>FLAIR``."""
    return f"{'+'.join(pair[0])}>{pair[1]}"
