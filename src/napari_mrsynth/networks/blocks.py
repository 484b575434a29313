"""Small pieces that several networks are made of. Tensors are (B, C, H, W)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def plain_conv3(in_channels: int, out_channels: int, slope: float = 1.0) -> nn.Conv2d:
    """Return a 3x3 'same' convolution.

    Weights start from He's normal distribution for the leaky ReLU of `slope` beside it (1 is none), biases
    from zero: every kernel is different.
    """
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
    nn.init.kaiming_normal_(conv.weight, a=slope, nonlinearity="leaky_relu")
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


def conv3(in_channels: int, out_channels: int, slope: float | None = None) -> nn.Module:
    """Return a 3x3 'same' convolution; with `slope`, followed by a leaky ReLU of that slope (0 is a ReLU)."""
    if slope is None:
        return plain_conv3(in_channels, out_channels)
    return nn.Sequential(plain_conv3(in_channels, out_channels, slope), nn.LeakyReLU(slope, inplace=True))


class ResidualBlock(nn.Module):
    """``x + conv(act(conv(act(x))))`` inside a mask; with `norm`, each convolution is batch-normalised.

    Without normalisation the block is an identity at the start of training. Batch normalisation uses the
    training set's statistics once trained, so that it keeps absolute intensities, and :func:`fold_norms`
    makes it cost nothing.

    Parameters
    ----------
    channels : int
        In and out.
    slope : float
        Of the leaky ReLU.
    norm : bool
        Whether to normalise.
    """

    def __init__(self, channels: int, slope: float = 0.1, *, norm: bool = False) -> None:
        super().__init__()
        self.act = nn.LeakyReLU(slope)
        self.first = nn.Sequential(plain_conv3(channels, channels, slope))
        self.second = nn.Sequential(plain_conv3(channels, channels))
        if norm:
            last = nn.BatchNorm2d(channels)
            nn.init.constant_(last.weight, 0.5)
            self.first.append(nn.BatchNorm2d(channels))
            self.second.append(last)
        else:
            nn.init.zeros_(self.second[0].weight)  # type: ignore[arg-type]
        self.first.append(nn.LeakyReLU(slope, inplace=True))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map (B, C, H, W), zero where `mask` (B, 1, H, W) is 0, to the same shape, zero there too."""
        inner = self.first(self.act(x)) * mask
        return torch.addcmul(x, self.second(inner), mask)


def hold_norms(module: nn.Module) -> None:
    """Let every batch normalisation keep its statistics, and use them, while all else is trained."""
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            child.eval()


def fold_norms(module: nn.Module) -> nn.Module:
    """Fold every batch normalisation that follows a convolution into it, in place; for trained networks only.

    The result computes the same in fewer passes over memory.
    """
    for child in module.modules():
        if not isinstance(child, nn.Sequential):
            continue
        for index in range(len(child) - 1):
            conv, norm = child[index], child[index + 1]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                child[index] = fuse_conv_bn_eval(conv, norm)
                child[index + 1] = nn.Identity()
    return module
