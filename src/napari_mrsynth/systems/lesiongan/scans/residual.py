"""The networks that make scans, beyond the published ones: a fine code from a U-Net, read voxel by voxel.

The U-Nets see far enough to tell a ventricle from white matter between the same two edges, and decide what
every voxel is; the decoder sees a few voxels only and says how bright that is in a contrast. So no contrast
can be moved against another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from napari_mrsynth.networks.blocks import ResidualBlock, conv3, plain_conv3
from napari_mrsynth.systems.anysubset.fusion import inside
from napari_mrsynth.systems.anysubset.residual import ResidualUNet
from napari_mrsynth.systems.lesiongan.scans.network import ScansNetwork, fused

SLOPE = 0.1
FIRST = "of_fused.first.0.weight"
"""The weights that know the classes, by their places."""


class ResidualScansNetwork(ScansNetwork):
    """A residual U-Net for fused images and one for scans, blind to the background, and a small decoder.

    Parameters
    ----------
    contrasts, classes
        Of :class:`napari_mrsynth.systems.lesiongan.scans.network.ScansNetwork`.
    widths, scan_widths : sequence of int
        Channels at 1/2, 1/4, 1/8 ... of the resolution, of the U-Net for fused images and of that for scans.
    code : int
        Numbers per voxel of the code, which holds them packed: 4 times as many channels at 1/2.
    features : int
        Channels at full resolution before the U-Nets.
    fine : int
        Channels of the decoder's layers at full resolution.
    """

    def __init__(
        self,
        contrasts: Sequence[str],
        classes: Sequence[int],
        *,
        widths: Sequence[int] = (32, 64, 96, 128),
        scan_widths: Sequence[int] = (24, 48, 64),
        code: int = 12,
        features: int = 8,
        fine: int = 16,
    ) -> None:
        super().__init__(contrasts, classes)
        self.code_channels = 4 * code
        self.of_fused = _Encoder(self.planes, self.code_channels, widths, features)
        self.of_scan = _Encoder(1, self.code_channels, scan_widths, features)
        self.multiple = max(self.of_fused.multiple, self.of_scan.multiple)
        self.join = nn.Conv2d(self.code_channels + len(self.outputs), self.code_channels, 1)
        self.block = ResidualBlock(self.code_channels, SLOPE, norm=True)
        self.unpack = nn.PixelShuffle(2)
        self.fine = nn.Sequential(conv3(code + len(self.outputs), fine, SLOPE), conv3(fine, fine, SLOPE))
        self.last = plain_conv3(fine, 1)
        nn.init.constant_(self.last.bias, 1.0)  # type: ignore[arg-type]  # the brain's mean

    def encode_fused(self, structure: Tensor, label: Tensor, brain: Tensor) -> Tensor:
        """Map a structural feature map and a one-hot label to a code, 0 outside the brain."""
        code: Tensor = self.of_fused(fused(structure, label), brain)
        return code

    def encode(self, scan: Tensor) -> Tensor:
        """Map slices of any one contrast, (B, 1, H, W), 0 outside the brain, to their code."""
        code: Tensor = self.of_scan(scan, (scan != 0).to(scan))
        return code

    def decode(self, code: Tensor, contrast: str) -> Tensor:
        """Map a code to slices of a contrast, (B, 1, H, W) float32.

        Once trained they are not negative. While training they may be: a bend at 0 has no slope there, and a
        contrast that was once driven below it would stay black.
        """
        mask = inside(code)
        told = self.join(torch.cat([code, self.named(contrast, code)], dim=1))
        features = self.unpack(self.block(told * mask, mask))
        made = self.fine(torch.cat([features, self.named(contrast, features)], dim=1))
        with torch.autocast(made.device.type, enabled=False):
            scan: Tensor = self.last(made.float())
        return scan if self.training else scan.clamp(min=0)

    def keep_last_exact(self) -> None:
        """Bring the last layer back to float32: eight bits of mantissa would show as steps in tissue."""
        self.last.float()

    def refitted(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights of such a network of other classes as weights of this one.

        Each class here gets an equal share of all classes there. So where there is no lesion, a map is read
        exactly as it was.
        """
        there = state[FIRST]
        share = there[:, 1:].sum(dim=1, keepdim=True) / len(self.classes)
        return {**state, FIRST: torch.cat([there[:, :1], share.repeat(1, len(self.classes), 1, 1)], dim=1)}


class _Encoder(nn.Module):
    def __init__(self, planes: int, channels: int, widths: Sequence[int], features: int) -> None:
        super().__init__()
        self.first, self.pack = conv3(planes, features, SLOPE), nn.PixelUnshuffle(2)
        self.trunk = ResidualUNet(4 * features, channels, widths, norm=True)
        self.skip = nn.Conv2d(4 * features, channels, 1)
        self.act = nn.LeakyReLU(SLOPE)
        self.multiple = self.trunk.multiple

    def forward(self, image: Tensor, brain: Tensor) -> Tensor:
        packed = self.pack(self.first(image * brain))
        mask = nn.functional.max_pool2d(brain, 2)
        code: Tensor = self.act((self.trunk(packed, mask) + self.skip(packed)) * mask)
        return code
