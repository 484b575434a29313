"""The networks that make scans: one code for anatomy and lesion, decoded to whichever contrast is named.

After Qu et al. 2020, sections 2.4 to 2.6. All that a scan shows went through the code, which is the same for
every contrast: that is what registers them to each other. What a decoder gets at a finer resolution is part
of the code too.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from napari_mrsynth.systems.lesiongan.layers import down, levels_down, levels_up, start, unit, up

LABEL_SHARE = 0.2
"""How much of the fused image is lesion label; the rest is the structural feature map."""


class ScansNetwork(nn.Module):
    """Encoders of fused images and of scans to one code, and a decoder conditioned on the contrast.

    Parameters
    ----------
    contrasts : sequence of str
        What is made, and what can be translated.
    classes : sequence of int
        The lesion classes' numbers in label maps, without the background.
    widths : sequence of int
        Channels per level, each at half the resolution of the one before. With `pack` the first is at 1/2.
    depth : int
        Convolutions per level.
    context : sequence of int
        Channels per level of an hourglass at the codes' resolution, added to a fused image's code: it sees
        far enough to tell which tissue lies between two edges. None as published.
    pack : bool
        Whether 2x2 voxels become channels first: the same image, a quarter of the work.
    fine : int
        Channels of two layers at full resolution, which add to what the decoder makes; 0 for none, as
        published. The code then has further channels that keep the fused image voxel by voxel (of a scan,
        what two layers make of it), and these layers see them, so that edges and rims need not pass through
        the coarser ones. Without them the four voxels of a packed 2x2 block are made by four kernels that
        know nothing of each other, and a grid shows.
    skips : bool
        Whether the code also keeps what the encoder made at each finer level, and the decoder joins it where
        it comes back to that level; not as published, where a code is coarse.
    groups : int
        Of the normalisations; 0 for instance normalisation.
    output : ``softplus`` or ``sigmoid``
        What keeps intensities from being negative; the sigmoid is published.
    ceiling : float
        What the sigmoid is multiplied by: the paper scales scans to 0..1, here their foreground's mean is 1.
    output_norm : bool
        Instance normalisation before it, as published: every slice then has the same mean and spread.
    initial : ``he`` or ``mean``
        ``mean`` is published; see :func:`napari_mrsynth.systems.lesiongan.layers.start`.

    Attributes
    ----------
    inputs, outputs : tuple of str
        Both the contrasts.
    multiple : int
        H and W must be multiples of it.
    code_channels : int
        Of the codes, which are (B, code_channels, H / n, W / n).
    """

    neighbours = 0

    def __init__(
        self,
        contrasts: Sequence[str],
        classes: Sequence[int],
        *,
        widths: Sequence[int] = (32, 64),
        depth: int = 2,
        context: Sequence[int] = (),
        pack: bool = True,
        fine: int = 0,
        skips: bool = False,
        groups: int = 8,
        output: str = "softplus",
        ceiling: float = 6.0,
        output_norm: bool = False,
        initial: str = "he",
    ) -> None:
        super().__init__()
        if not contrasts or len(set(contrasts)) != len(contrasts):
            raise ValueError(f"contrasts are one or more different names, not {list(contrasts)}")
        if not classes or len(set(classes)) != len(classes):
            raise ValueError(f"classes are one or more different numbers, not {list(classes)}")
        if output not in ("softplus", "sigmoid"):
            raise ValueError(f"output {output!r} is neither 'softplus' nor 'sigmoid'")
        self.inputs = self.outputs = tuple(contrasts)
        self.classes = tuple(int(value) for value in classes)
        packed = 2 if pack else 1
        self.multiple = packed * 2 ** (len(widths) - 1 + max(len(context) - 1, 0))
        self.pack: nn.Module = nn.PixelUnshuffle(2) if pack else nn.Identity()
        self.unpack: nn.Module = nn.PixelShuffle(2) if pack else nn.Identity()
        per_image = packed**2
        planes = 1 + len(self.classes)
        self.of_fused = nn.ModuleList(levels_down(planes * per_image, widths, depth, groups))
        self.context = nn.Sequential()
        if context:
            self.context.extend(down(widths[-1], context, depth, groups))
            self.context.extend(up(context, depth, widths[-1], groups))
        self.of_scan = nn.ModuleList(levels_down(per_image, widths, depth, groups))
        self.join = nn.Conv2d(widths[-1] + len(self.outputs), widths[-1], 1)
        self.decoder = nn.ModuleList(levels_up(widths, depth, groups))
        self.last = nn.Conv2d(widths[0], per_image, 3, padding=1)
        finer = widths[-2::-1] if skips else ()
        self.merges = nn.ModuleList(
            nn.Sequential(*unit(2 * width, width, groups=groups), *unit(width, width, groups=groups))
            for width in finer
        )
        self.kept = [width * 4**level for level, width in enumerate(finer, start=1)]
        self.code_channels = widths[-1] + sum(self.kept)
        self.fine = nn.Sequential()
        if fine:
            finest = packed * 2 ** (len(widths) - 1)
            self.code_channels += planes * finest**2
            self.fold, self.lay_out = nn.PixelUnshuffle(finest), nn.PixelShuffle(finest)
            self.planes_of_scan = nn.Sequential(
                *unit(1, 2 * planes, groups=None), nn.Conv2d(2 * planes, planes, 3, padding=1)
            )
            seen = planes + widths[0] // per_image + 1 + len(self.outputs)
            self.fine.extend([*unit(seen, fine, groups=None), *unit(fine, fine, groups=None)])
            self.fine.append(nn.Conv2d(fine, 1, 3, padding=1))
        self.finish: nn.Module = nn.InstanceNorm2d(1) if output_norm else nn.Identity()
        self.bend: nn.Module = nn.Softplus() if output == "softplus" else nn.Sigmoid()
        self.ceiling = 1.0 if output == "softplus" else ceiling
        start(self, initial)

    def encode_fused(self, structure: Tensor, label: Tensor) -> Tensor:
        """Map a structural feature map (B, 1, H, W) and a one-hot label (B, 1 + class, H, W) to a code."""
        image = fused(structure, label)
        code, kept = self._encoded(self.of_fused, image)
        if len(self.context):
            code = code + self.context(code)
        return torch.cat([code, *kept, *([self.fold(image)] if len(self.fine) else [])], dim=1)

    def encode(self, scan: Tensor) -> Tensor:
        """Map slices of any one contrast, (B, 1, H, W), to their code."""
        code, kept = self._encoded(self.of_scan, scan)
        planes = [self.fold(self.planes_of_scan(scan))] if len(self.fine) else []
        return torch.cat([code, *kept, *planes], dim=1)

    def decode(self, code: Tensor, contrast: str) -> Tensor:
        """Map a code to slices of a contrast, (B, 1, H, W) float32, not negative."""
        coarse, finer, planes = code.tensor_split(
            [self.join.out_channels, self.join.out_channels + sum(self.kept)], dim=1
        )
        named = code.new_zeros(len(code), len(self.outputs), *code.shape[-2:])
        named[:, self.outputs.index(contrast)] = 1
        features = self._decoded(self.join(torch.cat([coarse, named], dim=1)), finer)
        made = self.unpack(self.last(features))
        if len(self.fine):
            told = named[..., :1, :1].expand(-1, -1, *made.shape[-2:])
            made = made + self.fine(
                torch.cat([self.lay_out(planes), self.unpack(features), made, told], dim=1)
            )
        scan: Tensor = self.ceiling * self.bend(self.finish(made.float()))
        return scan

    def _encoded(self, encoder: nn.ModuleList, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the coarsest level, and what is kept of the others: folded to its size, coarse first."""
        levels = [self.pack(image)]
        for level in encoder:
            levels.append(level(levels[-1]))
        finer = levels[-2:0:-1] if self.kept else []
        return levels[-1], [pixel_unshuffle(each, 2**level) for level, each in enumerate(finer, start=1)]

    def _decoded(self, features: Tensor, finer: Tensor) -> Tensor:
        """Return what is decoded at the finest level, joined at each with what the code keeps of it."""
        kept = finer.split(self.kept, dim=1) if self.kept else ()
        for height, level in enumerate(self.decoder):
            features = level(features)
            if height and kept:
                joined = torch.cat([features, pixel_shuffle(kept[height - 1], 2**height)], dim=1)
                features = self.merges[height - 1](joined)
        return features


def fused(structure: Tensor, label: Tensor) -> Tensor:
    r"""Return the fusion of anatomy and lesion, (B, 1 + class, H, W): :math:`0.2\,l_c + 0.8\,f`.

    Parameters
    ----------
    structure : Tensor, (B, 1, H, W)
        The structural feature map f, 0 or 1.
    label : Tensor, (B, 1 + class, H, W)
        One-hot, the background first.
    """
    return LABEL_SHARE * label + (1 - LABEL_SHARE) * structure
