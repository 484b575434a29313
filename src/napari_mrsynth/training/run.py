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
from typing import TYPE_CHECKING, Any

import yaml

from napari_mrsynth import __version__
from napari_mrsynth.errors import ConfigError, InputError, OutputError
from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.progress import ProgressCallback
from napari_mrsynth.training.config import TrainConfig, load_config
from napari_mrsynth.training.prepared import Prepared, prepare_all
from napari_mrsynth.training.subjects import Split, find_subjects, split_subjects

if TYPE_CHECKING:
    from napari_mrsynth.training.loop import Loop

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
    OutputError
        If the run folder cannot be made.
    DivergedError
        If the loss becomes NaN or infinite.
    """
    config = load_config(config_path, overrides)
    _require_system(config.system)
    split = split_subjects(find_subjects(config.data), config.data)
    folder = Path(config.run.folder)
    _claim(folder, config)
    material = _gather(split, config)

    import lightning
    import torch

    from napari_mrsynth.training.loop import fit

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
    lightning.seed_everything(config.seed, verbose=False)
    torch.use_deterministic_algorithms(True, warn_only=True)
    loop = _loop(config, material)
    fit(loop, folder, report)
    return _finish(loop, folder, folder / "bundle" / config.card.id, material, loop.global_step)


def export(folder: str | Path, out: str | Path | None = None) -> RunResult:
    """Write the bundle of a run's last checkpoint, whether the run has ended or not.

    Parameters
    ----------
    folder : path
        The run folder.
    out : path, optional
        The bundle's folder; within the run folder by default.

    Raises
    ------
    InputError
        If there is no run, or it has no checkpoint yet.
    """
    import torch

    folder = Path(folder)
    checkpoint = folder / "checkpoints" / "last.ckpt"
    if not checkpoint.is_file():
        raise InputError(
            f"There is no checkpoint at {checkpoint}.",
            hint="Give a run folder; the first checkpoint comes after run.checkpoint_every steps.",
        )
    config = load_config(folder / "config.yaml")
    _require_system(config.system)
    material = _gather(split_subjects(find_subjects(config.data), config.data), config)
    loop = _loop(config, material)
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    loop.load_state_dict(saved["state_dict"])
    bundle = Path(out) if out is not None else folder / "bundle" / config.card.id
    return _finish(loop, folder, bundle, material, int(saved["global_step"]))


@dataclass(frozen=True)
class _Material:
    """The patients of a run: learnt from, held out, and left out with the reason."""

    patients: list[Prepared]
    held_out: list[Prepared]
    skipped: tuple[tuple[str, str], ...]


def _gather(split: Split, config: TrainConfig) -> _Material:
    patients, skipped = prepare_all(split.train, config.data)
    held_out, more = prepare_all(split.held_out, config.data)
    if not patients:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped)
        raise InputError(
            f"No patient can be used: {reasons}",
            hint="See what each of them has with `mrsynth study FOLDER`.",
        )
    return _Material(patients, held_out, (*skipped, *more))


def _require_system(name: str) -> None:
    if name not in SYSTEMS:
        raise ConfigError(f"There is no system {name!r}.", hint=f"Choose {', '.join(SYSTEMS)}.")


def _loop(config: TrainConfig, material: _Material) -> Loop:
    import torch

    from napari_mrsynth.training.loop import Loop

    module, _, name = SYSTEMS[config.system].partition(":")
    system = getattr(import_module(module), name)(
        config.network, config.data.contrasts, config.objective, _spread(material.patients, config)
    )
    return Loop(system.to(memory_format=torch.channels_last), config, material.patients)


def _finish(loop: Loop, folder: Path, bundle: Path, material: _Material, steps: int) -> RunResult:
    """Measure the trained network on the patients that were held out, and export it."""
    from napari_mrsynth.training.export import export_bundle, stored_state

    network = loop.best_network
    network.load_state_dict(stored_state(network)[0])  # what is measured is what is stored
    results = _measure(network, material.held_out) if material.held_out else {}
    _write_json(folder / "held_out.json", results)
    export_bundle(bundle, network, loop.config, material.patients, results, steps)
    return RunResult(folder, bundle, steps, material.skipped, results)


def _measure(network: Any, held_out: Sequence[Prepared]) -> dict[str, Any]:
    """Return the normalised MSE of every (subset, target) on every held-out patient."""
    from napari_mrsynth.evaluation import normalised_mse
    from napari_mrsynth.systems.anysubset.predictor import AnySubsetPredictor
    from napari_mrsynth.training.heldout import pairs, synthesise

    predictor = AnySubsetPredictor(deepcopy(network))
    wanted = pairs(predictor.inputs, predictor.outputs)
    table: dict[str, dict[str, float]] = {"+".join(subset) + ">" + target: {} for subset, target in wanted}
    for patient in held_out:
        for (subset, target), made in synthesise(predictor, patient, wanted).items():
            inside, real = (image[patient.mask].astype("float64") for image in (made, patient.volume(target)))
            error = normalised_mse(inside, real, (float(inside.mean()), float(real.mean())))
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
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The run folder “{folder}” cannot be made: {error.strerror}.",
            hint="Set run.folder to another one.",
        ) from error
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
