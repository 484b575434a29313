"""The segmenter in use: contrasts of a patient to a label map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mrsynth.errors import ContrastError, GridError
from napari_mrsynth.networks.blocks import fold_norms
from napari_mrsynth.systems.loading import load_network
from napari_mrsynth.systems.segmenter.network import SegmenterNetwork, brain_of

if TYPE_CHECKING:
    from napari_mrsynth.bundles import Bundle

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class SegmenterPredictor:
    """A :class:`SegmenterNetwork` in evaluation mode, channels-last, on one device.

    Parameters
    ----------
    network : SegmenterNetwork
        Trained; taken over (its batch normalisations are folded away).
    device : str
        Where it runs.
    precision : str
        ``fp32``, ``bf16`` or ``fp16``.
    """

    def __init__(self, network: SegmenterNetwork, device: str = "cpu", precision: str = "fp32") -> None:
        self.device, self.dtype = device, _DTYPES[precision]
        fold_norms(network.eval())
        network.to(device=device, dtype=self.dtype)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.keep_head_exact()
        self.network = network
        self.inputs, self.classes = network.inputs, network.classes
        self.neighbours, self.multiple, self.margin = network.neighbours, network.multiple, network.margin

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: str = "cpu", precision: str = "fp32") -> SegmenterPredictor:
        """Build the network that a card names and load the bundle's verified weights into it.

        Raises
        ------
        BundleError
            If the card names another kind of network, or the weights do not fit it.
        """
        network = load_network(bundle, SegmenterNetwork, "segmenter")
        return cls(network, device, precision)

    @torch.inference_mode()
    def probabilities(self, slices: Mapping[str, Tensor]) -> Tensor:
        """Return the probability of the background and of each class, (B, 1 + class, H, W) float32.

        Parameters
        ----------
        slices : mapping of contrast to Tensor, (B, 1 + 2 neighbours, H, W)
            Normalised, 0 outside the brain; H and W multiples of `multiple`.

        Raises
        ------
        ContrastError
            If none of the network's contrasts is there, or one is missing that it cannot do without.
        """
        stacked = self._stacked(slices)
        found = self.network(stacked).softmax(dim=1)
        brain = brain_of(stacked).to(found)
        certain = torch.zeros_like(found)
        certain[:, 0] = 1
        result: Tensor = torch.where(brain > 0, found, certain)
        return result

    def segment(self, slices: Mapping[str, Tensor]) -> Tensor:
        """Return the number of the likeliest class of every voxel, (B, H, W) uint8; see `probabilities`."""
        values = torch.tensor([0, *self.classes], dtype=torch.uint8, device=self.device)
        return values[self.probabilities(slices).argmax(dim=1)]

    def segment_volume(
        self,
        volumes: Mapping[str, NDArray[np.floating]],
        batch: int = 8,
        planes: NDArray[np.intp] | None = None,
    ) -> NDArray[np.uint8]:
        """Segment a patient, slice by slice.

        Parameters
        ----------
        volumes : mapping of contrast to ndarray, (S, A, R)
            In the model's frame and normalisation, 0 outside the brain.
        batch : int
            Slices at a time.
        planes : ndarray of int, shape (n,), optional
            The axial slices to segment; by default all that show brain.

        Returns
        -------
        ndarray of uint8, (S, A, R)

        Raises
        ------
        GridError
            If the shapes differ.
        ContrastError
            As :meth:`probabilities`.
        """
        shapes = {name: volume.shape for name, volume in volumes.items()}
        if len(set(shapes.values())) > 1:
            told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise GridError(f"The contrasts have different shapes: {told}.", hint="Bring them to one grid.")
        used = {name: volume for name, volume in volumes.items() if name in self.inputs}
        self._require(used)
        depth, height, width = next(iter(used.values())).shape
        pads = [(0, -size % self.multiple) for size in (height, width)]
        labels = np.zeros((depth, height, width), np.uint8)
        if planes is None:
            brain = np.any([volume != 0 for volume in used.values()], axis=0)
            planes = np.flatnonzero(brain.any(axis=(1, 2)))
        for start in range(0, len(planes), batch):
            some = planes[start : start + batch]
            around = some[:, None] + np.arange(-self.neighbours, self.neighbours + 1)
            around = np.clip(around, 0, depth - 1)
            stacks = {
                name: torch.from_numpy(
                    np.pad(np.asarray(volume[around], np.float32), ((0, 0), (0, 0), *pads))
                )
                for name, volume in used.items()
            }
            labels[some] = self.segment(stacks).cpu().numpy()[:, :height, :width]
        return labels

    def _stacked(self, slices: Mapping[str, Tensor]) -> Tensor:
        self._require(slices)
        first = next(slices[name] for name in self.inputs if name in slices)
        stack = [slices.get(name, torch.zeros_like(first)) for name in self.inputs]
        return torch.stack(stack, dim=1).to(device=self.device, dtype=self.dtype)

    def _require(self, given: Mapping[str, object]) -> None:
        missing = [name for name in self.inputs if name not in given]
        if len(missing) == len(self.inputs):
            raise ContrastError(
                f"None of {', '.join(self.inputs)} is there to be segmented.", hint="Give one of them."
            )
        if missing and not self.network.any_subset:
            raise ContrastError(
                f"The segmenter cannot do without {', '.join(missing)}.",
                hint="Synthesise what is missing first, or use a segmenter trained with objective.drop.",
            )
