"""Synthesis of prepared patients, for measuring a training: every subset of inputs, every other contrast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mrsynth.systems import Predictor
from napari_mrsynth.training.prepared import Prepared

if TYPE_CHECKING:
    from torch import nn


def pairs(
    inputs: Sequence[str], outputs: Sequence[str], *, needs_all: bool = False
) -> list[tuple[tuple[str, ...], str]]:
    """List every (subset, target): all non-empty subsets of the inputs other than the target.

    Where all inputs are needed, only every other contrast from all of them.
    """
    if needs_all:
        return [(tuple(inputs), target) for target in outputs if target not in inputs]
    found = []
    for target in outputs:
        others = [contrast for contrast in inputs if contrast != target]
        for size in range(1, len(others) + 1):
            found += [(subset, target) for subset in combinations(others, size)]
    return found


def needs_all(network: nn.Module) -> bool:
    """Whether a network makes nothing from a subset of its inputs."""
    return bool(getattr(network, "needs_all", False))


def synthesise(
    predictor: Predictor,
    patient: Prepared,
    requests: Sequence[tuple[tuple[str, ...], str]],
    batch: int = 8,
    planes: NDArray[np.intp] | None = None,
) -> dict[tuple[tuple[str, ...], str], NDArray[np.float32]]:
    """Synthesise a prepared patient for several (subset, target) requests, encoding each input once.

    Parameters
    ----------
    predictor : Predictor
    patient : Prepared
    requests : sequence of (subset, target)
    batch : int
        Slices at a time.
    planes : ndarray of int, shape (n,), optional
        The axial slices to make; by default all that show brain.

    Returns
    -------
    dict of request to ndarray, (S, A, R) float32
        Normalised units, 0 outside the brain and on the other slices.
    """
    depth, height, width = patient.mask.shape
    made = {request: np.zeros((depth, height, width), np.float32) for request in requests}
    subsets: dict[tuple[str, ...], list[str]] = {}
    for subset, target in requests:
        subsets.setdefault(subset, []).append(target)
    used = sorted({contrast for subset in subsets for contrast in subset})
    wanted = np.flatnonzero(patient.mask.any(axis=(1, 2))) if planes is None else planes
    for some, stacks in _batches(patient, used, wanted, predictor, batch):
        latents = {c: predictor.encode(c, torch.from_numpy(stack)) for c, stack in stacks.items()}
        for subset, targets in subsets.items():
            decoded = predictor.decode({c: latents[c] for c in subset}, targets)
            for target in targets:
                image = decoded[target].cpu().numpy()[:, :height, :width]
                made[subset, target][some] = image * patient.mask[some]
    return made


def _batches(
    patient: Prepared,
    contrasts: Sequence[str],
    wanted: NDArray[np.intp],
    predictor: Predictor,
    batch: int,
) -> Iterator[tuple[NDArray[np.intp], dict[str, NDArray[np.float32]]]]:
    neighbours = predictor.neighbours
    pad = [(0, -size % predictor.multiple) for size in patient.mask.shape[1:]]
    for start in range(0, len(wanted), batch):
        planes = wanted[start : start + batch]
        around = planes[:, None] + np.arange(-neighbours, neighbours + 1)
        around = np.clip(around, 0, len(patient.mask) - 1)
        stacks = {}
        for contrast in contrasts:
            volume = patient.volumes[patient.contrasts.index(contrast)]
            stacks[contrast] = np.pad(volume[around].astype(np.float32), ((0, 0), (0, 0), *pad))
        yield planes, stacks
