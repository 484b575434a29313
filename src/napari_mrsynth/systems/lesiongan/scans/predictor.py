"""The maker of scans in use: contrasts from a map and a painted label, or from a scan of another contrast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mrsynth.errors import ContrastError, GridError, InputError
from napari_mrsynth.networks.blocks import fold_norms
from napari_mrsynth.systems.lesiongan.scans.network import ScansNetwork
from napari_mrsynth.systems.loading import load_network

if TYPE_CHECKING:
    from napari_mrsynth.bundles import Bundle

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class ScansPredictor:
    """A :class:`ScansNetwork` in evaluation mode, channels-last, on one device.

    To the synthesis engine it translates: what several contrasts say is averaged before it is decoded.

    Parameters
    ----------
    network : ScansNetwork
        Trained; taken over.
    device : str
        Where it runs.
    precision : str
        ``fp32``, ``bf16`` or ``fp16``.
    """

    margin = 8

    def __init__(self, network: ScansNetwork, device: str = "cpu", precision: str = "fp32") -> None:
        self.device, self.dtype = device, _DTYPES[precision]
        fold_norms(network.eval()).to(device=device, dtype=self.dtype)
        network.keep_last_exact()
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network = network
        self.inputs, self.outputs = network.inputs, network.outputs
        self.neighbours, self.multiple = network.neighbours, network.multiple

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: str = "cpu", precision: str = "fp32") -> ScansPredictor:
        """Build the network that a card names and load the bundle's verified weights into it.

        Raises
        ------
        BundleError
            If the card names another kind of network, or the weights do not fit it.
        """
        return cls(load_network(bundle, ScansNetwork, "lesion-scans"), device, precision)

    @torch.inference_mode()
    def encode(self, contrast: str, slices: Tensor) -> Tensor:
        """Map slices of a real scan, (B, 1, H, W), to their code."""
        return self.network.encode(slices.to(device=self.device, dtype=self.dtype))

    @torch.inference_mode()
    def decode(self, latents: Mapping[str, Tensor], wanted: Sequence[str]) -> dict[str, Tensor]:
        """Decode the mean of the given codes to (B, H, W) float32 of each wanted contrast."""
        codes = [code.to(device=self.device, dtype=self.dtype) for code in latents.values()]
        code = torch.stack(codes).mean(dim=0)
        return {contrast: self.network.decode(code, contrast)[:, 0] for contrast in wanted}

    def sources(self, latents: Mapping[str, Tensor]) -> Tensor:
        """Refuse: codes are averaged, no scan supplies a voxel by itself.

        Raises
        ------
        ContrastError
            Always.
        """
        raise ContrastError(
            "A lesion generator does not tell which scan a voxel came from.",
            hint="Use an any-subset model to see that.",
        )

    @torch.inference_mode()
    def make(
        self,
        structure: NDArray[np.integer],
        labels: NDArray[np.integer],
        brain: NDArray[np.integer],
        wanted: Sequence[str],
    ) -> dict[str, NDArray[np.float32]]:
        """Make registered contrasts of an anatomy with lesions.

        Parameters
        ----------
        structure : ndarray of 0/1, (S, A, R)
            Structural feature maps, free of any lesion of the scan they were drawn from.
        labels : ndarray of int, (S, A, R)
            Painted classes, 0 outside lesions.
        brain : ndarray of 0/1, (S, A, R)
        wanted : sequence of str

        Returns
        -------
        dict of str to ndarray of float32, (S, A, R)
            Normalised units, 0 outside the brain.

        Raises
        ------
        ContrastError
            If a wanted contrast cannot be made.
        GridError
            If the shapes differ.
        InputError
            If a class is not known, or a lesion lies outside the brain.
        """
        self._require(structure, labels, brain, wanted)
        height, width = labels.shape[1:]
        pads = ((0, 0), (0, -height % self.multiple), (0, -width % self.multiple))
        painted = np.pad(labels, pads)
        marks = np.stack([painted == value for value in (0, *self.network.classes)], axis=1)
        edges, inside = (np.pad(array, pads)[:, None] > 0 for array in (structure, brain))
        given = [
            torch.from_numpy(array).to(device=self.device, dtype=self.dtype)
            for array in (edges, marks, inside)
        ]
        code = self.network.encode_fused(*given)
        return {
            name: self.network.decode(code, name).cpu().numpy()[:, 0, :height, :width] * (brain > 0)
            for name in wanted
        }

    def _require(
        self,
        structure: NDArray[np.integer],
        labels: NDArray[np.integer],
        brain: NDArray[np.integer],
        wanted: Sequence[str],
    ) -> None:
        unmade = [name for name in wanted if name not in self.outputs]
        if unmade:
            raise ContrastError(
                f"{', '.join(unmade)} cannot be made by this model.",
                hint=f"It makes {', '.join(self.outputs)}.",
            )
        if not structure.shape == labels.shape == brain.shape:
            raise GridError(
                f"The map is {structure.shape}, the label {labels.shape}, the brain {brain.shape} voxels.",
                hint="Bring them to one grid.",
            )
        unknown = sorted(set(np.unique(labels).tolist()) - {0, *self.network.classes})
        if unknown:
            known = ", ".join(map(str, self.network.classes))
            raise InputError(
                f"The label has the class {unknown[0]}, which this model has not learnt.",
                hint=f"It knows {known}.",
            )
        beyond = int(((labels > 0) & ~(brain > 0)).sum())
        if beyond:
            raise InputError(
                f"{beyond} voxels of the lesion lie outside the brain.", hint="Move or shrink the lesion."
            )
