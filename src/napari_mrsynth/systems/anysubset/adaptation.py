"""One training step of a network of which some parts learn and the rest stays as it was.

Joyce 2017, section 5.4, fine-tunes the decoder alone; the authors' code adds encoders and decoders with all
other parts frozen. The patients may lack some of the network's contrasts: those that are there are learnt
from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from napari_mrsynth.networks.blocks import hold_norms
from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork
from napari_mrsynth.systems.anysubset.objective import Objective, latent_variance
from napari_mrsynth.systems.training_system import TrainingSystem

OBJECTIVE = Objective(
    absolute=0.2, squared=1.0, variance=0.01, subsets="random", brain_only=True, balanced=True
)
"""Close to the error that decides whether the result is kept, and robust enough for a handful of patients."""


class Adaptation(TrainingSystem[AnySubsetNetwork]):
    """A network, which of its parts learn, and what from.

    Batch normalisations keep the statistics they were trained with: those of a few patients are worse ones.

    Parameters
    ----------
    network : AnySubsetNetwork
        Taken over: parameters outside `parts` are frozen.
    contrasts : sequence of str
        Order of the contrasts in a batch.
    spread : sequence of float
        Standard deviation of each of them over the patients: the unit of its error.
    parts : iterable of nn.Module
        What learns.
    wanted : sequence of str, optional
        Outputs whose error counts; all that the patients have by default.
    through : sequence of str
        Inputs of which every subset holds at least one; none by default.
    objective : Objective
    """

    def __init__(
        self,
        network: AnySubsetNetwork,
        contrasts: Sequence[str],
        spread: Sequence[float],
        parts: Iterable[nn.Module],
        *,
        wanted: Sequence[str] = (),
        through: Sequence[str] = (),
        objective: Objective = OBJECTIVE,
    ) -> None:
        super().__init__(network, contrasts)
        self.objective = objective
        self.wanted = tuple(wanted) or tuple(c for c in network.outputs if c in self.contrasts)
        self.through = tuple(through)
        self.given = tuple(c for c in network.inputs if c in self.contrasts)
        unit = torch.tensor([float(spread[self.contrasts.index(c)]) for c in self.wanted])
        self.scale: Tensor
        self.register_buffer("scale", unit if objective.balanced else torch.ones_like(unit))
        network.requires_grad_(False)
        for part in parts:
            part.requires_grad_(True)

    def train(self, mode: bool = True) -> Adaptation:
        """Switch to training, with every batch normalisation as it was trained."""
        super().train(mode)
        hold_norms(self)
        return self

    def cost(self, inputs: Tensor, truth: Tensor, mask: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Return the cost and its terms for one batch; from `rng` come the subsets of inputs."""
        encoded = [
            self.network.encode(
                c, inputs[:, self.contrasts.index(c)].contiguous(memory_format=torch.channels_last)
            )
            for c in self.given
        ]
        parts = [self.network.in_parts(z) for z in self.network.align(encoded)]
        truth = truth[:, self.placed(self.wanted)]
        weight = mask[:, None].to(truth) if self.objective.brain_only else torch.ones_like(truth[:, :1])
        zero = torch.zeros((), device=truth.device)
        terms = {"fused": zero, "individual": zero, "variance": zero}
        terms["variance"] = latent_variance([self.network.shared(z) for z in parts])
        for subset in self._subsets(rng):
            present = {self.given[index] for index in subset}
            counts = torch.tensor([float(c not in present) for c in self.wanted]).to(truth)
            if not bool(counts.any()):
                continue
            fused = self.network.fused_parts([parts[index] for index in subset])
            kind = "individual" if len(subset) == 1 else "fused"
            for made in self.network.answers(fused, self.wanted):
                error = self.objective.error(made, truth, weight * counts[:, None, None], self.scale)
                terms[kind] = terms[kind] + error
        loss = (
            terms["fused"]
            + self.objective.individual * terms["individual"]
            + self.objective.variance * terms["variance"]
        )
        return {"loss": loss, **terms}

    def _subsets(self, rng: torch.Generator) -> list[list[int]]:
        """Draw a subset of each size, by position among the inputs that are there.

        Something that is wanted is left out of each, but of the one of all of them.
        """
        count = len(self.given)
        drawn = []
        for size in range(1, count + 1):
            order = torch.randperm(count, generator=rng).tolist()
            if self.through:
                new = [index for index in order if self.given[index] in self.through]
                order = [new[0], *(index for index in order if index != new[0])]
            asked = [index for index in order if self.given[index] in self.wanted]
            if size < count and len(asked) == len(self.wanted) and {*asked} <= {*order[:size]}:
                order = [index for index in order if index != asked[-1]]  # else nothing were left to be made
            drawn.append(order[:size])
        return drawn
