"""What the intensities at and around a voxel say of the other contrasts, blind to place and shape.

A small regression, like the random forests of REPLICA (Jog et al., Medical Image Analysis 35, 2017), learns
in a minute what a U-Net takes hours for, and errs little on a patient unlike the others. The U-Net then only
adds what place and shape tell beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_mrsynth.networks.blocks import plain_conv3

SQUARES = (5, 9, 17)
"""Sides, in pixels, of the squares whose means tell of a voxel's surroundings."""


class VoxelwiseEncoder(nn.Module):
    """One contrast's intensities at and around each voxel to a few numbers, to be added over contrasts.

    Parameters
    ----------
    in_channels : int
        Slices seen at once, an odd number; the middle one is described.
    channels : int
        Numbers per voxel.
    hidden : int
        Channels between.
    """

    def __init__(self, in_channels: int, channels: int, hidden: int = 64) -> None:
        super().__init__()
        self.first = plain_conv3(in_channels + len(SQUARES), hidden, 0.1)
        self.act = nn.LeakyReLU(0.1, inplace=True)
        self.second = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W), 0 outside the brain, to (B, channels, H, W)."""
        encoded: Tensor = self.second(self.act(self.first(with_surroundings(x))))
        return encoded

    def of_patches(self, patches: Tensor) -> Tensor:
        """Map 3x3 pixels of :func:`with_surroundings`, (N, maps, 3, 3), to (1, channels, N, 1)."""
        first = nn.functional.linear(patches.flatten(1), self.first.weight.flatten(1), self.first.bias)
        encoded: Tensor = self.second(self.act(first).T[None, :, :, None])
        return encoded


class VoxelwiseDecoder(nn.Module):
    """The sum of the present contrasts' numbers to every output, as float32.

    What is far from zero, the bias, is added in float32 whatever the rest works in: the eight bits of
    bfloat16 then divide the differences from it, which are small.

    Parameters
    ----------
    channels : int
        Numbers per voxel.
    outputs : int
        Number of contrasts made.
    hidden : int
        Channels between.
    """

    def __init__(self, channels: int, outputs: int, hidden: int = 64) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.LeakyReLU(0.1),
            nn.Conv2d(channels, hidden, 1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(hidden, hidden, 1),
            nn.LeakyReLU(0.1, inplace=True),
        )
        self.out = nn.Conv2d(hidden, outputs, 1)
        nn.init.constant_(self.out.bias, 1.0)  # type: ignore[arg-type]

    def forward(self, total: Tensor) -> Tensor:
        """Map (B, channels, H, W) to (B, outputs, H, W), float32."""
        return self.of_voxels(total.movedim(1, -1)).movedim(-1, 1)

    def of_voxels(self, total: Tensor) -> Tensor:
        """Map (..., channels) to (..., outputs), float32."""
        features = total
        for layer in self.body:
            features = _pointwise(layer, features) if isinstance(layer, nn.Conv2d) else layer(features)
        with torch.autocast(total.device.type, enabled=False):
            differences = nn.functional.linear(features, self.out.weight[:, :, 0, 0].to(features))
            out: Tensor = differences.float() + self.out.bias.float()  # type: ignore[union-attr]
        return out

    def within(self, total: Tensor, mask: Tensor) -> Tensor:
        """Map packed sums (B, 4 channels, H/2, W/2) to (B, outputs, H, W), float32, working in a mask only.

        The same as :meth:`forward` of the unpacked sums, which are 0 outside `mask`, (B, 1, H/2, W/2).
        """
        batch, channels, height, width = total.shape
        rows = total.movedim(1, -1).flatten(0, 2)
        found = mask.flatten().nonzero()[:, 0]
        cells = torch.cat([total.new_zeros(1, channels), rows.index_select(0, found)])  # first, an empty one
        made = self.of_voxels(cells.unflatten(1, (-1, 4)).transpose(1, 2).flatten(0, 1))
        answers = made.unflatten(0, (-1, 4)).transpose(1, 2).flatten(1)
        packed = answers[0].repeat(len(rows), 1)
        packed[found] = answers[1:]
        return nn.functional.pixel_shuffle(packed.view(batch, height, width, -1).movedim(-1, 1), 2)


def _pointwise(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Apply a convolution of one pixel to (..., channels): of single voxels, several times as fast."""
    return nn.functional.linear(x, conv.weight[:, :, 0, 0], conv.bias)


def with_surroundings(x: Tensor) -> Tensor:
    """Append to slices (B, C, H, W) the means over squares around every pixel of the middle one.

    Beyond the edges lie zeros, as outside the brain.
    """
    middle = x.shape[1] // 2
    row = x[:, middle : middle + 1].float()
    along = _sums(row, -1, SQUARES)
    squares = [_sums(sums, -2, [side])[0] / side**2 for sums, side in zip(along, SQUARES, strict=True)]
    return torch.cat([x, *(square.to(x) for square in squares)], dim=1)


def _sums(x: Tensor, dim: int, sides: Sequence[int]) -> list[Tensor]:
    """Return sums along an axis over centred windows of each side, ascending: a power of two and one more.

    Sums of two make sums of four, those make sums of eight: a handful of additions instead of a pooling,
    and the same bits wherever the edges are.
    """
    size, reach = x.shape[dim], sides[-1] // 2
    edge = [0, 0] * (-dim - 1) + [reach, reach]
    padded = nn.functional.pad(x, edge)
    sums, running, width = [], padded, 1
    for side in sides:
        while width < side - 1:
            length = running.shape[dim] - width
            running = running.narrow(dim, 0, length) + running.narrow(dim, width, length)
            width *= 2
        start = reach - side // 2
        sums.append(running.narrow(dim, start, size) + padded.narrow(dim, start + width, size))
    return sums
