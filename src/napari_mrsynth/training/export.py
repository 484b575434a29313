"""A trained network becomes a bundle; its card is filled in from the run, never typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mrsynth import __version__
from napari_mrsynth.bundles import Card, save_bundle
from napari_mrsynth.training.config import TrainConfig
from napari_mrsynth.training.prepared import Prepared
from napari_mrsynth.training.start import Start

if TYPE_CHECKING:
    from torch import Tensor, nn

LARGEST_FLOAT32_BYTES = 1_000_000
"""Weights that would be larger as float32 are stored as float16."""


def stored_state(network: nn.Module, largest: int = LARGEST_FLOAT32_BYTES) -> tuple[dict[str, Tensor], str]:
    """Return a network's tensors as a bundle stores them, and the name of the weights' type.

    Only kernels (floating point, two or more axes) become float16; biases, normalisations and whole numbers
    cost next to nothing and stay exact. Loading them into a float32 network casts them back.

    Parameters
    ----------
    network : nn.Module
    largest : int
        Bytes of floating-point tensors from which on float16 is used.

    Returns
    -------
    state : dict of str to Tensor
        On the CPU, contiguous.
    dtype : str
        ``float32`` or ``float16``.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    if sum(4 * tensor.numel() for tensor in state.values() if tensor.is_floating_point()) <= largest:
        return state, "float32"
    halved = {
        name: tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor
        for name, tensor in state.items()
    }
    return halved, "float16"


def export_bundle(
    folder: Path,
    network: nn.Module,
    config: TrainConfig,
    patients: Sequence[Prepared],
    results: Mapping[str, Any],
    steps: int,
    start: Start | None = None,
    held_out: Sequence[Prepared] = (),
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
    start : Start, optional
        The bundle it started from: named on the card, its patients and their licences kept there.
    held_out : sequence of Prepared
        Whose figures `results` has, by their ids.

    Returns
    -------
    Path
        `folder`.
    """
    state, weights_dtype = stored_state(network)
    named = config.card.name_patients
    subjects: list[Mapping[str, Any]] = [p.record() if named else p.nameless() for p in patients]
    licences = config.card.data_licences
    if start is not None:
        subjects = start.with_subjects(subjects)
        licences = tuple(dict.fromkeys((*start.data_licences, *licences)))
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
            **({"parent": start.parent} if start is not None else {}),
            "seed": config.seed,
            "steps": steps,
            "batch": config.optim.batch,
            "weights_dtype": weights_dtype,
            "subjects": subjects,
        },
        results=dict(
            results if named else _renamed(results, {p.subject: p.nameless()["id"] for p in held_out})
        ),
        licence=config.card.licence,
        data_licences=licences,
        citation=config.card.citation,
        limits=config.card.limits,
    )
    save_bundle(folder, card, state)
    return folder


def _renamed(results: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return held-out figures with other names for patients."""
    return {
        names.get(key, key): _renamed(value, names) if isinstance(value, Mapping) else value
        for key, value in results.items()
    }
