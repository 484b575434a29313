"""A trained network becomes a bundle; its card is filled in from the run, never typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mrsynth import __version__
from napari_mrsynth.bundles import Card, save_bundle
from napari_mrsynth.training.config import TrainConfig
from napari_mrsynth.training.prepared import Prepared

if TYPE_CHECKING:
    from torch import nn


def export_bundle(
    folder: Path,
    network: nn.Module,
    config: TrainConfig,
    patients: Sequence[Prepared],
    results: Mapping[str, Any],
    steps: int,
) -> Path:
    """Write a network and its card.

    Parameters
    ----------
    folder : Path
        The bundle's folder; replaced where it exists.
    network : nn.Module
        With ``inputs``, ``outputs``, ``neighbours``.
    config : TrainConfig
        Of the run.
    patients : sequence of Prepared
        The ones it learnt from.
    results : mapping
        Held-out figures.
    steps : int
        Optimiser steps taken.

    Returns
    -------
    Path
        `folder`.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    card = Card(
        id=config.card.id,
        title=config.card.title,
        summary=config.card.summary,
        system=config.system,
        network=dict(config.network),
        inputs=tuple(network.inputs),  # type: ignore[arg-type]
        outputs=tuple(network.outputs),  # type: ignore[arg-type]
        spacing_mm=config.data.spacing_mm,
        neighbours=int(network.neighbours),  # type: ignore[arg-type]
        normalisation={"method": config.data.normalisation},
        training={
            "software": f"napari-mrsynth {__version__}",
            "seed": config.seed,
            "steps": steps,
            "batch": config.optim.batch,
            "subjects": [patient.record() for patient in patients],
        },
        results=dict(results),
        licence=config.card.licence,
        data_licences=config.card.data_licences,
        citation=config.card.citation,
        limits=config.card.limits,
    )
    save_bundle(folder, card, state)
    return folder
