"""The published parts: a U-Net encoder per contrast, a shallow decoder per output.

Source: Joyce, Chartsias and Tsaftaris, "Robust Multi-Modal MR Image Synthesis", MICCAI 2017, figure 3, and
its journal version (Chartsias et al., IEEE TMI 37(3), 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_mrsynth.networks.blocks import conv3


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
