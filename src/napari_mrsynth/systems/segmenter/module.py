"""One training step of the segmenter: augmented contrasts in, the lesion classes of the same voxels out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from napari_mrsynth.systems.segmenter.network import SegmenterNetwork
from napari_mrsynth.systems.segmenter.objective import Objective
from napari_mrsynth.systems.training_system import ConfiguredSystem


class SegmenterTraining(ConfiguredSystem[SegmenterNetwork]):
    """A segmenter and its objective, of the fields of :class:`Objective`."""

    kind = SegmenterNetwork

    def set_objective(self, objective: Mapping[str, Any], spread: Sequence[float]) -> None:
        """Take the settings of the cost."""
        self.objective = Objective(**objective)
        self.focus = self.objective.focus

    def cost(self, inputs: Tensor, truth: Tensor, mask: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Return the cost and its terms for one batch.

        The indicators in `inputs` are not looked at; those in `truth`, 0 to 1, are what should come out. From
        `rng` come the contrasts that are left out.
        """
        seen = inputs[:, self.placed(self.network.inputs)]
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
