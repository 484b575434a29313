"""The any-subset system as the engine calls it: cached encodings, fusion and decoding per toggle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_mrsynth.networks.blocks import fold_norms
from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork
from napari_mrsynth.systems.anysubset.residual import ResidualDecoder
from napari_mrsynth.systems.loading import load_network

if TYPE_CHECKING:
    from napari_mrsynth.bundles import Bundle

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class AnySubsetPredictor:
    """An :class:`AnySubsetNetwork` in evaluation mode, channels-last, on one device.

    Parameters
    ----------
    network : AnySubsetNetwork
        Trained; taken over (its batch normalisations are folded away).
    device : str
        Where it runs.
    precision : str
        ``fp32``, ``bf16`` or ``fp16``: what weights and activations are held in.
    """

    def __init__(self, network: AnySubsetNetwork, device: str = "cpu", precision: str = "fp32") -> None:
        self.device, self.dtype = device, _DTYPES[precision]
        fold_norms(network.eval())
        network.to(device=device, dtype=self.dtype)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for module in network.modules():
            if isinstance(module, ResidualDecoder):
                module.keep_heads_exact()
        self.network = network
        self.inputs, self.outputs = network.inputs, network.outputs
        self.neighbours, self.multiple, self.margin = network.neighbours, network.multiple, network.margin

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: str = "cpu", precision: str = "fp32") -> AnySubsetPredictor:
        """Build the network that a card names and load the bundle's verified weights into it."""
        return cls(load_network(bundle, AnySubsetNetwork, "anysubset"), device, precision)

    @torch.inference_mode()
    def encode(self, contrast: str, slices: Tensor) -> Tensor:
        """Map (B, 1 + 2 neighbours, H, W) to the contrast's latent (packed or not; B comes first)."""
        x = slices.to(device=self.device, dtype=self.dtype).contiguous(memory_format=torch.channels_last)
        return self.network.encode(contrast, x)

    @torch.inference_mode()
    def decode(self, latents: Mapping[str, Tensor], wanted: Sequence[str]) -> dict[str, Tensor]:
        """Fuse the given latents and decode each wanted contrast to (B, H, W) float32."""
        made = self.network.decode(self.network.fused_parts(self.aligned(latents)), wanted).float()
        return {contrast: made[:, index] for index, contrast in enumerate(wanted)}

    @torch.inference_mode()
    def sources(self, latents: Mapping[str, Tensor]) -> Tensor:
        """Return which scan gave the maximum in most latent channels, as uint8 (B, H, W).

        The fusion's arg-max, per channel, put to the vote; the first of equals wins.
        """
        present = self.aligned(latents)
        winners = torch.stack([self.network.unpacked(z) for z in present]).argmax(dim=0)
        votes = torch.stack([(winners == index).sum(dim=1) for index in range(len(present))])
        return votes.argmax(dim=0).to(torch.uint8)

    @torch.inference_mode()
    def aligned(self, latents: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the latents in their order, each brought to the one that the network's inputs name first.

        As in training: whatever order they are given in, the same one is the reference.
        """
        ordered = sorted(latents, key=self.inputs.index)
        aligned = self.network.align(
            [
                latents[contrast]
                .to(device=self.device, dtype=self.dtype)
                .contiguous(memory_format=torch.channels_last)
                for contrast in ordered
            ]
        )
        moved = dict(zip(ordered, aligned, strict=True))
        return [moved[contrast] for contrast in latents]
