"""The direct system as the engine calls it: nothing is encoded, everything is needed at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_mrsynth.errors import ContrastError
from napari_mrsynth.systems.direct.network import DirectNetwork
from napari_mrsynth.systems.loading import load_network

if TYPE_CHECKING:
    from napari_mrsynth.bundles import Bundle

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class DirectPredictor:
    """A :class:`DirectNetwork` in evaluation mode on one device.

    Parameters
    ----------
    network : DirectNetwork
        Trained; taken over.
    device : str
        Where it runs.
    precision : str
        ``fp32``, ``bf16`` or ``fp16``.
    """

    def __init__(self, network: DirectNetwork, device: str = "cpu", precision: str = "fp32") -> None:
        self.device, self.dtype = device, _DTYPES[precision]
        self.network = network.eval().to(device=device, dtype=self.dtype)
        self.inputs, self.outputs = network.inputs, network.outputs
        self.neighbours, self.multiple, self.margin = network.neighbours, network.multiple, network.margin

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: str = "cpu", precision: str = "fp32") -> DirectPredictor:
        """Build the network that a card names and load the bundle's verified weights into it.

        Raises
        ------
        BundleError
            If the card names another kind of network, or the weights do not fit it.
        """
        return cls(load_network(bundle, DirectNetwork, "direct"), device, precision)

    def encode(self, contrast: str, slices: Tensor) -> Tensor:
        """Return the slices (B, 1 + 2 neighbours, H, W) as they are, on the device."""
        return slices.to(device=self.device, dtype=self.dtype)

    @torch.inference_mode()
    def decode(self, latents: Mapping[str, Tensor], wanted: Sequence[str]) -> dict[str, Tensor]:
        """Make each wanted contrast, (B, H, W) float32, from all the inputs.

        Raises
        ------
        ContrastError
            If an input is missing.
        """
        missing = [contrast for contrast in self.inputs if contrast not in latents]
        if missing:
            raise ContrastError(
                f"This model cannot do without {', '.join(missing)}: it needs {', '.join(self.inputs)}.",
                hint="Switch them on, or use a model that takes any subset.",
            )
        given = torch.stack([latents[c].to(self.device, self.dtype) for c in self.inputs], dim=1)
        made = self.network(given).float()
        return {contrast: made[:, self.outputs.index(contrast)] for contrast in wanted}

    def sources(self, latents: Mapping[str, Tensor]) -> Tensor:
        """Refuse: all inputs enter together, and none of them supplies a voxel.

        Raises
        ------
        ContrastError
            Always.
        """
        raise ContrastError(
            "This model cannot say which scan a voxel came from: it takes all of them at once.",
            hint="Leave the source map off, or use a model that takes any subset.",
        )
