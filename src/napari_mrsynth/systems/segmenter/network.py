"""The segmentation network: neighbouring axial slices of several contrasts to a score per lesion class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_mrsynth.networks.blocks import conv3, plain_conv3
from napari_mrsynth.systems.anysubset.residual import ResidualUNet


class SegmenterNetwork(nn.Module):
    """A residual U-Net on 2x2-packed slices, with a head at full resolution.

    What it finds in the brain does not depend on how much background is computed with it, so that training
    on crops and segmenting whole slices agree.

    Parameters
    ----------
    inputs : sequence of str
        Contrast names.
    classes : sequence of int
        The numbers of the lesion classes in label maps, without the background.
    neighbours : int
        Slices seen on each side of the one that is segmented.
    widths : sequence of int
        Channels at 1/2, 1/4, 1/8 ... of the resolution.
    blocks : int
        Residual blocks per level.
    features : int
        Channels at full resolution.
    any_subset : bool
        Whether contrasts may be missing (all zero). For networks trained with ``drop``.

    Attributes
    ----------
    outputs : tuple of str
        The classes as a card names them: ``label-1``.
    multiple, margin : int
        H and W must be multiples of the one; the other is the background wanted around the brain, in voxels.
    """

    margin = 0

    def __init__(
        self,
        inputs: Sequence[str],
        classes: Sequence[int],
        *,
        neighbours: int = 1,
        widths: Sequence[int] = (24, 48, 72, 96),
        blocks: int = 1,
        features: int = 8,
        any_subset: bool = False,
    ) -> None:
        super().__init__()
        if not inputs:
            raise ValueError("a segmenter needs at least one input contrast")
        if (
            not classes
            or len(set(classes)) != len(classes)
            or not all(1 <= value <= 255 for value in classes)
        ):
            raise ValueError(f"classes are different numbers from 1 to 255, not {list(classes)}")
        self.inputs, self.classes = tuple(inputs), tuple(int(value) for value in classes)
        self.outputs = tuple(f"label-{value}" for value in self.classes)
        self.neighbours, self.any_subset = neighbours, any_subset
        self.fine = conv3(len(self.inputs) * (1 + 2 * neighbours), features, 0.1)
        self.pack, self.unpack = nn.PixelUnshuffle(2), nn.PixelShuffle(2)
        self.trunk = ResidualUNet(4 * features, 4 * features, widths, blocks, norm=True)
        self.skip = nn.Conv2d(4 * features, 4 * features, 1)
        self.act = nn.LeakyReLU(0.1)
        self.head = nn.Sequential(
            conv3(features, features, 0.1), plain_conv3(features, 1 + len(self.classes))
        )
        self.multiple = self.trunk.multiple

    def forward(self, slices: Tensor) -> Tensor:
        """Map (B, input, 1 + 2 neighbours, H, W), 0 outside the brain, to logits (B, 1 + class, H, W).

        The background comes first. H and W are multiples of `multiple`; the logits are float32, and mean
        nothing outside the brain.
        """
        brain = brain_of(slices)
        mask = nn.functional.max_pool2d(brain, 2)
        packed = self.pack(self.fine(slices.flatten(1, 2) * brain))
        features = self.unpack(self.act((self.trunk(packed, mask) + self.skip(packed)) * mask))
        with torch.autocast(slices.device.type, enabled=False):
            logits: Tensor = self.head(features.float())
        return logits

    def keep_head_exact(self) -> None:
        """Bring the last layers back to float32 after the module was cast."""
        self.head.float()


def brain_of(slices: Tensor) -> Tensor:
    """Return where any contrast of (B, input, planes, H, W) shows brain in its middle plane, (B, 1, H, W)."""
    shown: Tensor = (slices[:, :, slices.shape[2] // 2] != 0).any(dim=1, keepdim=True)
    return shown.to(slices)
