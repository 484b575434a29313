"""Random geometry and intensities for training batches, on whole tensors, from one generator.

Geometry moves every contrast, the mask and the target alike. Intensities change the inputs only: a model then
learns that two scanners' images of one brain ask for the same answer.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

from napari_mrsynth.training.config import AugmentConfig


def move(slices: Tensor, mask: Tensor, config: AugmentConfig, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mirror, turn and zoom a batch.

    Parameters
    ----------
    slices : Tensor, (B, contrast, planes, H, W)
    mask : Tensor of bool, (B, H, W)
    config : AugmentConfig
    rng : torch.Generator
        On the processor.

    Returns
    -------
    slices, mask
        Same shapes.
    """
    batch = slices.shape[0]
    mirrored = torch.rand(batch, generator=rng) < config.flip
    turned = torch.rand(batch, generator=rng) < config.turn
    angle = (2 * torch.rand(batch, generator=rng) - 1) * math.radians(config.degrees)
    zoom = 1 + (2 * torch.rand(batch, generator=rng) - 1) * config.zoom
    where = mirrored.to(slices.device)
    slices = torch.where(where[:, None, None, None, None], slices.flip(-1), slices)
    mask = torch.where(where[:, None, None], mask.flip(-1), mask)
    if not bool(turned.any()):
        return slices, mask
    chosen = turned.nonzero()[:, 0]
    cos, sin = torch.cos(angle[chosen]) * zoom[chosen], torch.sin(angle[chosen]) * zoom[chosen]
    nothing = torch.zeros_like(cos)
    theta = torch.stack([cos, -sin, nothing, sin, cos, nothing], dim=1).view(-1, 2, 3).to(slices)
    flat = slices[chosen].flatten(1, 2)
    grid = affine_grid(theta, list(flat.shape), align_corners=False)
    slices, mask = slices.clone(), mask.clone()
    slices[chosen] = grid_sample(flat, grid, align_corners=False).view_as(slices[chosen])
    inside = grid_sample(mask[chosen, None].to(flat), grid, align_corners=False)[:, 0]
    mask[chosen] = inside > 0.999
    return slices, mask


def repaint(x: Tensor, config: AugmentConfig, rng: torch.Generator) -> Tensor:
    """Change the intensities of one contrast's slices as another scanner might.

    Parameters
    ----------
    x : Tensor, (B, planes, H, W)
        Foreground mean about 1, background 0.
    config : AugmentConfig
    rng : torch.Generator

    Returns
    -------
    Tensor
        Same shape; background still 0.
    """

    def draw(size: float) -> Tensor:
        return ((2 * torch.rand(len(x), 1, 1, 1, generator=rng) - 1) * size).to(x)

    painted = x.clamp(min=0) ** draw(config.gamma).exp()
    painted = 1 + (painted - 1) * draw(config.contrast).exp()
    knots = torch.randn(len(x), 1, 3, 3, generator=rng).to(x) * config.bias
    field = interpolate(knots, size=x.shape[-2:], mode="bicubic", align_corners=True)
    painted = painted * field.exp()
    noise = torch.randn(x.shape, generator=rng).to(x)
    painted = painted + noise * draw(config.noise).abs()
    chosen = (torch.rand(len(x), 1, 1, 1, generator=rng) < config.intensity).to(x.device)
    return torch.where(chosen & (x != 0), painted, x)
