"""Training generators against critics: one step, one optimiser state each, both resumed exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from napari_mrsynth.errors import ConfigError
from napari_mrsynth.systems.training_system import TrainingSystem
from napari_mrsynth.training.config import TrainConfig
from napari_mrsynth.training.labelled import LabelledLoop
from napari_mrsynth.training.prepared import Prepared

BETAS = (0.5, 0.999)
"""Adam's, as published: less momentum, for what is best changes with the other side."""


class AdversarialLoop(LabelledLoop):
    """A loop for a system of a ``network`` and ``critics`` whose cost keeps their gradients apart.

    As Adam scales every weight's step by that weight's own gradients, one optimiser over both is an optimiser
    each. Gradients are clipped apart, so that a critic's cannot shrink the generators'. The averaged weights
    are the network's.

    Raises
    ------
    ConfigError
        If the configuration asks for a check on held-out patients, or for float16, while it learns.
    """

    def __init__(
        self, system: TrainingSystem[Any], config: TrainConfig, patients: Sequence[Prepared]
    ) -> None:
        if config.validation.every:
            raise ConfigError(
                f"validation.every is {config.validation.every}, but the losses of {config.system!r} "
                "do not say which weights are best.",
                hint="Set it to 0; the last weights are exported, and measured on who was held out.",
            )
        if config.optim.precision == "16-mixed":
            raise ConfigError(
                "Two sides cannot share the loss scale of optim.precision: 16-mixed.",
                hint="Choose bf16-mixed or 32-true.",
            )
        super().__init__(system, config, patients)

    def configure_optimizers(self) -> dict[str, Any]:
        """AdamW over both sides, with the published momentum."""
        made = super().configure_optimizers()
        for group in made["optimizer"].param_groups:
            group["betas"] = BETAS
        return made

    @property
    def sides(self) -> tuple[nn.Module, ...]:
        """Generators and critics."""
        return self.system.network, self.system.critics  # type: ignore[return-value]
