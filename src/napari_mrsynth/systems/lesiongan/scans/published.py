"""The networks that make scans as Qu et al. 2020 print them: plain layers, a coarse code."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_mrsynth.systems.lesiongan.layers import down, start, up
from napari_mrsynth.systems.lesiongan.scans.network import ScansNetwork, fused


class PublishedScansNetwork(ScansNetwork):
    """Levels of plain convolutions to a code at the coarsest one, and back; no skip connections.

    Parameters
    ----------
    contrasts, classes
        Of :class:`napari_mrsynth.systems.lesiongan.scans.network.ScansNetwork`.
    widths : sequence of int
        Channels per level, each at half the resolution of the one before.
    depth : int
        Convolutions per level.
    groups : int
        Of the normalisations; 0 for instance normalisation, as published.
    output : ``sigmoid`` or ``softplus``
        What keeps intensities from being negative; the sigmoid is published.
    ceiling : float
        What the sigmoid is multiplied by: the paper scales scans to 0..1, here their foreground's mean is 1.
    output_norm : bool
        Instance normalisation before it, as published: every slice then has the same mean and spread.
    initial : ``mean`` or ``he``
        ``mean`` is published; see :func:`napari_mrsynth.systems.lesiongan.layers.start`.

    Raises
    ------
    ValueError
        For what cannot be built.
    """

    def __init__(
        self,
        contrasts: Sequence[str],
        classes: Sequence[int],
        *,
        widths: Sequence[int] = (64, 128, 512),
        depth: int = 2,
        groups: int = 0,
        output: str = "sigmoid",
        ceiling: float = 6.0,
        output_norm: bool = True,
        initial: str = "mean",
    ) -> None:
        super().__init__(contrasts, classes)
        if output not in ("softplus", "sigmoid"):
            raise ValueError(f"output {output!r} is neither 'softplus' nor 'sigmoid'")
        self.multiple = 2 ** (len(widths) - 1)
        self.code_channels = widths[-1]
        self.of_fused = nn.Sequential(*down(self.planes, widths, depth, groups))
        self.of_scan = nn.Sequential(*down(1, widths, depth, groups))
        self.join = nn.Conv2d(widths[-1] + len(self.outputs), widths[-1], 1)
        self.decoder = nn.Sequential(*up(widths, depth, 1, groups))
        self.finish: nn.Module = nn.InstanceNorm2d(1) if output_norm else nn.Identity()
        self.bend: nn.Module = nn.Softplus() if output == "softplus" else nn.Sigmoid()
        self.ceiling = 1.0 if output == "softplus" else ceiling
        start(self, initial)

    def encode_fused(self, structure: Tensor, label: Tensor, brain: Tensor) -> Tensor:
        """Map a structural feature map and a one-hot label to a code; the brain is not looked at."""
        code: Tensor = self.of_fused(fused(structure, label))
        return code

    def encode(self, scan: Tensor) -> Tensor:
        """Map slices of any one contrast, (B, 1, H, W), to their code."""
        code: Tensor = self.of_scan(scan)
        return code

    def decode(self, code: Tensor, contrast: str) -> Tensor:
        """Map a code to slices of a contrast, (B, 1, H, W) float32, not negative."""
        told = torch.cat([code, self.named(contrast, code)], dim=1)
        made = self.finish(self.decoder(self.join(told)).float())
        scan: Tensor = self.ceiling * self.bend(made)
        return scan
