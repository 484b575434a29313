"""What the engine asks of every system: encode what is here, decode what is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from napari_mrsynth.errors import BundleError

if TYPE_CHECKING:
    from torch import Tensor

    from napari_mrsynth.bundles import Bundle

_PREDICTORS = {
    "anysubset": "napari_mrsynth.systems.anysubset.predictor:AnySubsetPredictor",
    "direct": "napari_mrsynth.systems.direct.predictor:DirectPredictor",
    "lesion-scans": "napari_mrsynth.systems.lesiongan.scans.predictor:ScansPredictor",
}

SYNTHESISERS = tuple(_PREDICTORS)
"""Systems whose bundles the engine can run."""


class Predictor(Protocol):
    """A system ready to synthesise on one device.

    Attributes
    ----------
    inputs, outputs : tuple of str
        What it reads and what it makes.
    neighbours : int
        Slices it wants on each side of the one it makes.
    multiple : int
        H and W of what it is given must be multiples of it.
    margin : int
        Voxels of background it wants kept around the brain.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    neighbours: int
    multiple: int
    margin: int

    def encode(self, contrast: str, slices: Tensor) -> Tensor:
        """Map normalised axial slices (B, 1 + 2 neighbours, H, W) to what is cached; only B is fixed."""
        ...

    def decode(self, latents: Mapping[str, Tensor], wanted: Sequence[str]) -> dict[str, Tensor]:
        """Map the encodings of the inputs that are on to normalised slices (B, H, W) per wanted contrast."""
        ...

    def sources(self, latents: Mapping[str, Tensor]) -> Tensor:
        """Return, as uint8 (B, H, W), which of `latents` (by position) supplied most of each voxel."""
        ...


def load_predictor(bundle: Bundle, device: str = "cpu", precision: str = "fp32") -> Predictor:
    """Build a bundle's network on a device and load its verified weights.

    Parameters
    ----------
    bundle : Bundle
        From the store.
    device : str
        ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    precision : str
        ``fp32``, ``bf16`` or ``fp16``.

    Raises
    ------
    BundleError
        If the card names an unknown system or network, or the weights do not fit it.
    """
    system = bundle.card.system
    if system not in _PREDICTORS:
        raise BundleError(
            f"The bundle {bundle.card.id!r} asks for the system {system!r}.",
            hint=f"This version has {', '.join(_PREDICTORS)}; a newer one may have it.",
        )
    module, _, name = _PREDICTORS[system].partition(":")
    predictor: Predictor = getattr(import_module(module), name).from_bundle(bundle, device, precision)
    return predictor
