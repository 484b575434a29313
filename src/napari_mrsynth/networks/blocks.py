"""Small pieces that several networks are made of. Tensors are (B, C, H, W)."""

from __future__ import annotations

from torch import Tensor, nn


def conv3(in_channels: int, out_channels: int, slope: float | None = None) -> nn.Module:
    """Return a 3x3 'same' convolution; with `slope`, followed by a leaky ReLU of that slope (0 is a ReLU).

    Weights start from He's normal distribution for that slope, biases from zero, every kernel different.
    """
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
    nn.init.kaiming_normal_(conv.weight, a=1.0 if slope is None else slope, nonlinearity="leaky_relu")
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    if slope is None:
        return conv
    return nn.Sequential(conv, nn.LeakyReLU(slope, inplace=True))


class ResidualBlock(nn.Module):
    """``x + conv(act(conv(act(x))))``, an identity at the start of training.

    Parameters
    ----------
    channels : int
        In and out.
    slope : float
        Of the leaky ReLU.
    """

    def __init__(self, channels: int, slope: float = 0.1) -> None:
        super().__init__()
        self.act = nn.LeakyReLU(slope)
        self.first = conv3(channels, channels, slope)
        self.second = conv3(channels, channels)
        nn.init.zeros_(self.second.weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        out: Tensor = x + self.second(self.first(self.act(x)))
        return out
