"""Fitting the voxelwise regression before the network's training: on voxels of every patient, in a minute.

A training batch is a few slices of a few patients; a regression of intensities wants voxels of all of them at
once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import pad

from napari_mrsynth.progress import Progress, ProgressCallback
from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork
from napari_mrsynth.systems.anysubset.voxelwise import with_surroundings
from napari_mrsynth.systems.training_system import Scans

VOXELS, SLICES, BATCH, RATE, DECAY = 30_000, 40, 2048, 2e-3, 1e-3
"""Voxels and slices taken of each patient; the optimiser's batch, highest rate and weight decay."""

MOST_VOXELS = 100 * VOXELS
"""Of all patients together: they are held in memory."""


def is_voxelwise(name: str) -> bool:
    """Whether a network's tensor of this name belongs to its voxelwise regression."""
    return "voxelwise" in name


def voxelwise_parameters(network: AnySubsetNetwork) -> list[Parameter]:
    """Return what a network's voxelwise regression learns."""
    return [parameter for name, parameter in network.named_parameters() if is_voxelwise(name)]


def fit_voxelwise(
    network: AnySubsetNetwork,
    patients: Sequence[Scans],
    scale: Tensor,
    *,
    steps: int,
    seed: int,
    report: ProgressCallback | None = None,
) -> None:
    """Fit the voxelwise parts of a network to random subsets of inputs, by squared error; the rest stays.

    Parameters
    ----------
    network : AnySubsetNetwork
        With a voxelwise regression; changed in place.
    patients : sequence of Scans
        With every input and output of the network.
    scale : Tensor, (outputs,)
        The unit of each output's error.
    steps : int
        Of the optimiser.
    seed : int
        Of the voxels and subsets drawn.
    report : callable, optional
        Told how far the fit is; the training itself is at its beginning.
    """
    rng = torch.Generator().manual_seed(seed)
    patches, truth = _voxels(network, patients, rng)
    learnt = voxelwise_parameters(network)
    asked = [parameter.requires_grad for parameter in learnt]
    for parameter in learnt:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(learnt, RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        if report is not None and step % max(1, steps // 20) == 0:
            report(Progress(0.0, f"fitting the voxelwise regression, step {step} of {steps}"))
        chosen = torch.randint(len(truth), (BATCH,), generator=rng)
        cost = _cost(network, patches[chosen].float(), truth[chosen], scale, rng)
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
        schedule.step()
    for parameter, wanted in zip(learnt, asked, strict=True):
        parameter.requires_grad_(wanted)
        parameter.grad = None


def _cost(
    network: AnySubsetNetwork, patches: Tensor, truth: Tensor, scale: Tensor, rng: torch.Generator
) -> Tensor:
    """Return the squared error of what random subsets of each size say of the other outputs."""
    codes = [
        network.voxelwise_of(contrast, patches[:, place]) for place, contrast in enumerate(network.inputs)
    ]
    total = torch.zeros(())
    for size in (1, *range(1, len(codes) + 1)):
        subset = torch.randperm(len(codes), generator=rng)[:size].tolist()
        given = {network.inputs[place] for place in subset}
        asked = [place for place, contrast in enumerate(network.outputs) if contrast not in given]
        if asked:
            made = network.voxelwise_made(torch.stack([codes[place] for place in subset]).sum(dim=0))
            total = total + ((made - truth) / scale)[:, asked].square().mean()
    return total


def _voxels(
    network: AnySubsetNetwork, patients: Sequence[Scans], rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw brain voxels: patches (N, inputs, maps, 3, 3) as float16, and their outputs (N, outputs)."""
    patches, truth = [], []
    each = min(VOXELS, MOST_VOXELS // len(patients))
    for patient in patients:
        shown = np.flatnonzero(patient.mask.any(axis=(1, 2)))
        planes = shown[torch.randperm(len(shown), generator=rng)[:SLICES].numpy()]
        for plane in planes:
            inside = np.flatnonzero(patient.mask[plane])
            count = min(len(inside), -(-each // len(planes)))
            rows, columns = np.unravel_index(
                inside[torch.randperm(len(inside), generator=rng)[:count].numpy()], patient.mask.shape[1:]
            )
            maps = torch.stack([_maps(patient.volume(c), plane, network.neighbours) for c in network.inputs])
            around = pad(maps, (1, 1, 1, 1))
            near = [around[..., rows + i, columns + j] for i in range(3) for j in range(3)]
            patches.append(torch.stack(near, dim=-1).movedim(2, 0).unflatten(-1, (3, 3)).half())
            outputs = [patient.volume(c)[plane, rows, columns].astype(np.float32) for c in network.outputs]
            truth.append(torch.from_numpy(np.stack(outputs, axis=1)))
    return torch.cat(patches), torch.cat(truth)


def _maps(volume: NDArray[np.floating], plane: int, neighbours: int) -> Tensor:
    """Return what the network sees of one slice of a contrast, (maps, A, R)."""
    around = np.clip(np.arange(plane - neighbours, plane + neighbours + 1), 0, len(volume) - 1)
    slices = torch.from_numpy(volume[around].astype(np.float32))
    return with_surroundings((slices * (slices[neighbours] != 0))[None])[0]
