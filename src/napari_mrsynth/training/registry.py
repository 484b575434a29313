"""Which systems can be trained: training step and predictor of each, imported when needed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_mrsynth.errors import BundleError, ConfigError

if TYPE_CHECKING:
    from torch import nn

    from napari_mrsynth.systems import Predictor
    from napari_mrsynth.systems.training_system import TrainingSystem
    from napari_mrsynth.training.config import TrainConfig
    from napari_mrsynth.training.module import Loop
    from napari_mrsynth.training.prepared import Prepared

_COMPARE = "Compare the settings with those of a configuration that is shipped."

SYSTEMS = {
    "anatomy": "napari_mrsynth.systems.lesiongan.anatomy.module:AnatomyTraining",
    "anysubset": "napari_mrsynth.systems.anysubset.module:AnySubsetTraining",
    "direct": "napari_mrsynth.systems.direct.module:DirectTraining",
    "lesion-scans": "napari_mrsynth.systems.lesiongan.scans.module:ScansTraining",
    "segmenter": "napari_mrsynth.systems.segmenter.module:SegmenterTraining",
}
"""Steps: ``cls(network, contrasts, objective, spread)``, having ``network``, ``neighbours``, ``cost``."""

PREDICTORS = {
    "anysubset": "napari_mrsynth.systems.anysubset.predictor:AnySubsetPredictor",
    "direct": "napari_mrsynth.systems.direct.predictor:DirectPredictor",
    "lesion-scans": "napari_mrsynth.systems.lesiongan.scans.predictor:ScansPredictor",
}
"""Predictors: ``cls(network, device)``, which takes the network over."""

LOOPS = {
    "anatomy": "napari_mrsynth.training.adversarial:AdversarialLoop",
    "lesion-scans": "napari_mrsynth.training.adversarial:AdversarialLoop",
    "segmenter": "napari_mrsynth.training.labelled:LabelledLoop",
}
"""Loops of systems that need more than :class:`napari_mrsynth.training.module.Loop`."""

UNWATCHED = tuple(system for system, place in LOOPS.items() if place.endswith(":AdversarialLoop"))
"""Systems whose losses do not say which weights are best: no checks on held-out patients while they learn."""

MEASURES = {
    "anatomy": "napari_mrsynth.training.drawings:measure_drawings",
    "segmenter": "napari_mrsynth.training.overlap:measure_overlap",
}
"""What is measured on held-out patients, where it is not the error of synthesised contrasts."""


def training_system(config: TrainConfig, spread: Sequence[float]) -> TrainingSystem[Any]:
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
        built: TrainingSystem[Any] = _load(SYSTEMS[config.system])(
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


def loop_for(config: TrainConfig, system: TrainingSystem[Any], patients: Sequence[Prepared]) -> Loop:
    """Return the loop that trains a configuration's system on its patients."""
    place = LOOPS.get(config.system, "napari_mrsynth.training.module:Loop")
    loop: Loop = _load(place)(system, config, patients)
    return loop


def measured(system: str, network: nn.Module, patients: Sequence[Prepared]) -> dict[str, Any]:
    """Measure a trained network, which is left as it is, on patients it has not learnt from."""
    if system in MEASURES:
        results: dict[str, Any] = _load(MEASURES[system])(network, patients)
        return results
    from napari_mrsynth.training.measure import nmse_table

    return {"nmse": nmse_table(system, network, patients)}


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
