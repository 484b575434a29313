"""The spatial transformer that brings every latent to the first (Jaderberg 2015; Joyce 2017, figure 3).

The published code fixes the image size and maps its sampling grid one voxel too far, so that its "identity"
moves the image. Here the size is free (adaptive pooling before the dense layers), and both halves of the
sampler use the same convention, so that the transformer is an exact identity until it has learnt better.
Packed latents are estimated from as they are and resampled voxel by voxel: between packed cells only shifts
by whole cells would be right.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample, pixel_shuffle, pixel_unshuffle


class SpatialTransformer(nn.Module):
    """Estimate a 2D affine from two latents and resample the second onto the first.

    Parameters
    ----------
    latent : int
        Channels of each latent, as it is given.
    packed : int
        Voxels along each side of a cell whose voxels lie in the channels; 1 where none do.
    """

    pooled = (7, 5)

    def __init__(self, latent: int = 16, packed: int = 1) -> None:
        super().__init__()
        self.packed = packed
        self.localise = nn.Sequential(
            nn.MaxPool2d(2),
            nn.Conv2d(2 * latent, 8, 5, padding=2),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 5, padding=2),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 5, padding=2),
            nn.AdaptiveAvgPool2d(self.pooled),
            nn.Flatten(),
            nn.Linear(8 * self.pooled[0] * self.pooled[1], 50),
            nn.ReLU(inplace=True),
        )
        self.to_affine = nn.Linear(50, 6)
        nn.init.zeros_(self.to_affine.weight)
        with torch.no_grad():
            self.to_affine.bias.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))

    def affine(self, first: Tensor, other: Tensor) -> Tensor:
        """Return the (B, 2, 3) affine that samples `other` where `first` is, in [-1, 1] coordinates."""
        theta: Tensor = self.to_affine(self.localise(torch.cat([first, other], dim=1)))
        return theta.view(-1, 2, 3)

    def forward(self, first: Tensor, other: Tensor) -> Tensor:
        """Return `other`, (B, latent, H, W), resampled onto `first`.

        In float32 whatever the rest does: bfloat16 places a voxel no better than to a fifth of one.
        """
        with torch.autocast(other.device.type, enabled=False):
            voxels = pixel_shuffle(other.float(), self.packed)
            affine = self.affine(first.float(), other.float())
            grid = affine_grid(affine, list(voxels.shape), align_corners=False)
            moved = grid_sample(voxels, grid, mode="bilinear", padding_mode="border", align_corners=False)
            return pixel_unshuffle(moved, self.packed).to(other)
