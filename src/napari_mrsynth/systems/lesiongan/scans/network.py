"""What every network that makes scans can do: read anatomy and lesion, or a scan, and write any contrast.

After Qu et al. 2020, sections 2.4 to 2.6. All that a scan shows goes through a code, which is the same for
every contrast: that is what registers them to each other.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

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

    Attributes
    ----------
    inputs, outputs : tuple of str
        Both the contrasts.
    planes : int
        Channels of a fused image.
    multiple : int
        H and W must be multiples of it.
    code_channels : int
        Of the codes, which are (B, code_channels, H / n, W / n).

    Raises
    ------
    ValueError
        If there are no contrasts or no classes, or one comes twice.
    """

    neighbours = 0
    multiple: int
    code_channels: int

    def __init__(self, contrasts: Sequence[str], classes: Sequence[int]) -> None:
        super().__init__()
        if not contrasts or len(set(contrasts)) != len(contrasts):
            raise ValueError(f"contrasts are one or more different names, not {list(contrasts)}")
        if not classes or len(set(classes)) != len(classes):
            raise ValueError(f"classes are one or more different numbers, not {list(classes)}")
        self.inputs = self.outputs = tuple(contrasts)
        self.classes = tuple(int(value) for value in classes)
        self.planes = 1 + len(self.classes)

    def encode_fused(self, structure: Tensor, label: Tensor, brain: Tensor) -> Tensor:
        """Map anatomy and lesion to a code.

        Parameters
        ----------
        structure : Tensor, (B, 1, H, W)
            The structural feature map, 0 or 1.
        label : Tensor, (B, 1 + class, H, W)
            One-hot, the background first.
        brain : Tensor, (B, 1, H, W)
            Where the brain is, 0 or 1.
        """
        raise NotImplementedError

    def encode(self, scan: Tensor) -> Tensor:
        """Map slices of any one contrast, (B, 1, H, W), 0 outside the brain, to their code."""
        raise NotImplementedError

    def decode(self, code: Tensor, contrast: str) -> Tensor:
        """Map a code to slices of a contrast, (B, 1, H, W) float32, not negative."""
        raise NotImplementedError

    def keep_last_exact(self) -> None:
        """Bring the last layers back to float32 after the module was cast, where that is wanted."""

    def named(self, contrast: str, like: Tensor) -> Tensor:
        """Return the contrast as one-hot channels (B, contrast, H, W) of a tensor's size and type."""
        told = like.new_zeros(len(like), len(self.outputs), *like.shape[-2:])
        told[:, self.outputs.index(contrast)] = 1
        return told


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
