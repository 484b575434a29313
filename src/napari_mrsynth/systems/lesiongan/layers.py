"""The layers that the generators and critics of this system are built from. Tensors are (B, C, H, W)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import gcd

from torch import nn

SLOPE = 0.2
"""Of every leaky ReLU here."""


def unit(before: int, after: int, *, stride: int = 1, groups: int | None = 8) -> list[nn.Module]:
    """Return a 3x3 convolution, a normalisation and a leaky ReLU.

    Parameters
    ----------
    before, after : int
        Channels.
    stride : int
    groups : int or None
        Channel groups that are normalised together, as many of them as divide `after`; 0 for each channel by
        itself (instance normalisation); None for no normalisation.
    """
    norm = [] if groups is None else [nn.GroupNorm(gcd(groups, after) if groups else after, after)]
    return [nn.Conv2d(before, after, 3, stride, padding=1), *norm, nn.LeakyReLU(SLOPE)]


def down(channels: int, widths: Sequence[int], depth: int = 1, groups: int | None = 8) -> list[nn.Module]:
    """Return levels of `depth` units, each at half the resolution of the one before."""
    layers = unit(channels, widths[0], groups=groups)
    layers += _further(widths[0], depth - 1, groups)
    for before, after in pairwise(widths):
        layers += unit(before, after, stride=2, groups=groups) + _further(after, depth - 1, groups)
    return layers


def up(widths: Sequence[int], depth: int, channels: int, groups: int | None = 8) -> list[nn.Module]:
    """Return the way back from the last of `widths` to `channels`, which are neither normalised nor bent."""
    layers = _further(widths[-1], depth, groups)
    for before, after in pairwise(reversed(widths)):
        layers += [nn.Upsample(scale_factor=2, mode="nearest"), *unit(before, after, groups=groups)]
        layers += _further(after, depth - 1, groups)
    return [*layers, nn.Conv2d(widths[0], channels, 3, padding=1)]


def start(network: nn.Module, initial: str = "he") -> None:
    """Give every convolution and dense layer its first weights; biases start from zero.

    Parameters
    ----------
    network : nn.Module
    initial : ``he`` or ``mean``
        He's normal distribution; or, as published, every kernel the mean of what it sees. Equal kernels get
        equal gradients: the channels of a layer begin alike and stay alike.

    Raises
    ------
    ValueError
        For another `initial`.
    """
    if initial not in ("he", "mean"):
        raise ValueError(f"initial {initial!r} is neither 'he' nor 'mean'")
    for module in network.modules():
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        if initial == "mean" and isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
        else:
            nn.init.kaiming_normal_(module.weight, a=SLOPE)
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]


def _further(width: int, count: int, groups: int | None) -> list[nn.Module]:
    return [layer for _ in range(count) for layer in unit(width, width, groups=groups)]
