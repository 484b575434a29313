"""What guides the maker of scans and stays behind: critics of scans and of codes, and segmenters."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from napari_mrsynth.systems.lesiongan.layers import down, start, up

SCHEMES = ("1SEG", "1ECL+nDCL", "nSEG")
"""One segmenter for all contrasts; one encoder and a decoder each; a segmenter each."""


class ScanCritic(nn.Module):
    """Judges patches of scans: real or made, and of which contrast.

    Parameters
    ----------
    contrasts : int
    widths : sequence of int
        Channels per level, each at half the resolution of the one before, the first at 1/2.
    """

    def __init__(self, contrasts: int, widths: Sequence[int] = (32, 64, 96)) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.PixelUnshuffle(2), *down(4, widths, 1, None))
        self.real = nn.Conv2d(widths[-1], 1, 3, padding=1)
        self.contrast = nn.Conv2d(widths[-1], contrasts, 3, padding=1)
        start(self)

    def forward(self, scan: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, 1, H, W) to scores of being real (B, 1, h, w) and of each contrast (B, contrast, h, w)."""
        features = self.body(scan)
        return self.real(features), self.contrast(features)


class CodeCritic(nn.Module):
    """Judges patches of codes: of a scan, or of a fused image."""

    def __init__(self, channels: int, widths: Sequence[int] = (64, 96)) -> None:
        super().__init__()
        self.body = nn.Sequential(*down(channels, widths, 1, None), nn.Conv2d(widths[-1], 1, 3, padding=1))
        start(self)

    def forward(self, code: Tensor) -> Tensor:
        """Map (B, C, H, W) to scores of being a scan's, (B, 1, h, w)."""
        score: Tensor = self.body(code)
        return score


class Segmenters(nn.Module):
    """Find the lesion in scans of every contrast, sharing parts as a scheme says.

    Parameters
    ----------
    contrasts : sequence of str
    classes : int
        Without the background.
    scheme : str
        One of :data:`SCHEMES`.
    widths : sequence of int
        Channels per level.

    Raises
    ------
    ValueError
        If there is no such scheme.
    """

    def __init__(
        self,
        contrasts: Sequence[str],
        classes: int,
        scheme: str = "nSEG",
        widths: Sequence[int] = (24, 48, 64),
    ) -> None:
        super().__init__()
        if scheme not in SCHEMES:
            raise ValueError(f"scheme {scheme!r} is none of {', '.join(SCHEMES)}")
        self.contrasts = tuple(contrasts)
        encoders = len(self.contrasts) if scheme == "nSEG" else 1
        decoders = 1 if scheme == "1SEG" else len(self.contrasts)
        self.encoders = nn.ModuleList(
            nn.Sequential(nn.PixelUnshuffle(2), *down(4, widths)) for _ in range(encoders)
        )
        self.decoders = nn.ModuleList(
            nn.Sequential(*up(widths, 1, 4 * (1 + classes)), nn.PixelShuffle(2)) for _ in range(decoders)
        )
        start(self)

    def forward(self, scan: Tensor, place: int) -> Tensor:
        """Map slices of the contrast at `place`, (B, 1, H, W), to probabilities (B, 1 + class, H, W)."""
        encoder = self.encoders[place if len(self.encoders) > 1 else 0]
        decoder = self.decoders[place if len(self.decoders) > 1 else 0]
        logits: Tensor = decoder(encoder(scan)).float()
        return logits.softmax(dim=1)
