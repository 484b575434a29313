"""One training step of the direct system: all inputs in, all outputs out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from napari_mrsynth.systems.direct.network import DirectNetwork
from napari_mrsynth.systems.direct.objective import Objective
from napari_mrsynth.systems.training_system import ConfiguredSystem


class DirectTraining(ConfiguredSystem[DirectNetwork]):
    """A direct network and its objective, of the fields of :class:`Objective`."""

    kind = DirectNetwork

    def set_objective(self, objective: Mapping[str, Any], spread: Sequence[float]) -> None:
        """Take the settings of the cost."""
        self.objective = Objective(**objective)

    def cost(self, inputs: Tensor, truth: Tensor, mask: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Return the cost of one batch; nothing is drawn from `rng`."""
        made = self.network(inputs[:, self.placed(self.network.inputs)])
        wanted = truth[:, self.placed(self.network.outputs)]
        return {"loss": self.objective.error(made, wanted, mask)}
