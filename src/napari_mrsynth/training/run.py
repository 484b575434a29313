"""From a configuration to a bundle: find patients, prepare them, train, measure, export."""

from __future__ import annotations

import dataclasses
import json
import logging
import warnings
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from napari_mrsynth import __version__
from napari_mrsynth.errors import ConfigError, InputError
from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.progress import ProgressCallback
from napari_mrsynth.training.config import TrainConfig, load_config
from napari_mrsynth.training.prepared import Prepared, prepare_all
from napari_mrsynth.training.subjects import find_subjects, split_subjects

SYSTEMS = {"anysubset": "napari_mrsynth.systems.anysubset.module:AnySubsetTraining"}


@dataclass(frozen=True)
class RunResult:
    """What a training left behind.

    Attributes
    ----------
    folder : Path
        The run folder.
    bundle : Path
        The exported bundle within it.
    steps : int
        Optimiser steps taken in all.
    skipped : tuple of (id, reason)
        Patients that could not be used.
    results : dict
        Held-out figures; empty when nobody was held out.
    """

    folder: Path
    bundle: Path
    steps: int
    skipped: tuple[tuple[str, str], ...]
    results: dict[str, Any]


def train(
    config_path: str | Path, overrides: Sequence[str] = (), report: ProgressCallback | None = None
) -> RunResult:
    """Train as a configuration says, resuming where an earlier run of the same one was interrupted.

    Parameters
    ----------
    config_path : path
        YAML; see :class:`napari_mrsynth.training.config.TrainConfig`.
    overrides : sequence of str
        ``optim.steps=100`` and the like.
    report : callable, optional
        Told the progress.

    Raises
    ------
    ConfigError
        If the configuration is wrong, or the run folder belongs to another one.
    InputError
        If no patient can be used.
    DivergedError
        If the loss becomes NaN or infinite.
    """
    config = load_config(config_path, overrides)
    if config.system not in SYSTEMS:
        raise ConfigError(f"There is no system {config.system!r}.", hint=f"Choose {', '.join(SYSTEMS)}.")
    folder = Path(config.run.folder)
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, config)
    split = split_subjects(find_subjects(config.data), config.data)
    patients, skipped = prepare_all(split.train, config.data)
    held_out, more = prepare_all(split.held_out, config.data)
    skipped += more
    if not patients:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped)
        raise InputError(f"No patient can be used: {reasons}")

    import lightning
    import torch

    from napari_mrsynth.training.loop import Loop, fit

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
    lightning.seed_everything(config.seed, verbose=False)
    torch.use_deterministic_algorithms(True, warn_only=True)
    module, _, name = SYSTEMS[config.system].partition(":")
    system = getattr(import_module(module), name)(
        config.network, config.data.contrasts, config.objective, _spread(patients, config)
    ).to(memory_format=torch.channels_last)
    loop = Loop(system, config, patients)
    fit(loop, folder, report)
    results = _measure(loop.best_network, held_out) if held_out else {}
    _write_json(folder / "held_out.json", results)
    from napari_mrsynth.training.export import export_bundle

    bundle = export_bundle(folder / "bundle" / config.card.id, loop.best_network, config, patients, results)
    return RunResult(folder, bundle, loop.global_step, tuple(skipped), results)


def _measure(network: Any, held_out: Sequence[Prepared]) -> dict[str, Any]:
    """Return the normalised MSE of every (subset, target) on every held-out patient."""
    from napari_mrsynth.systems.anysubset.predictor import AnySubsetPredictor
    from napari_mrsynth.training.heldout import normalised_mse, pairs, synthesise

    predictor = AnySubsetPredictor(deepcopy(network))
    wanted = pairs(predictor.inputs, predictor.outputs)
    table: dict[str, dict[str, float]] = {"+".join(subset) + ">" + target: {} for subset, target in wanted}
    for patient in held_out:
        for (subset, target), made in synthesise(predictor, patient, wanted).items():
            truth = patient.volume(target)
            error = normalised_mse(made, truth, patient.mask)
            table["+".join(subset) + ">" + target][patient.subject] = error
    return {"nmse": table}


def _spread(patients: Sequence[Prepared], config: TrainConfig) -> list[float]:
    """Return each contrast's mean standard deviation inside the brain."""
    totals = [0.0] * len(config.data.contrasts)
    for patient in patients:
        for index, contrast in enumerate(config.data.contrasts):
            totals[index] += float(patient.volume(contrast)[patient.mask].std()) / len(patients)
    return totals


def _claim(folder: Path, config: TrainConfig) -> None:
    """Write the configuration into the run folder, or check that it is the one already there."""
    written = json.loads(json.dumps(dataclasses.asdict(config)))
    path = folder / "config.yaml"
    if not path.is_file():
        with replacing(path) as temporary:
            Path(temporary).write_text(
                yaml.safe_dump({**written}, sort_keys=False, allow_unicode=True), encoding="utf-8"
            )
        _write_json(folder / "version.json", {"napari-mrsynth": __version__})
        return
    earlier = yaml.safe_load(path.read_text(encoding="utf-8"))
    changed = sorted(_differences(earlier, written))
    changed = [key for key in changed if not key.startswith(("run.", "card."))]
    if changed:
        raise ConfigError(
            f"The run folder {folder} belongs to a run with another {', '.join(changed)}.",
            hint="Choose another run.folder, or resume with the configuration that is in the folder.",
        )


def _differences(first: Any, second: Any, where: str = "") -> list[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        found = []
        for key in {*first, *second}:
            place = f"{where}.{key}" if where else str(key)
            found += _differences(first.get(key), second.get(key), place)
        return found
    return [] if first == second else [where]


def _write_json(path: Path, data: Any) -> None:
    with replacing(path) as temporary:
        Path(temporary).write_text(json.dumps(data, indent=1), encoding="utf-8")
