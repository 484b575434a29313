"""One training step of the segmenter: augmented contrasts in, the lesion classes of the same voxels out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from napari_mrsynth.networks.registry import build_as
from napari_mrsynth.systems.segmenter.network import SegmenterNetwork
from napari_mrsynth.systems.segmenter.objective import Objective


class SegmenterTraining(nn.Module):
    """The network and its objective.

    Parameters
    ----------
    network : mapping
        ``name`` and parameters, as on a card.
    contrasts : sequence of str
        Order of the contrasts in a batch; one indicator per lesion class follows them.
    objective : mapping
        Fields of :class:`Objective`.
    spread : sequence of float
        Not needed; every system is built from the same four things.
    """

    def __init__(
        self,
        network: Mapping[str, Any],
        contrasts: Sequence[str],
        objective: Mapping[str, Any],
        spread: Sequence[float],
    ) -> None:
        super().__init__()
        built = build_as(network, SegmenterNetwork)
        self.network, self.contrasts = built, tuple(contrasts)
        self.objective = Objective(**objective)

    @property
    def neighbours(self) -> int:
        """Slices wanted on each side."""
        return self.network.neighbours

    @property
    def classes(self) -> tuple[int, ...]:
        """The lesion classes whose indicators it wants after the contrasts."""
        return self.network.classes

    @property
    def focus(self) -> float:
        """The share of crops it wants centred on a lesion."""
        return self.objective.focus

    def cost(self, inputs: Tensor, truth: Tensor, mask: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Return the cost and its terms for one batch.

        Parameters
        ----------
        inputs : Tensor, (B, contrast + class, 1 + 2 neighbours, H, W)
            The contrasts as the network sees them (augmented); the indicators in it are not looked at.
        truth : Tensor, (B, contrast + class, H, W)
            Its last channels say where each lesion class is, 0 to 1.
        mask : Tensor of bool, (B, H, W)
            Brain.
        rng : torch.Generator
            For the contrasts that are left out.
        """
        seen = inputs[:, [self.contrasts.index(c) for c in self.network.inputs]]
        seen = without_some(seen, self.objective.drop, rng)
        return self.objective.terms(self.network(seen), one_hot(truth[:, len(self.contrasts) :]), mask)


def one_hot(indicators: Tensor) -> Tensor:
    """Return (B, 1 + class, H, W) of 0 and 1, background first, from indicators (B, class, H, W).

    Turning and zooming blends indicators; the largest wins, the background among them.
    """
    shares = torch.cat([1 - indicators.sum(dim=1, keepdim=True), indicators], dim=1)
    chosen = shares.argmax(dim=1, keepdim=True)
    return torch.zeros_like(shares).scatter_(1, chosen, 1)


def without_some(slices: Tensor, drop: float, rng: torch.Generator) -> Tensor:
    """Set contrasts of (B, input, planes, H, W) to zero with probability `drop`; one stays in each crop."""
    count, inputs = slices.shape[:2]
    keep = torch.rand(count, inputs, generator=rng) >= drop
    spared = torch.randint(inputs, (count, 1), generator=rng)
    keep.scatter_(1, spared, True)
    return slices * keep[:, :, None, None, None].to(slices)
