"""The networks of random anatomy: encoder, decoder and mask generator, and the critics they learn against.

After Qu et al. 2020, section 2.3. Slices have one size, on which the whole brain lies: a code of a few
numbers stands for all of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from napari_mrsynth.systems.lesiongan.layers import SLOPE, down, start, unit, up


class AnatomyNetwork(nn.Module):
    """A variational auto-encoder of structural feature maps, and a generator of their masks.

    Parameters
    ----------
    inputs : sequence of str
        The contrasts whose maps it learns from.
    size : (int, int)
        H and W of the slices, in voxels; the training crop must be this.
    code : int
        Numbers in the code.
    widths : sequence of int
        Channels per level, each at half the resolution of the one before. With `pack` the first is at 1/2.
    depth : int
        Convolutions per level.
    squeeze : int
        Channels that reach the dense layers; 0 for all of the last level's.
    mask_widths : sequence of int
        As `widths`, of the mask generator.
    pack : bool
        Whether 2x2 voxels become channels first: the same map, a quarter of the work.
    groups : int
        Of the normalisations; 0 for instance normalisation.
    output_norm : bool
        Instance normalisation right before the last sigmoid, as published. It ties what one voxel becomes to
        the share of edges in the whole slice.
    initial : ``he`` or ``mean``
        ``mean`` is published; see :func:`napari_mrsynth.systems.lesiongan.layers.start`.

    Attributes
    ----------
    outputs : tuple of str
        ``structure`` and ``brain``.
    """

    outputs, neighbours = ("structure", "brain"), 0

    def __init__(
        self,
        inputs: Sequence[str],
        *,
        size: Sequence[int] = (192, 192),
        code: int = 128,
        widths: Sequence[int] = (24, 32, 48, 64, 96),
        depth: int = 1,
        squeeze: int = 32,
        mask_widths: Sequence[int] = (16, 24, 32, 48, 64),
        pack: bool = True,
        groups: int = 8,
        output_norm: bool = False,
        initial: str = "he",
    ) -> None:
        super().__init__()
        if not inputs:
            raise ValueError("random anatomy is learnt from the maps of at least one contrast")
        packed = 2 if pack else 1
        multiple = packed * 2 ** (max(len(widths), len(mask_widths)) - 1)
        if len(size) != 2 or any(side % multiple for side in size):
            raise ValueError(f"the size is {list(size)}; it must be two multiples of {multiple}")
        self.inputs, self.size, self.code = tuple(inputs), (int(size[0]), int(size[1])), code
        channels, last = packed**2, squeeze or widths[-1]
        coarse = [side // (packed * 2 ** (len(widths) - 1)) for side in self.size]
        dense = last * coarse[0] * coarse[1]
        self.pack: nn.Module = nn.PixelUnshuffle(2) if pack else nn.Identity()
        self.unpack: nn.Module = nn.PixelShuffle(2) if pack else nn.Identity()
        self.encoder = nn.Sequential(*down(channels, widths, depth, groups))
        self.decoder = nn.Sequential(*up(widths, depth, channels, groups))
        self.narrow: nn.Module = nn.Conv2d(widths[-1], squeeze, 1) if squeeze else nn.Identity()
        self.widen: nn.Module = nn.Conv2d(squeeze, widths[-1], 1) if squeeze else nn.Identity()
        self.to_code = nn.Linear(dense, 2 * code)
        spread = nn.Linear(code, dense)
        self.from_code = nn.Sequential(spread, nn.LeakyReLU(SLOPE), nn.Unflatten(1, (last, *coarse)))
        self.masker = nn.Sequential(
            *down(channels, mask_widths, depth, groups), *up(mask_widths, depth, channels, groups)
        )
        self.finish: nn.Module = nn.InstanceNorm2d(1) if output_norm else nn.Identity()
        start(self, initial)
        nn.init.normal_(spread.bias)  # a brain in the middle: normalised, codes of any length drew the same

    def encode(self, structure: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, 1, H, W) of 0 and 1 to mean and log-variance of its code, (B, code) each."""
        features = self.narrow(self.encoder(self.pack(structure)))
        mean, log_variance = self.to_code(features.flatten(1)).float().chunk(2, dim=1)
        return mean, log_variance

    def decode(self, code: Tensor) -> Tensor:
        """Map (B, code) to the probability that a voxel is edge, (B, 1, H, W) float32."""
        made: Tensor = self.finish(self.unpack(self.decoder(self.widen(self.from_code(code)))).float())
        return made.sigmoid()

    def mask(self, structure: Tensor) -> Tensor:
        """Map (B, 1, H, W) to the probability that a voxel is background, (B, 1, H, W) float32."""
        made: Tensor = self.finish(self.unpack(self.masker(self.pack(structure))).float())
        return made.sigmoid()


class MapCritic(nn.Module):
    """Judges a map twice: patch by patch, and as a whole, which patches cannot know.

    Parameters
    ----------
    near : sequence of int
        Channels per level, from 1/2 of the resolution on, at whose end patches are judged.
    far : sequence of int
        Channels of the levels after them, at whose end the whole is.
    """

    def __init__(self, near: Sequence[int] = (16, 32, 64, 96), far: Sequence[int] = (96, 128)) -> None:
        super().__init__()
        self.near = nn.Sequential(nn.PixelUnshuffle(2), *down(4, near, 1, None))
        strides = zip([near[-1], *far], far, strict=False)
        self.far = nn.Sequential(
            *[layer for before, after in strides for layer in unit(before, after, stride=2, groups=None)]
        )
        self.patch, self.whole = nn.Conv2d(near[-1], 1, 3, padding=1), nn.Conv2d(far[-1], 1, 3, padding=1)

    def forward(self, structure: Tensor) -> Tensor:
        """Map (B, 1, H, W) to scores (B, 2, h, w): of the patches, and of the whole, spread over as many."""
        features = self.near(structure)
        patches = self.patch(features)
        whole = self.whole(self.far(features))
        return torch.cat([patches, interpolate(whole, size=patches.shape[-2:])], dim=1)


class Critics(nn.Module):
    """The two that judge: one maps, one codes. They are not part of what is exported.

    Parameters
    ----------
    code : int
        Numbers in the code.
    hidden : int
        Units of each of the code critic's two hidden layers.
    """

    def __init__(self, code: int, hidden: int = 256) -> None:
        super().__init__()
        self.map = MapCritic()
        self.code = nn.Sequential(
            nn.Linear(code, hidden),
            nn.LeakyReLU(SLOPE),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(SLOPE),
            nn.Linear(hidden, 1),
        )
        start(self)


def drawn_code(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Return ``mean + exp(log_variance / 2) noise``, (B, code)."""
    return mean + torch.exp(0.5 * log_variance) * noise
