"""The any-subset network: an encoder per input contrast, one fused latent, decoders for every output.

Source: Joyce, Chartsias and Tsaftaris, "Robust Multi-Modal MR Image Synthesis", MICCAI 2017, and its journal
version (Chartsias et al., IEEE TMI 37(3), 2018). ``encoder="unet"``, ``decoder="shallow"`` and
``fusion="max"`` are the published network; the residual parts go beyond it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from napari_mrsynth.networks.blocks import ResidualBlock, conv3, plain_conv3
from napari_mrsynth.systems.anysubset.transformer import SpatialTransformer


class UNetEncoder(nn.Module):
    """Figure 3 (left) of the paper: one contrast's slices to a 16-channel latent of the same size.

    Parameters
    ----------
    in_channels : int
        1 for the paper's single slice; 3 with a neighbour on each side.
    latent : int
        Channels of the latent (the paper's L).
    width : int
        Channels at full resolution, doubled at each of the two poolings.
    slope : float
        Of the leaky ReLU (Keras' default, 0.3, in the authors' code).
    """

    multiple, margin = 4, 8

    def __init__(self, in_channels: int, latent: int = 16, width: int = 32, slope: float = 0.3) -> None:
        super().__init__()
        w1, w2, w3 = width, 2 * width, 4 * width
        self.down1 = nn.Sequential(conv3(in_channels, w1, slope), conv3(w1, w1, slope))
        self.down2 = nn.Sequential(conv3(w1, w2, slope), conv3(w2, w2, slope))
        self.bottom = nn.Sequential(conv3(w2, w3, slope), conv3(w3, w3, slope))
        self.up2 = conv3(w3, w2)
        self.merge2 = nn.Sequential(conv3(2 * w2, w2, slope), conv3(w2, w2, slope))
        self.up1 = conv3(w2, w1)
        self.merge1 = nn.Sequential(conv3(2 * w1, w1, slope), conv3(w1, w1, slope))
        self.to_latent = conv3(w1, latent, slope)
        self.pool = nn.MaxPool2d(2)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W), H and W multiples of 4, to (B, latent, H, W)."""
        fine = self.down1(x)
        middle = self.down2(self.pool(fine))
        coarse = self.bottom(self.pool(middle))
        middle = self.merge2(torch.cat([middle, self.up2(self.upsample(coarse))], dim=1))
        fine = self.merge1(torch.cat([fine, self.up1(self.upsample(middle))], dim=1))
        latent: Tensor = self.to_latent(fine)
        return latent


class ShallowDecoder(nn.Module):
    """Figure 3 (right) of the paper: a latent to one contrast; non-negative where `positive`."""

    def __init__(self, latent: int = 16, width: int = 32, *, positive: bool = True) -> None:
        super().__init__()
        self.first = nn.Sequential(conv3(latent, width, 0.0), conv3(width, width, 0.0))
        self.second = nn.Sequential(conv3(latent + width, width, 0.0), conv3(width, width, 0.0))
        self.out = nn.Conv2d(latent + 2 * width, 1, 1)
        self.positive = positive
        # A rectified output that starts at zero everywhere never learns: start it at the volumes' mean.
        nn.init.constant_(self.out.bias, 1.0 if positive else 0.0)  # type: ignore[arg-type]

    def forward(self, z: Tensor) -> Tensor:
        """Map (B, latent, H, W) to (B, 1, H, W)."""
        skip = torch.cat([z, self.first(z)], dim=1)
        out: Tensor = self.out(torch.cat([skip, self.second(skip)], dim=1))
        return torch.relu(out) if self.positive else out


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
        self.stem: nn.Module = nn.Conv2d(in_channels, widths[0], 1) if wide else conv3(in_channels, widths[0])
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
        x = self.stem(x) * mask
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
    """One contrast's slices to the shared latent, kept packed: (B, 4 latent, H/2, W/2).

    The packed latent is the (B, latent, H, W) one with 2x2 pixels in the channels; fusing it element by
    element is fusing voxel by voxel. It is zero in every 2x2 cell that holds no voxel of the input. Fine
    detail takes a short way beside the U-Net, through two convolutions at full resolution, which treat all
    pixels alike.
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
    ) -> None:
        super().__init__()
        self.fine = conv3(in_channels, features, 0.1)
        self.detail = nn.Conv2d(features, latent, 1)
        self.pack = nn.PixelUnshuffle(2)
        self.trunk = ResidualUNet(4 * features, 4 * latent, widths, blocks, norm=norm)
        self.multiple = self.trunk.multiple

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W), 0 outside the brain, to the packed latent (B, 4 latent, H/2, W/2)."""
        middle = x.shape[1] // 2
        brain = (x[:, middle : middle + 1] != 0).to(x)
        mask = nn.functional.max_pool2d(brain, 2)
        fine = self.fine(x * brain)
        z: Tensor = self.trunk(self.pack(fine), mask) + self.pack(self.detail(fine))
        return z * mask


class ResidualDecoder(nn.Module):
    """A fused packed latent to every output contrast at once: one trunk, one head per contrast.

    The last layers work at full resolution and in float32 whatever the rest does: eight bits of mantissa
    would show as steps in smooth tissue.

    Parameters
    ----------
    in_channels : int
        Of the fused latent, unpacked.
    outputs : int
        Number of contrasts made.
    features : int
        At full resolution, before the heads.
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
    ) -> None:
        super().__init__()
        self.trunk = ResidualUNet(4 * in_channels, 4 * features, widths, blocks, norm=norm)
        self.skip = nn.Conv2d(4 * in_channels, 4 * features, 1)
        self.unpack = nn.PixelShuffle(2)
        self.act = nn.LeakyReLU(0.1)
        self.heads = nn.Sequential(conv3(features, features, 0.1), conv3(features, outputs))
        self.multiple = self.trunk.multiple
        nn.init.constant_(self.heads[-1].bias, 1.0)  # type: ignore[arg-type]

    def forward(self, z: Tensor) -> Tensor:
        """Map the packed (B, 4 in_channels, H/2, W/2) to (B, outputs, H, W), float32."""
        mask = (z != 0).any(dim=1, keepdim=True).to(z)
        features = self.unpack(self.act((self.trunk(z, mask) + self.skip(z)) * mask))
        with torch.autocast(z.device.type, enabled=False):
            out: Tensor = self.heads(features.float())
        return out

    def keep_heads_exact(self) -> None:
        """Bring the last layers back to float32 after the module was cast."""
        self.heads.float()


class AnySubsetNetwork(nn.Module):
    """Encoders, optional alignment, fusion, decoders.

    Parameters
    ----------
    inputs, outputs : sequence of str
        Contrast names.
    neighbours : int
        Slices seen on each side of the one that is made.
    encoder : ``unet`` or ``residual``
    decoder : ``shallow`` (one per output) or ``residual`` (one trunk, a head per output)
    fusion : ``max``, ``mean`` or ``max-mean-spread``
        The last gives the decoder the maximum, mean and mean absolute deviation of the present latents.
    latent : int
        Channels of the shared latent.
    encoder_widths, decoder_widths : sequence of int
        Of the residual parts; the first is the width of ``unet`` and ``shallow``.
    blocks : int
        Residual blocks per level.
    norm : bool
        Whether residual blocks are batch-normalised.
    aligned : bool
        Whether a spatial transformer aligns every latent to the first.
    positive : bool
        Whether outputs are rectified (the paper's are).

    Attributes
    ----------
    multiple : int
        H and W must be multiples of it.
    margin : int
        Voxels of background that should be kept around the brain; 0 where they have no bearing on the result.
    """

    def __init__(
        self,
        inputs: Sequence[str],
        outputs: Sequence[str],
        *,
        neighbours: int = 0,
        encoder: str = "unet",
        decoder: str = "shallow",
        fusion: str = "max",
        latent: int = 16,
        encoder_widths: Sequence[int] = (32,),
        decoder_widths: Sequence[int] = (32,),
        blocks: int = 1,
        norm: bool = False,
        aligned: bool = False,
        positive: bool = True,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.neighbours = tuple(inputs), tuple(outputs), neighbours
        self.fusion, self.positive, self.packed = fusion, positive, encoder == "residual"
        channels = 1 + 2 * neighbours
        self.encoders = nn.ModuleDict(
            {_key(c): _encoder(encoder, channels, latent, encoder_widths, blocks, norm) for c in self.inputs}
        )
        fused = latent * _fused_parts(fusion)
        if decoder == "shallow" and encoder == "unet":
            self.decoders = nn.ModuleDict(
                {_key(c): ShallowDecoder(fused, decoder_widths[0], positive=positive) for c in self.outputs}
            )
        elif decoder == "residual" and encoder == "residual":
            trunk = ResidualDecoder(fused, len(self.outputs), decoder_widths, blocks, norm=norm)
            self.decoders = nn.ModuleDict({"all": trunk})
        else:
            raise ValueError(
                f"decoder {decoder!r} is neither 'shallow' nor 'residual' after a residual encoder"
            )
        self.aligner = SpatialTransformer(4 * latent if self.packed else latent) if aligned else None
        self.multiple = max(
            int(getattr(m, "multiple", 1)) for m in (*self.encoders.values(), *self.decoders.values())
        )
        self.margin = max(int(encoder.margin) for encoder in self.encoders.values())  # type: ignore[arg-type]

    def encode(self, contrast: str, slices: Tensor) -> Tensor:
        """Encode one contrast: (B, 1 + 2 neighbours, H, W) to its latent, (B, latent, H, W) or packed."""
        z: Tensor = self.encoders[_key(contrast)](slices)
        return z

    def align(self, latents: Sequence[Tensor]) -> list[Tensor]:
        """Bring every latent to the first one; without a transformer, return them as they are."""
        if self.aligner is None:
            return list(latents)
        first = latents[0]
        return [first, *(self.aligner(first, other) for other in latents[1:])]

    def fuse(self, latents: Sequence[Tensor]) -> Tensor:
        """Fuse the present latents voxel by voxel; parts of the fusion are stacked along the channels."""
        if len(latents) == 1 and self.fusion in ("max", "mean"):
            return latents[0]
        first, *others = latents
        largest = total = first
        for z in others:
            largest = torch.maximum(largest, z)
            total = total + z
        if self.fusion == "max":
            return largest
        mean = total / len(latents)
        if self.fusion == "mean":
            return mean
        spread = torch.zeros_like(mean)
        for z in latents:
            spread = spread + (z - mean).abs()
        return torch.cat([largest, mean, spread / len(latents)], dim=1)

    def decode(self, fused: Tensor, wanted: Sequence[str] | None = None) -> Tensor:
        """Decode a fused latent to (B, len(wanted), H, W); all outputs, in order, where `wanted` is None."""
        wanted = self.outputs if wanted is None else wanted
        if "all" in self.decoders:
            made: Tensor = self.decoders["all"](fused)
            made = made[:, [self.outputs.index(contrast) for contrast in wanted]]
            return torch.relu(made) if self.positive and not self.training else made
        return torch.cat([self.decoders[_key(contrast)](fused) for contrast in wanted], dim=1)

    def unpacked(self, z: Tensor) -> Tensor:
        """Return a latent as (B, latent, H, W), whichever way the encoders keep it."""
        return nn.functional.pixel_shuffle(z, 2) if self.packed else z

    def forward(self, slices: Mapping[str, Tensor]) -> Tensor:
        """Synthesise every output from whichever inputs are there: (B, len(outputs), H, W)."""
        latents = [self.encode(contrast, x) for contrast, x in slices.items()]
        return self.decode(self.fuse(self.align(latents)))


def _encoder(
    kind: str, channels: int, latent: int, widths: Sequence[int], blocks: int, norm: bool
) -> nn.Module:
    if kind == "unet":
        return UNetEncoder(channels, latent, widths[0])
    if kind == "residual":
        return ResidualEncoder(channels, latent, widths, blocks, norm=norm)
    raise ValueError(f"encoder {kind!r} is neither 'unet' nor 'residual'")


def _fused_parts(fusion: str) -> int:
    parts = {"max": 1, "mean": 1, "max-mean-spread": 3}
    if fusion not in parts:
        raise ValueError(f"fusion {fusion!r} is none of {', '.join(parts)}")
    return parts[fusion]


def _residuals(channels: int, count: int, slope: float, norm: bool) -> nn.Module:
    return nn.ModuleList(ResidualBlock(channels, slope, norm=norm) for _ in range(count))


def _key(contrast: str) -> str:
    """Return a contrast's key among torch modules, which may hold no dot and shadow no attribute."""
    return "of_" + contrast.replace(".", "_dot_")
