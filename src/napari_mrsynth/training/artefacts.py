"""Artefacts of the scanner in training inputs, by TorchIO: a function of the seed and the crop alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_mrsynth.training.config import ArtefactConfig

FLOOR = 1e-3
"""Inside the brain intensities stay above it, in foreground means: 0 is kept for what was not scanned."""


class Artefacts:
    """Draws artefacts for the inputs of a crop, each input by itself.

    The order is that of a scan: thick voxels, movement, ghosts, the coil's field, noise, and last the
    contrast curve. All planes of an input get the same movement, ghosts, field and curve, and noise of
    their own.

    Parameters
    ----------
    config : ArtefactConfig
    """

    def __init__(self, config: ArtefactConfig) -> None:
        import torchio

        thick = (1.2, max(1.2, config.anisotropy_factor))
        ghosts = (0.2, max(0.2, config.ghosting_intensity))
        made: list[tuple[float, Callable[[Any], Any]]] = [
            (config.anisotropy, torchio.RandomAnisotropy(axes=(0, 1), downsampling=thick)),
            (config.motion, torchio.RandomMotion(config.motion_degrees, config.motion_voxels)),
            (config.ghosting, torchio.RandomGhosting(axes=(0, 1), intensity=ghosts)),
            (config.bias, torchio.RandomBiasField(config.bias_size)),
            (config.noise, torchio.RandomNoise(std=(0.0, config.noise_std))),
            (config.gamma, _OneForAllPlanes(torchio.RandomGamma(config.gamma_log))),
        ]
        self._make = [(probability, make) for probability, make in made if probability]

    def __call__(self, slices: Tensor, seed: tuple[int, ...]) -> Tensor:
        """Return the slices with artefacts.

        Parameters
        ----------
        slices : Tensor, (contrast, planes, H, W) float32
            Foreground mean about 1, background 0.
        seed : tuple of int
            What alone decides the outcome, with `slices`.

        Returns
        -------
        Tensor
            Same shape; background still 0.
        """
        changed = [self._spoil(planes, (*seed, which)) for which, planes in enumerate(slices)]
        return torch.stack(changed)

    def _spoil(self, planes: Tensor, seed: tuple[int, ...]) -> Tensor:
        import torchio

        draws = np.random.default_rng(seed)
        chosen = [make for p, make in self._make if draws.random() < p]
        if not chosen or not bool(planes.any()):
            return planes
        with torch.random.fork_rng(devices=[]):  # TorchIO draws from torch's own generator
            torch.manual_seed(int(draws.integers(2**62)))
            image = torchio.ScalarImage(tensor=planes[..., None])  # a 2D image whose channels are the planes
            for make in chosen:
                image = make(image)
        spoilt: Tensor = image.data[..., 0].to(planes)
        return torch.where(planes != 0, spoilt.clamp(min=FLOOR), planes)


class _OneForAllPlanes:
    """A transform that would treat each channel differently, made to treat all alike."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make

    def __call__(self, image: Any) -> Any:
        import torchio

        stack = image.data.flatten(0, 1)[None]
        made = self._make(torchio.ScalarImage(tensor=stack))
        return torchio.ScalarImage(tensor=made.data.view_as(image.data))
