"""One training step of the any-subset system: encode every input once, decode several subsets of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from napari_mrsynth.progress import ProgressCallback
from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork
from napari_mrsynth.systems.anysubset.objective import Objective, latent_variance
from napari_mrsynth.systems.anysubset.regression import (
    fit_voxelwise,
    is_voxelwise,
    voxelwise_parameters,
)
from napari_mrsynth.systems.training_system import ConfiguredSystem, Scans


class AnySubsetTraining(ConfiguredSystem[AnySubsetNetwork]):
    """An any-subset network and its objective, of the fields of :class:`Objective`."""

    kind = AnySubsetNetwork
    scale: Tensor

    def set_objective(self, objective: Mapping[str, Any], spread: Sequence[float]) -> None:
        """Take the settings of the cost; where it is balanced, `spread` is the unit of each contrast's error.

        Raises
        ------
        ValueError
            If a voxelwise regression is to be fitted and the network has none, or the only input is all that
            is to be made.
        """
        if set(self.network.outputs) <= set(self.network.inputs) and len(self.network.inputs) < 2:
            raise ValueError(f"nothing is to be made from {self.network.inputs[0]} but itself")
        self.objective = Objective(**objective)
        if self.objective.voxelwise_steps and not self.network.summed:
            raise ValueError("objective.voxelwise_steps is for a network with voxelwise above 0")
        aligner = self.network.aligner
        if self.objective.equivariance and (aligner is None or aligner.kind != "rigid"):
            raise ValueError("objective.equivariance is for a network with aligned: true and aligner: rigid")
        unit = torch.tensor([float(s) for s in spread])
        self.register_buffer("scale", unit if self.objective.balanced else torch.ones_like(unit))
        if self.objective.voxelwise_steps:
            for parameter in voxelwise_parameters(self.network):
                parameter.requires_grad_(False)

    def begin(
        self,
        patients: Sequence[Scans],
        seed: int,
        report: ProgressCallback | None = None,
        *,
        new: Sequence[str] | None = None,
    ) -> None:
        """Fit the voxelwise regression before step 0, where the objective asks for it.

        One that came whole with the bundle the training starts from stays as it is: `new` names the tensors
        that bundle lacks, None where there is no such bundle.
        """
        wanted = new is None or any(is_voxelwise(name) for name in new)
        if self.objective.voxelwise_steps and wanted:
            outputs = self.placed(self.network.outputs)
            steps = self.objective.voxelwise_steps
            fit_voxelwise(self.network, patients, self.scale[outputs], steps=steps, seed=seed, report=report)

    def cost(self, inputs: Tensor, truth: Tensor, mask: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Return the cost and its terms for one batch.

        From `rng` come the subsets of inputs that are decoded, and the motions of the equivariance.

        Returns
        -------
        dict of str to Tensor
            ``loss``, ``fused``, ``individual``, ``variance``, and ``equivariance`` where it is asked for;
            scalars.
        """
        names = self.network.inputs
        encoded = [self.network.encode(c, _channels_last(inputs[:, self.contrasts.index(c)])) for c in names]
        parts = [self.network.in_parts(z) for z in self.network.align(encoded)]
        weight = mask[:, None].to(truth) if self.objective.brain_only else torch.ones_like(truth[:, :1])
        outputs = self.placed(self.network.outputs)
        truth, scale = truth[:, outputs], self.scale[outputs]
        zero = torch.zeros((), device=truth.device)
        terms = {"fused": zero, "individual": zero}
        for subset in self._subsets(rng):
            answers = self.network.answers(self.network.fused_parts([parts[i] for i in subset]))
            given = {names[i] for i in subset}
            counts = torch.tensor([float(c not in given) for c in self.network.outputs]).to(truth)
            if not bool(counts.any()):
                continue
            kind = "individual" if len(subset) == 1 else "fused"
            for made in answers[-1:] if self.objective.voxelwise_steps else answers:
                error = self.objective.error(made, truth, weight * counts[:, None, None], scale)
                terms[kind] = terms[kind] + error
        terms["variance"] = latent_variance([self.network.shared(z) for z in parts])
        loss = (
            terms["fused"]
            + self.objective.individual * terms["individual"]
            + self.objective.variance * terms["variance"]
        )
        aligner = self.network.aligner
        if aligner is not None and self.objective.equivariance and len(encoded) > 1:
            missed = [aligner.inconsistency(encoded[0], other, rng) for other in encoded[1:]]
            terms["equivariance"] = torch.stack(missed).mean()
            loss = loss + self.objective.equivariance * terms["equivariance"]
        return {"loss": loss, **terms}

    def _subsets(self, rng: torch.Generator) -> list[list[int]]:
        """Return the subsets of inputs, by position, that one step decodes: single ones and fused ones."""
        names, outputs = self.network.inputs, self.network.outputs
        count = len(names)
        apart = any(
            contrast not in names for contrast in outputs
        )  # there all inputs together ask for something
        if self.objective.subsets == "all":
            fused = [list(range(count))] if apart and count > 1 else []
            # An output that is an input too has its own "all inputs": every contrast but itself.
            asked = [left for left in range(count) if names[left] in outputs and count > 1]
            fused += [[i for i in range(count) if i != left] for left in asked]
            return [*fused, *([i] for i in range(count))]
        largest = count if apart else count - 1
        drawn = [torch.randperm(count, generator=rng).tolist()[:1]]
        for size in range(2, largest + 1):
            drawn.append(torch.randperm(count, generator=rng).tolist()[:size])
        return drawn


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
