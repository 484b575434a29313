"""Fusing the latents of the present contrasts, element by element.

``max`` is the fusion of Joyce et al. 2017; ``max-mean-spread`` stacks the maximum, the mean and the mean
absolute deviation along the channels. Of one or two latents these three repeat themselves: the maximum of one
is its mean, that of two is their mean and deviation added. What repeats can be left out
(:func:`fuse_briefly`), and the convolutions that read them add up their kernels instead (:func:`read`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor, nn

PARTS = {"max": 1, "mean": 1, "max-mean-spread": 3}
"""How many latents' worth of channels each fusion gives."""


class Fused(NamedTuple):
    """A latent, of one contrast or fused, in parts, which saves copies of the whole.

    Attributes
    ----------
    shared : Tensor, (B, channels, H, W)
        What contrasts share of their latents, briefly fused.
    total : Tensor, (B, numbers, H, W)
        What the voxelwise regression needs, summed.
    inside : Tensor, (B, 1, H, W)
        1 where any latent is there, 0 elsewhere; of shared's dtype.
    """

    shared: Tensor
    total: Tensor
    inside: Tensor


def parts_of(fusion: str) -> int:
    """Return how many latents' worth of channels a fusion gives.

    Raises
    ------
    ValueError
        If there is no such fusion.
    """
    if fusion not in PARTS:
        raise ValueError(f"fusion {fusion!r} is none of {', '.join(PARTS)}")
    return PARTS[fusion]


def fuse(latents: Sequence[Tensor], fusion: str) -> Tensor:
    """Fuse latents, each (B, C, H, W), to (B, C parts, H, W)."""
    if len(latents) == 1 and PARTS[fusion] == 1:
        return latents[0]
    if fusion == "max":
        return reduce(torch.maximum, latents)
    mean = total(latents) / len(latents)
    if fusion == "mean":
        return mean
    spread = total([(z - mean).abs() for z in latents]) / len(latents)
    return torch.cat([reduce(torch.maximum, latents), mean, spread], dim=1)


def fuse_briefly(latents: Sequence[Tensor], fusion: str) -> Tensor:
    """Fuse latents, each (B, C, H, W), to what :func:`read` reads as :func:`fuse`'s: C to 3 C channels."""
    if fusion == "max-mean-spread" and len(latents) == 1:
        return latents[0]
    if fusion == "max-mean-spread" and len(latents) == 2:
        one, other = latents
        return torch.cat([torch.lerp(one, other, 0.5), (one - other).abs_().mul_(0.5)], dim=1)
    return fuse(latents, fusion)


def fuse_parts(latents: Sequence[Fused], fusion: str) -> Fused:
    """Fuse latents in parts, what they share briefly."""
    shared = fuse_briefly([z.shared for z in latents], fusion)
    present = reduce(torch.maximum, [z.inside for z in latents])
    return Fused(shared, total([z.total for z in latents]), present)


def read(conv: nn.Conv2d, fused: Tensor) -> Tensor:
    """Apply a convolution over :func:`fuse`'s channels to them, or to :func:`fuse_briefly`'s."""
    if fused.shape[1] == conv.in_channels:
        whole: Tensor = conv(fused)
        return whole
    most, mean, spread = conv.weight.chunk(3, dim=1)
    weight = most + mean
    if fused.shape[1] > weight.shape[1]:
        weight = torch.cat([weight, most + spread], dim=1)
    return nn.functional.conv2d(fused, weight, conv.bias, padding=conv.padding)


def inside(latent: Tensor) -> Tensor:
    """Return (B, 1, H, W): 1 where a latent is not zero in all channels, else 0; of its dtype."""
    return (latent.detach().abs().sum(dim=1, keepdim=True) != 0).to(latent)


def total(parts: Sequence[Tensor]) -> Tensor:
    """Return the sum of tensors of one shape."""
    return reduce(torch.add, parts)
