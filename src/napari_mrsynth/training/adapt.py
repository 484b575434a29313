"""Let parts of a trained network learn from a few prepared patients, with the project's training loop."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.progress import ProgressCallback
from napari_mrsynth.training.config import AugmentConfig, DataConfig, OptimConfig, RunConfig, TrainConfig
from napari_mrsynth.training.prepared import Prepared
from napari_mrsynth.training.transfer import Transfer

if TYPE_CHECKING:
    from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork

Pair = tuple[tuple[str, ...], str]

_SLOWER = "Give a lower --rate, or look for a damaged scan. Nothing was written."


@dataclass(frozen=True)
class Pace:
    """How long and how fast is learnt.

    Attributes
    ----------
    steps, batch, crop : int
        Optimiser steps, crops per step, and the crops' side in voxels.
    lr : float
        Learning rate at its highest; it falls along a cosine.
    seed : int
    threads : int
        Processor threads; 0 leaves torch's choice.
    """

    steps: int = 200
    batch: int = 8
    crop: int = 96
    lr: float = 5e-4
    seed: int = 0
    threads: int = 0


def adapt(
    transfer: Transfer,
    learn: Sequence[Prepared],
    pace: Pace,
    folder: Path,
    report: ProgressCallback | None = None,
) -> AnySubsetNetwork:
    """Train what may learn, on the contrasts that the patients have, and return the averaged network.

    Parameters
    ----------
    transfer : Transfer
        Its network is taken over.
    learn : sequence of Prepared
        All with the same contrasts.
    pace : Pace
    folder : Path
        For logs and checkpoints.
    report : callable, optional
        Told the progress; what it raises ends the training.

    Raises
    ------
    DivergedError
        If the loss becomes NaN or infinite.
    KeyboardInterrupt
        If the user stops it.
    """
    import lightning

    from napari_mrsynth.systems.anysubset.adaptation import Adaptation
    from napari_mrsynth.training.checkpoints import DivergedError
    from napari_mrsynth.training.loop import Loop, fit

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
    lightning.seed_everything(pace.seed, verbose=False)
    contrasts = learn[0].contrasts
    system = Adaptation(
        transfer.network,
        contrasts,
        spread_of(learn, contrasts),
        transfer.parts,
        wanted=transfer.added_outputs,
        through=transfer.added_inputs,
    )
    loop = Loop(system, _config(transfer, contrasts, pace, folder), learn)
    try:
        fit(loop, folder, report, resume=False)
    except DivergedError as error:
        raise DivergedError(error.message, hint=_SLOWER) from error
    network: AnySubsetNetwork = loop.best_network  # type: ignore[assignment]
    return network


def spread_of(patients: Sequence[Prepared], contrasts: Sequence[str]) -> list[float]:
    """Return each contrast's mean standard deviation inside the brain."""
    return [float(np.mean([p.volume(c)[p.mask].std() for p in patients])) for c in contrasts]


def errors(
    network: AnySubsetNetwork, patient: Prepared, pairs: Sequence[Pair], planes: NDArray[np.intp]
) -> dict[Pair, float]:
    """Return the normalised mean squared error of every pair over the brain on some slices.

    Both images are divided by their own mean there; infinite where one has none above 0.
    """
    from napari_mrsynth.evaluation import normalised_mse
    from napari_mrsynth.systems.anysubset.predictor import AnySubsetPredictor
    from napari_mrsynth.training.heldout import synthesise

    inside = np.zeros_like(patient.mask)
    inside[planes] = patient.mask[planes]
    found = {}
    for pair, made in synthesise(
        AnySubsetPredictor(deepcopy(network)), patient, pairs, planes=planes
    ).items():
        pred, truth = made[inside].astype(np.float64), patient.volume(pair[1])[inside].astype(np.float64)
        error = normalised_mse(pred, truth, (float(pred.mean()), float(truth.mean())))
        found[pair] = error if math.isfinite(error) else math.inf
    return found


def _config(transfer: Transfer, contrasts: tuple[str, ...], pace: Pace, folder: Path) -> TrainConfig:
    return TrainConfig(
        system="anysubset",
        data=DataConfig(root="", contrasts=contrasts),
        network=transfer.spec,
        augment=AugmentConfig(flip=0.5, turn=0.3, intensity=0.0),
        optim=OptimConfig(
            steps=pace.steps,
            batch=pace.batch,
            crop=pace.crop,
            lr=pace.lr,
            weight_decay=0.0,
            warmup=min(10, pace.steps),
            ema=0.9,
        ),
        run=RunConfig(
            folder=str(folder),
            checkpoint_every=pace.steps,
            log_every=max(1, min(10, pace.steps // 10)),
            threads=pace.threads,
        ),
        seed=pace.seed,
    )
