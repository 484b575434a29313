"""What the numbers of a configuration may be, and which settings need each other."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from napari_mrsynth.errors import ConfigError

if TYPE_CHECKING:
    from napari_mrsynth.training.config import TrainConfig

_AT_LEAST = {
    "optim.steps": 1,
    "optim.batch": 1,
    "optim.crop": 8,
    "optim.warmup": 0,
    "optim.lr": 0,
    "optim.weight_decay": 0,
    "optim.clip": 0,
    "validation.every": 0,
    "validation.slices": 1,
    "validation.patience": 0,
    "run.checkpoint_every": 1,
    "run.log_every": 1,
    "run.devices": 1,
    "run.nodes": 1,
    "run.threads": 0,
    "run.workers": 0,
    "data.folds": 1,
}
_ARTEFACTS = ("anisotropy", "motion", "ghosting", "bias", "noise", "gamma")
_SHARES = (
    "augment.flip",
    "augment.turn",
    "augment.intensity",
    *(f"augment.artefacts.{kind}" for kind in _ARTEFACTS),
)


def require_limits(config: TrainConfig) -> None:
    """Refuse numbers that no training can be run with.

    Raises
    ------
    ConfigError
        Naming the setting, its value and what it may be.
    """
    for name, least in _AT_LEAST.items():
        value = _value(config, name)
        if not value >= least:  # NaN too
            raise ConfigError(f"{name} is {value}.", hint=f"It is {least} or more.")
    for name in _SHARES:
        value = _value(config, name)
        if not 0 <= value <= 1:
            raise ConfigError(f"{name} is {value}.", hint="It is a probability, from 0 to 1.")
    if not 0 <= config.optim.ema < 1:
        raise ConfigError(f"optim.ema is {config.optim.ema}.", hint="It is from 0 to less than 1.")
    if not config.data.spacing_mm > 0:
        raise ConfigError(f"data.spacing_mm is {config.data.spacing_mm}.", hint="It is more than 0.")
    watched = config.validation
    if watched.patience and not watched.every:
        raise ConfigError(
            f"validation.patience is {watched.patience}, but nothing is checked.",
            hint="Set validation.every to the steps between checks.",
        )
    if watched.every and config.data.folds == 1 and not config.data.held_out:
        raise ConfigError(
            f"validation.every is {watched.every}, but nobody is held out.",
            hint="Name patients in data.held_out, or set data.folds.",
        )


def _value(config: TrainConfig, name: str) -> float:
    return float(attrgetter(name)(config))
