"""One training step of random anatomy: maps are made of the scans on the way, their lesions left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from napari_mrsynth.systems.lesiongan.adversarial import held, straight_through
from napari_mrsynth.systems.lesiongan.anatomy import objective as losses
from napari_mrsynth.systems.lesiongan.anatomy.network import AnatomyNetwork, Critics, drawn_code
from napari_mrsynth.systems.lesiongan.maps import lesion_free_maps
from napari_mrsynth.systems.training_system import ConfiguredSystem


class AnatomyTraining(ConfiguredSystem[AnatomyNetwork]):
    """The networks, their critics and their objective.

    The objective has the fields of :class:`napari_mrsynth.systems.lesiongan.anatomy.objective.Objective`, and
    ``classes``: the numbers of the lesion classes in the patients' label maps.

    Attributes
    ----------
    critics : Critics
        Learn beside the network and stay behind when it is exported.
    """

    kind = AnatomyNetwork

    def set_objective(self, objective: Mapping[str, Any], spread: Sequence[float]) -> None:
        """Take the settings of the cost, and make the critics."""
        weights = dict(objective)
        self.classes = tuple(int(value) for value in weights.pop("classes", (1, 2, 4)))
        self.objective = losses.Objective(**weights)
        self.least = self.objective.least
        self.critics = Critics(self.network.code)

    def cost(self, inputs: Tensor, truth: Tensor, mask: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Return the sum of all losses, the critics' among them, and each by its name.

        Inputs and mask are not looked at: maps are made of true intensities. From `rng` come the contrasts
        and the codes.

        Raises
        ------
        ValueError
            If the slices have another size than the network's.
        """
        if truth.shape[-2:] != self.network.size:
            given = "x".join(map(str, truth.shape[-2:]))
            raise ValueError(f"the crops are {given}, the network's size is {list(self.network.size)}")
        structure, background = self.real(truth, rng)
        noise, fresh = (torch.randn(len(truth), self.network.code, generator=rng).to(truth) for _ in range(2))
        mean, log_variance = self.network.encode(structure)
        code = drawn_code(mean, log_variance, noise)
        rebuilt, drawn = self.network.decode(code), self.network.decode(fresh)
        shown = straight_through(drawn)
        difference, beyond = losses.reconstruction_losses(structure, rebuilt, background, self.objective.edge)
        of_codes, of_maps = losses.adversarial_losses(
            held(self.critics.code, code), held(self.critics.map, shown)
        )
        mask_difference, mask_overlap = losses.mask_losses(
            background, self.network.mask(structure), self.network.mask(shown), structure, rebuilt, drawn
        )
        terms = {
            "code_critic": losses.code_critic_loss(
                self.critics.code(fresh), self.critics.code(code.detach())
            ),
            "map_critic": losses.map_critic_loss(
                self.critics.map(structure), self.critics.map(shown.detach())
            ),
            "code_adversarial": of_codes,
            "map_adversarial": of_maps,
            "normal": losses.normal_loss(mean, log_variance),
            "divergence": losses.divergence_loss(mean, log_variance),
            "reconstruction": difference,
            "outside": beyond + mask_overlap,
            "mask": mask_difference,
        }
        weighted = [getattr(self.objective, name) * value for name, value in terms.items()]
        return {"loss": torch.stack(weighted).sum(), **terms}

    def real(self, truth: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return each crop's map without its lesion, and its background, from one of its contrasts at random.

        Returns
        -------
        structure, background : Tensor, (B, 1, H, W)
            Of 0 and 1.
        """
        names, expand = self.network.inputs, self.objective.expand
        return lesion_free_maps(truth, self.contrasts, names, expand, rng)
