"""The spatial transformer that brings every latent to the first (Jaderberg 2015; Joyce 2017, figure 3).

The published code fixes the image size and maps its sampling grid one voxel too far, so that its "identity"
moves the image. Here the size is free (adaptive pooling before the dense layers), and both halves of the
sampler use the same convention, so that the transformer is an exact identity until it has learnt better.
Packed latents are estimated from as they are and resampled voxel by voxel: between packed cells only shifts
by whole cells would be right.

Beside the published one, which learns an affine from the synthesis alone, stands one that turns and shifts
only, and can also learn from motions that are known because they were made in training
(:meth:`SpatialTransformer.inconsistency`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample, pixel_shuffle, pixel_unshuffle

DEGREES, VOXELS = 8.0, 4.0
"""Largest turn and largest shift of the motions that :meth:`SpatialTransformer.inconsistency` makes."""


class SpatialTransformer(nn.Module):
    """Estimate a 2D motion from two latents and resample the second onto the first.

    Parameters
    ----------
    latent : int
        Channels of each latent, as it is given.
    packed : int
        Voxels along each side of a cell whose voxels lie in the channels; 1 where none do.
    kind : str
        ``affine``: the paper's. ``rigid``: a turn and a shift, estimated with nonlinear layers.

    Raises
    ------
    ValueError
        If the kind is neither.
    """

    pooled = (7, 5)

    def __init__(self, latent: int = 16, packed: int = 1, kind: str = "affine") -> None:
        super().__init__()
        if kind not in ("affine", "rigid"):
            raise ValueError(f"aligner {kind!r} is neither 'affine' nor 'rigid'")
        self.packed, self.kind = packed, kind
        self.localise = nn.Sequential(
            *(_published(2 * latent) if kind == "affine" else _nonlinear(2 * latent)),
            nn.AdaptiveAvgPool2d(self.pooled),
            nn.Flatten(),
            nn.Linear(8 * self.pooled[0] * self.pooled[1], 50),
            nn.ReLU(inplace=True),
        )
        identity = [1.0, 0, 0, 0, 1, 0] if kind == "affine" else [0.0, 0, 0]
        self.to_affine = nn.Linear(50, len(identity))
        nn.init.zeros_(self.to_affine.weight)
        with torch.no_grad():
            self.to_affine.bias.copy_(torch.tensor(identity))

    def affine(self, first: Tensor, other: Tensor) -> Tensor:
        """Return the (B, 2, 3) affine that samples `other` where `first` is, in [-1, 1] coordinates."""
        theta: Tensor = self.to_affine(self.localise(torch.cat([first, other], dim=1)))
        return theta.view(-1, 2, 3) if self.kind == "affine" else rigid(theta, other.shape[-2:])

    def forward(self, first: Tensor, other: Tensor) -> Tensor:
        """Return `other`, (B, latent, H, W), resampled onto `first`.

        In float32 whatever the rest does: bfloat16 places a voxel no better than to a fifth of one.
        """
        with torch.autocast(other.device.type, enabled=False):
            return self._sampled(other, self.affine(first.float(), other.float()))

    def inconsistency(self, first: Tensor, other: Tensor, rng: torch.Generator) -> Tensor:
        """Return by how many voxels, on average, the answer misses a motion that is known.

        Both latents, each (B, latent, H, W), are moved by rigid motions drawn from `rng`. Whatever lay
        between them before, the answer must follow: where `first` is sampled by F and `other` by O, an
        estimate A must become O⁻¹ A F. Only the transformer learns from it, not what made the latents.
        Where they truly match is left to the synthesis. An affine could agree with every motion by
        shrinking all to a point, therefore it is for the rigid kind.
        """
        with torch.autocast(other.device.type, enabled=False):
            first, other = first.detach().float(), other.detach().float()
            size = other.shape[-2:]
            of_first, of_other = (
                random_motion(len(other), size, self.packed, rng).to(other) for _ in range(2)
            )
            before = self.affine(first, other)
            after = self.affine(self._sampled(first, of_first), self._sampled(other, of_other))
            missed = (_square(of_other) @ _square(after) - _square(before) @ _square(of_first))[:, :2]
            half = missed.new_tensor([size[1], size[0]])[:, None] * self.packed / 2
            squared = (missed * half).square()
            # The mean over a square of side 2 of what an affine leaves of each point.
            return (squared[:, :, :2].sum(dim=(1, 2)) / 3 + squared[:, :, 2].sum(dim=1) + 1e-6).sqrt().mean()

    def _sampled(self, latent: Tensor, affine: Tensor) -> Tensor:
        voxels = pixel_shuffle(latent.float(), self.packed)
        grid = affine_grid(affine, list(voxels.shape), align_corners=False)
        moved = grid_sample(voxels, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return pixel_unshuffle(moved, self.packed).to(latent)


def rigid(theta: Tensor, size: tuple[int, ...] | torch.Size) -> Tensor:
    """Return (B, 2, 3) affines, in [-1, 1] coordinates, of turns and shifts over an image of `size` (H, W).

    `theta`, (B, 3): radians, and shifts along a row and along a column in half image sides.
    """
    aspect = size[1] / size[0]
    cos, sin = torch.cos(theta[:, 0]), torch.sin(theta[:, 0])
    return torch.stack([cos, -sin / aspect, theta[:, 1], sin * aspect, cos, theta[:, 2]], dim=1).view(
        -1, 2, 3
    )


def random_motion(
    count: int, size: tuple[int, ...] | torch.Size, packed: int, rng: torch.Generator
) -> Tensor:
    """Draw (count, 2, 3) rigid motions within :data:`DEGREES` and :data:`VOXELS`; `size` is in cells."""
    drawn = 2 * torch.rand(count, 3, generator=rng) - 1
    most = torch.tensor(
        [math.radians(DEGREES), *(2 * VOXELS / (side * packed) for side in (size[1], size[0]))]
    )
    return rigid(drawn * most, size)


def _square(affine: Tensor) -> Tensor:
    return torch.cat([affine, affine.new_tensor([0.0, 0, 1]).expand(len(affine), 1, 3)], dim=1)


def _published(channels: int) -> tuple[nn.Module, ...]:
    return (
        nn.MaxPool2d(2),
        nn.Conv2d(channels, 8, 5, padding=2),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 5, padding=2),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 5, padding=2),
    )


def _nonlinear(channels: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(channels, 32, 3, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(32, 32, 3, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(32, 8, 1),
    )
