"""Residual parts that go beyond the published ones: deeper, packed two by two, blind to the background."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from napari_mrsynth.networks.blocks import ResidualBlock, conv3, plain_conv3
from napari_mrsynth.systems.anysubset.fusion import Fused, inside, read
from napari_mrsynth.systems.anysubset.voxelwise import VoxelwiseDecoder, VoxelwiseEncoder


class ResidualUNet(nn.Module):
    """A U-Net of residual blocks on images packed by space-to-depth, blind to what lies outside a mask.

    Packing 2x2 pixels into channels halves the resolution without losing a voxel, so that the costly
    convolutions run on a quarter of the pixels: on a processor, most of the speed of this network. Features
    outside the mask are zero at every level, as the zeros around an image are: what is computed inside does
    not depend on how much background is computed with it.

    Parameters
    ----------
    in_channels, out_channels : int
        Of the packed image, at 1/2 of the resolution.
    widths : sequence of int
        Channels at 1/2, 1/4, 1/8 ... of the resolution.
    blocks : int
        Residual blocks per level on the way down, and on the way up.
    norm : bool
        Whether the blocks are batch-normalised.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int],
        blocks: int = 1,
        *,
        norm: bool = False,
    ) -> None:
        super().__init__()
        slope = 0.1
        self.multiple = 2 ** len(widths)
        # Many channels (a fused latent) are first reduced pointwise: a 3x3 kernel on all of them costs most.
        wide = in_channels > 2 * widths[0]
        self.stem = nn.Conv2d(in_channels, widths[0], 1) if wide else plain_conv3(in_channels, widths[0])
        levels = list(pairwise(widths))
        self.down = nn.ModuleList(_residuals(w, blocks, slope, norm) for w in widths)
        self.shrink = nn.ModuleList(conv3(w, v) for w, v in levels)
        self.merge = nn.ModuleList(conv3(w + v, w) for w, v in levels)
        self.up = nn.ModuleList(_residuals(w, blocks, slope, norm) for w, _ in levels)
        self.act = nn.LeakyReLU(slope)
        self.out = plain_conv3(widths[0], out_channels)
        # A short way leads past every U-Net of this system; at first it carries most of what comes out.
        self.out.weight.data.mul_(0.1)
        self.pool = nn.MaxPool2d(2)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map (B, in_channels, H/2, W/2) to (B, out_channels, H/2, W/2); H, W multiples of `multiple`.

        `mask`, (B, 1, H/2, W/2) of 0 and 1 in x's dtype, says where features live; the output is not masked.
        """
        masks = [mask]
        for _ in self.shrink:
            masks.append(self.pool(masks[-1]))
        x = read(self.stem, x) * mask
        skips = []
        for level, blocks in enumerate(self.down):
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, masks[level])
            if level < len(self.shrink):
                skips.append(x)
                x = self.shrink[level](self.pool(x)) * masks[level + 1]
        for level in reversed(range(len(self.up))):
            x = self.merge[level](torch.cat([skips[level], self.upsample(x)], dim=1)) * masks[level]
            for block in self.up[level]:  # type: ignore[attr-defined]
                x = block(x, masks[level])
        out: Tensor = self.out(self.act(x))
        return out


class ResidualEncoder(nn.Module):
    """One contrast's slices to the shared latent, kept packed: (B, 4 (latent + voxelwise), H/2, W/2).

    The packed latent is the (B, latent, H, W) one with 2x2 pixels in the channels; fusing it element by
    element is fusing voxel by voxel. It is zero in every 2x2 cell that holds no voxel of the input. Fine
    detail takes a short way beside the U-Net, through two convolutions at full resolution, which treat all
    pixels alike. What a voxelwise regression needs comes last.

    Parameters
    ----------
    in_channels : int
        Slices seen at once.
    latent : int
        Channels of the shared latent, unpacked.
    widths, blocks, norm
        Of the :class:`ResidualUNet`.
    features : int
        At full resolution, before it.
    voxelwise : int
        Numbers per voxel for a voxelwise regression; 0 for none.
    """

    margin = 0

    def __init__(
        self,
        in_channels: int,
        latent: int,
        widths: Sequence[int],
        blocks: int = 1,
        *,
        features: int = 8,
        norm: bool = False,
        voxelwise: int = 0,
    ) -> None:
        super().__init__()
        self.fine = conv3(in_channels, features, 0.1)
        self.detail = nn.Conv2d(features, latent, 1)
        self.pack = nn.PixelUnshuffle(2)
        self.trunk = ResidualUNet(4 * features, 4 * latent, widths, blocks, norm=norm)
        self.voxelwise = VoxelwiseEncoder(in_channels, voxelwise) if voxelwise else None
        self.multiple = self.trunk.multiple

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W), 0 outside the brain, to the packed latent."""
        middle = x.shape[1] // 2
        brain = (x[:, middle : middle + 1] != 0).to(x)
        x = x * brain
        fine = self.pack(self.fine(x))
        mask = nn.functional.max_pool2d(brain, 2).to(fine)  # a wider dtype would widen all that it masks
        z: Tensor = self.trunk(fine, mask) + self._packed_detail(fine)
        if self.voxelwise is not None:
            z = torch.cat([z, self.pack(self.voxelwise(x))], dim=1)
        return z.mul_(mask)

    def _packed_detail(self, fine: Tensor) -> Tensor:
        """Apply the pointwise layer to packed pixels, each of the four apart: cheaper than before packing."""
        four = torch.eye(4).to(fine)
        weight = torch.kron(self.detail.weight[:, :, 0, 0].to(fine), four)[:, :, None, None]
        bias = self.detail.bias.repeat_interleave(4)  # type: ignore[union-attr]
        return nn.functional.conv2d(fine, weight, bias.to(fine))


class ResidualDecoder(nn.Module):
    """A fused packed latent to every output contrast at once: one trunk, one head per contrast.

    The last layers work at full resolution and in float32 whatever the rest does: eight bits of mantissa
    would show as steps in smooth tissue. After a voxelwise regression the trunk only adds to its answer.

    Parameters
    ----------
    in_channels : int
        Of the fused latent, unpacked.
    outputs : int
        Number of contrasts made.
    widths, blocks, norm
        Of the :class:`ResidualUNet`.
    features : int
        At full resolution, before the heads.
    voxelwise : int
        Numbers per voxel for a voxelwise regression, after the fused latent; 0 for none.
    """

    def __init__(
        self,
        in_channels: int,
        outputs: int,
        widths: Sequence[int],
        blocks: int = 1,
        *,
        features: int = 8,
        norm: bool = False,
        voxelwise: int = 0,
    ) -> None:
        super().__init__()
        self.fused = 4 * in_channels
        self.trunk = ResidualUNet(4 * in_channels, 4 * features, widths, blocks, norm=norm)
        self.skip = nn.Conv2d(4 * in_channels, 4 * features, 1)
        self.unpack = nn.PixelShuffle(2)
        self.act = nn.LeakyReLU(0.1)
        self.voxelwise = VoxelwiseDecoder(voxelwise, outputs) if voxelwise else None
        given = features + (outputs if voxelwise else 0)
        last = plain_conv3(features, outputs)
        self.heads = nn.Sequential(conv3(given, features, 0.1), last)
        self.multiple = self.trunk.multiple
        if voxelwise:
            last.weight.data.mul_(0.1)
        else:
            nn.init.constant_(last.bias, 1.0)  # type: ignore[arg-type]

    def forward(self, z: Tensor) -> Tensor:
        """Map the packed fused latent (B, channels, H/2, W/2) to (B, outputs, H, W), float32."""
        return self.answers(z)[-1]

    def answers(self, z: Tensor | Fused) -> list[Tensor]:
        """Return the result, after the voxelwise regression's where there is one; each (B, outputs, H, W).

        No gradient of the result reaches the regression. Of a latent in parts, the regression works in the
        brain only.
        """
        if isinstance(z, Fused):
            shared, total, mask = z
        else:
            shared = z[:, : self.fused].contiguous(memory_format=torch.channels_last)
            total, mask = z[:, self.fused :], inside(shared)
        features = self.unpack(self.act((self.trunk(shared, mask) + read(self.skip, shared)) * mask))
        if self.voxelwise is None:
            return [self._heads(features)]
        apart = isinstance(z, Fused)
        first = self.voxelwise.within(total, mask) if apart else self.voxelwise(self.unpack(total))
        known = first.detach()
        return [first, known + self._heads(torch.cat([features, known.to(features)], dim=1))]

    def _heads(self, features: Tensor) -> Tensor:
        last = self.heads[-1]
        features = self.heads[:-1](features)
        with torch.autocast(features.device.type, enabled=False):
            out: Tensor = last(features.float())
        return out

    def keep_heads_exact(self) -> None:
        """Bring the last layers back to float32 after the module was cast."""
        self.heads[-1].float()
        if self.voxelwise is not None:
            self.voxelwise.out.float()


def _residuals(channels: int, count: int, slope: float, norm: bool) -> nn.Module:
    return nn.ModuleList(ResidualBlock(channels, slope, norm=norm) for _ in range(count))
