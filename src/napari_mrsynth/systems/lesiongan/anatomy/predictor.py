"""Random anatomy in use: a map and its brain mask from a seed, the same for the same seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mrsynth.structure.filtering import MAX_ERROR, Drawn, draw_closed
from napari_mrsynth.systems.lesiongan.anatomy.network import AnatomyNetwork
from napari_mrsynth.systems.loading import load_network

if TYPE_CHECKING:
    from napari_mrsynth.bundles import Bundle


class AnatomyPredictor:
    """An :class:`AnatomyNetwork` in evaluation mode, in float32, on one device.

    Parameters
    ----------
    network : AnatomyNetwork
        Trained; taken over.
    device : str
        Where it runs.

    Attributes
    ----------
    size : (int, int)
        Voxels along A and R of what it draws.
    """

    def __init__(self, network: AnatomyNetwork, device: str = "cpu") -> None:
        self.device, self.network = device, network.eval().to(device)
        self.size = network.size

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: str = "cpu") -> AnatomyPredictor:
        """Build the network that a card names and load the bundle's verified weights into it.

        Raises
        ------
        BundleError
            If the card names another kind of network, or the weights do not fit it.
        """
        network = load_network(bundle, AnatomyNetwork, "anatomy")
        return cls(network, device)

    def draw(self, seed: int, *, limit: float = MAX_ERROR, attempts: int = 50) -> Drawn:
        """Draw one axial slice's map, again until its outline is closed.

        Parameters
        ----------
        seed : int
            Equal seeds draw equal maps, to the last bit, on one machine.
        limit : float
            Largest disagreement of the filled outline with the mask (algorithm 3).
        attempts : int
            After so many the best is returned, marked as not accepted.

        Returns
        -------
        Drawn
            With ``structure`` and ``brain``, (A, R) uint8 of 0 and 1.
        """
        return draw_closed(lambda attempt: self.attempt(seed, attempt), limit=limit, attempts=attempts)

    @torch.inference_mode()
    def attempt(self, seed: int, attempt: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Draw a seed's map of one attempt (from 0) and its brain mask, unfiltered, (A, R) of 0 and 1.

        Edges outside the brain are left out.
        """
        numbers = np.random.default_rng((seed, attempt)).standard_normal((1, self.network.code), np.float32)
        edges = (self.network.decode(torch.from_numpy(numbers).to(self.device)) > 0.5).float()
        brain = (self.network.mask(edges) <= 0.5).cpu().numpy()[0, 0]
        structure = edges.cpu().numpy()[0, 0].astype(bool) & brain
        return structure.astype(np.uint8), brain.astype(np.uint8)
