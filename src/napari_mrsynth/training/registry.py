"""Which systems can be trained: training step and predictor of each, imported when needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_mrsynth.errors import BundleError, ConfigError
from napari_mrsynth.networks.registry import class_of
from napari_mrsynth.training.limits import require_one_of
from napari_mrsynth.training.strict import arguments, from_mapping

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

BESIDES = {"anatomy": ("classes",)}
"""Settings that a system's section ``objective`` holds beside the fields of its ``Objective``."""

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
        If there is no such system, it does not know a setting of ``network`` or ``objective`` or its value,
        or the network cannot work on crops of that size.
    """
    require_one_of("system", config.system, tuple(SYSTEMS))
    system = _load(SYSTEMS[config.system])  # its networks are known once it is imported
    network, objective = _network(config.network), _objective(config.system, config.objective)
    unread = [c for c in config.network.get("inputs", ()) if c not in config.data.contrasts]
    unread += [c for c in config.network.get("outputs", ()) if c not in config.data.contrasts]
    if unread:
        raise ConfigError(
            f"The network wants {', '.join(dict.fromkeys(unread))}, which data.contrasts does not list.",
            hint=f"data.contrasts lists {', '.join(config.data.contrasts)}.",
        )
    try:
        built: TrainingSystem[Any] = system(network, config.data.contrasts, objective, spread)
    except BundleError as error:
        raise ConfigError(error.message, hint=_COMPARE) from error
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"The section network or objective is wrong: {error}.", hint=_COMPARE) from error
    crop, multiple = config.optim.crop, int(getattr(built.network, "multiple", 1))
    if crop % multiple:
        raise ConfigError(
            f"optim.crop is {crop}, but this network needs a multiple of {multiple}.",
            hint=f"Set it to {multiple * math.ceil(crop / multiple)}.",
        )
    return built


def _network(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section ``network`` with every setting checked by its name and type."""
    if "name" not in section:
        raise ConfigError("The setting 'network.name' is missing.", hint=_COMPARE)
    name = str(section["name"])
    try:
        kind = class_of(name)
    except BundleError as error:
        raise ConfigError(error.message, hint=error.hint) from error
    params = {key: value for key, value in section.items() if key != "name"}
    return {"name": name, **arguments(kind, params, "network")}


def _objective(system: str, section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section ``objective`` with every setting checked by its name, type and sign."""
    place = SYSTEMS[system].partition(":")[0].rpartition(".")[0]
    besides = {key: value for key, value in section.items() if key in BESIDES.get(system, ())}
    own = {key: value for key, value in section.items() if key not in besides}
    try:
        made = from_mapping(import_module(f"{place}.objective").Objective, own, "objective")
    except ValueError as error:
        raise ConfigError(f"The section objective is wrong: {error}.", hint=_COMPARE) from error
    checked = {key: getattr(made, key) for key in own}
    for key, value in checked.items():
        if isinstance(value, int | float) and not 0 <= value < math.inf:
            raise ConfigError(f"objective.{key} is {value}.", hint="It is a number, 0 or more.")
    return {**besides, **checked}


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
