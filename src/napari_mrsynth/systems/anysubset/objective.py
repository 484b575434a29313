"""What the any-subset network is trained for: the paper's three terms, and a squared one beside them.

Joyce 2017, section 4: the cost is the mean absolute error of the fused decoding, plus that of each latent
decoded by itself, plus the voxel-wise variance across the latents; all weights are 1 in the authors' code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_mrsynth.systems.anysubset.fusion import total


@dataclass(frozen=True)
class Objective:
    """Weights and schedule of the cost.

    Attributes
    ----------
    absolute, squared : float
        Weights of the absolute and the squared error; the paper's are 1 and 0.
    variance : float
        Weight of the voxel-wise variance across the present latents; the paper's is 1.
    individual : float
        Weight of the decodings of single latents, relative to fused ones; the paper's is 1.
    equivariance : float
        Weight of the voxels by which a rigid spatial transformer misses known motions; 0 in the paper.
    subsets : str
        ``all``: every step fuses all inputs of the target (the paper's training).
        ``random``: every step draws a subset of each size, so that fusion is trained on what it will meet.
    brain_only : bool
        Whether errors are counted inside the brain only.
    balanced : bool
        Whether each contrast's error is measured in its own standard deviation over the training patients.
    voxelwise_steps : int
        Steps of the voxelwise regression's own fit, before the training and instead of learning in it.
    """

    absolute: float = 1.0
    squared: float = 0.0
    variance: float = 1.0
    individual: float = 1.0
    equivariance: float = 0.0
    subsets: str = "all"
    brain_only: bool = False
    balanced: bool = False
    voxelwise_steps: int = 0

    def __post_init__(self) -> None:
        if self.subsets not in ("all", "random"):
            raise ValueError(f"subsets is {self.subsets!r}, which is neither 'all' nor 'random'")

    def error(self, made: Tensor, truth: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
        """Return the weighted absolute and squared error.

        Parameters
        ----------
        made, truth : Tensor, (B, contrast, H, W)
        weight : Tensor, broadcastable to them
            0 where an error does not count.
        scale : Tensor, (contrast,)
            The unit errors are measured in.
        """
        off = (made - truth) / scale[:, None, None]
        cost = self.absolute * off.abs() + self.squared * off.square()
        total: Tensor = (cost * weight).sum() / (weight.expand_as(cost).sum() + 1e-6)
        return total


def latent_variance(latents: Sequence[Tensor]) -> Tensor:
    """Return the mean voxel-wise population variance across latents, each (B, C, H, W); 0 for one.

    Deviations from a mean sum to zero, and so do their gradients in it: none is taken through it.
    """
    if len(latents) < 2:
        return torch.zeros((), device=latents[0].device)
    mean = total([z.detach() for z in latents]) / len(latents)
    return total([nn.functional.mse_loss(z, mean) for z in latents]) / len(latents)
