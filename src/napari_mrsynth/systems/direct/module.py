"""One training step of the direct system: all inputs in, all outputs out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from napari_mrsynth.networks.registry import build_as
from napari_mrsynth.systems.direct.network import DirectNetwork
from napari_mrsynth.systems.direct.objective import Objective


class DirectTraining(nn.Module):
    """The network and its objective.

    Parameters
    ----------
    network : mapping
        ``name`` and parameters, as on a card.
    contrasts : sequence of str
        Order of the contrasts in a batch.
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
        built = build_as(network, DirectNetwork)
        self.network, self.contrasts = built, tuple(contrasts)
        self.objective = Objective(**objective)

    @property
    def neighbours(self) -> int:
        """Slices wanted on each side."""
        return self.network.neighbours

    def cost(self, inputs: Tensor, truth: Tensor, mask: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Return the cost of one batch, as :class:`AnySubsetTraining` does; nothing is drawn from `rng`."""
        made = self.network(inputs[:, [self.contrasts.index(c) for c in self.network.inputs]])
        wanted = truth[:, [self.contrasts.index(c) for c in self.network.outputs]]
        return {"loss": self.objective.error(made, wanted, mask)}
