"""What the numbers of a configuration may be, and which settings need each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from difflib import get_close_matches
from operator import attrgetter
from typing import TYPE_CHECKING

from napari_mrsynth.bundles.card import is_id
from napari_mrsynth.errors import ConfigError
from napari_mrsynth.imaging.contrasts import canonical
from napari_mrsynth.preprocess.normalise import METHODS

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
    "optim.ema": 0,
    "validation.every": 0,
    "validation.slices": 1,
    "validation.patience": 0,
    "run.checkpoint_every": 1,
    "run.log_every": 1,
    "run.samples_every": 0,
    "run.devices": 1,
    "run.nodes": 1,
    "run.threads": 0,
    "run.workers": 0,
    "data.folds": 1,
    "data.fold": 0,
    "augment.degrees": 0,
    "augment.zoom": 0,
    "augment.gamma": 0,
    "augment.contrast": 0,
    "augment.bias": 0,
    "augment.noise": 0,
    "augment.artefacts.anisotropy_factor": 1,
    "augment.artefacts.motion_degrees": 0,
    "augment.artefacts.motion_voxels": 0,
    "augment.artefacts.ghosting_intensity": 0,
    "augment.artefacts.bias_size": 0,
    "augment.artefacts.noise_std": 0,
    "augment.artefacts.gamma_log": 0,
    "seed": 0,
}
_BELOW = {"optim.ema": 1, "augment.zoom": 1, "seed": 2**32}
_ONE_OF = {
    "optim.precision": ("32-true", "bf16-mixed", "16-mixed"),
    "run.accelerator": ("auto", "cpu", "gpu", "cuda", "mps"),
    # Intensities are changed, and images made, as numbers above 0, which half of all z-scores are not.
    "data.normalisation": tuple(method for method in METHODS if method != "foreground-zscore"),
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
        if not least <= value < math.inf:  # NaN too
            raise ConfigError(
                f"{name} is {attrgetter(name)(config)}.", hint=f"It is a number, {least} or more."
            )
    for name, limit in _BELOW.items():
        if not _value(config, name) < limit:
            raise ConfigError(f"{name} is {attrgetter(name)(config)}.", hint=f"It is less than {limit}.")
    for name, known in _ONE_OF.items():
        require_one_of(name, str(attrgetter(name)(config)), known)
    for name in _SHARES:
        value = _value(config, name)
        if not 0 <= value <= 1:
            raise ConfigError(f"{name} is {value}.", hint="It is a probability, from 0 to 1.")
    if not 0 < config.data.spacing_mm < math.inf:
        raise ConfigError(f"data.spacing_mm is {config.data.spacing_mm}.", hint="It is more than 0.")
    _require_contrasts(config.data.contrasts)
    if not is_id(config.card.id):
        raise ConfigError(
            f"card.id is {config.card.id!r}.", hint="It has letters, digits, '.', '_' and '-' only: my-model"
        )
    if config.optim.freeze_norms and not config.start:
        raise ConfigError(
            "optim.freeze_norms is true, but there is no start whose statistics could be kept.",
            hint="Set start to a bundle, or optim.freeze_norms to false.",
        )
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


def require_one_of(name: str, value: str, known: Sequence[str]) -> None:
    """Refuse a setting that is none of the known values.

    Raises
    ------
    ConfigError
        Offering the nearest.
    """
    if value not in known:
        near = get_close_matches(value, known, n=1)
        suggestion = f"Did you mean {near[0]}? " if near else ""
        raise ConfigError(f"{name} is {value!r}.", hint=f"{suggestion}Choose {', '.join(known)}.")


def _require_contrasts(contrasts: Sequence[str]) -> None:
    if not contrasts:
        raise ConfigError("data.contrasts is empty.", hint="List what every patient must have: [T1w, T2w]")
    for name in contrasts:
        if contrasts.count(name) > 1:
            raise ConfigError(f"data.contrasts lists {name} twice.", hint="List it once.")
        if canonical(name) != name:
            raise ConfigError(
                f"data.contrasts lists {name!r}, which is called {canonical(name)} here.",
                hint=f"Write {canonical(name)}, in the section network too.",
            )


def _value(config: TrainConfig, name: str) -> float:
    return float(attrgetter(name)(config))
