"""Which systems can be trained: training step and predictor of each, imported when needed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_mrsynth.errors import BundleError, ConfigError

if TYPE_CHECKING:
    from torch import nn

    from napari_mrsynth.systems import Predictor
    from napari_mrsynth.training.config import TrainConfig

_COMPARE = "Compare the settings with those of a configuration that is shipped."

SYSTEMS = {
    "anysubset": "napari_mrsynth.systems.anysubset.module:AnySubsetTraining",
    "direct": "napari_mrsynth.systems.direct.module:DirectTraining",
}
"""Steps: ``cls(network, contrasts, objective, spread)``, having ``network``, ``neighbours``, ``cost``."""

PREDICTORS = {
    "anysubset": "napari_mrsynth.systems.anysubset.predictor:AnySubsetPredictor",
    "direct": "napari_mrsynth.systems.direct.predictor:DirectPredictor",
}
"""Predictors: ``cls(network, device)``, which takes the network over."""


def training_system(config: TrainConfig, spread: Sequence[float]) -> nn.Module:
    """Build the network of a configuration and its objective.

    Parameters
    ----------
    config : TrainConfig
    spread : sequence of float
        Standard deviation of each contrast over the training patients.

    Raises
    ------
    ConfigError
        If there is no such system, or it does not know a setting of ``network`` or ``objective``.
    """
    if config.system not in SYSTEMS:
        raise ConfigError(f"There is no system {config.system!r}.", hint=f"Choose {', '.join(SYSTEMS)}.")
    unread = [c for c in config.network.get("inputs", ()) if c not in config.data.contrasts]
    unread += [c for c in config.network.get("outputs", ()) if c not in config.data.contrasts]
    if unread:
        raise ConfigError(
            f"The network wants {', '.join(dict.fromkeys(unread))}, which data.contrasts does not list.",
            hint=f"data.contrasts lists {', '.join(config.data.contrasts)}.",
        )
    try:
        built: nn.Module = _load(SYSTEMS[config.system])(
            config.network, config.data.contrasts, config.objective, spread
        )
    except BundleError as error:
        raise ConfigError(error.message, hint=_COMPARE) from error
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"The section network or objective is wrong: {error}.", hint=_COMPARE) from error
    return built


def predictor_of(system: str, network: nn.Module) -> Predictor:
    """Return the predictor of a system around a trained network: taken over, on the device it is on."""
    device = next(network.parameters()).device
    made: Predictor = _load(PREDICTORS[system])(network, str(device))
    return made


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
