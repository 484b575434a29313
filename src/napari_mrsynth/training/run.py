"""From a configuration to a bundle: find patients, prepare them, train, measure, export."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mrsynth.errors import DeviceError, InputError
from napari_mrsynth.progress import Progress, ProgressCallback
from napari_mrsynth.training.config import RunConfig, TrainConfig, load_config
from napari_mrsynth.training.extras import require
from napari_mrsynth.training.material import Material, gather
from napari_mrsynth.training.precision import precision_here
from napari_mrsynth.training.registry import loop_for, measured, training_system
from napari_mrsynth.training.runfolder import ENDED, RunFolder
from napari_mrsynth.training.start import FILE, Start, load_start, opened_start
from napari_mrsynth.training.subjects import find_subjects, split_subjects

if TYPE_CHECKING:
    from napari_mrsynth.bundles import Bundle
    from napari_mrsynth.systems.training_system import TrainingSystem
    from napari_mrsynth.training.module import Loop


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
    exported : int
        The step whose weights were exported: the best on the held-out patients where that was watched.
    start : Start or None
        The bundle it started from.
    leader : bool
        False in the helping processes of a training on several devices, which write nothing.
    people : mapping of str to str
        Who each is that was held out, the same for all sessions of one.
    """

    folder: Path
    bundle: Path
    steps: int
    skipped: tuple[tuple[str, str], ...]
    results: dict[str, Any]
    exported: int = 0
    start: Start | None = None
    leader: bool = True
    people: Mapping[str, str] = field(default_factory=dict)


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
        If the configuration is wrong, the run folder belongs to another one, a package is not installed, or
        the bundle to start from does not fit.
    BundleError
        If there is no such bundle, or it is damaged.
    DeviceError
        If there are not the devices it asks for.
    InputError
        If no patient can be used, the run began with other ones, or the bundle it starts from learnt from a
        patient who is held out.
    OutputError
        If the run folder cannot be written; the last checkpoint is kept.
    DivergedError
        If the loss becomes NaN or infinite; the last checkpoint is kept.
    """
    require("train")
    from napari_mrsynth.training.crops import share

    config = load_config(config_path, overrides)
    system = training_system(config, [1.0] * len(config.data.contrasts))  # a wrong network is refused at once
    _require_devices(config.run)
    share(0, 0, config.optim.batch, world=max(config.run.devices * config.run.nodes, 1))
    split_subjects(find_subjects(config.data), config.data)  # no patients: refused before a folder is made
    folder = RunFolder(Path(config.run.folder))
    resumed = folder.last.is_file()
    parent = None if resumed else opened_start(config)
    start = _begin(system, parent, config)  # and so is a wrong start
    with folder.alone():
        return _train(config, folder, parent, start, report)


def _train(
    config: TrainConfig,
    folder: RunFolder,
    parent: Bundle | None,
    start: Start | None,
    report: ProgressCallback | None,
) -> RunResult:
    """Train in a folder that no other training uses."""
    resumed = folder.last.is_file()
    folder.claim(config)
    material = gather(config.data, report)
    if resumed:
        start = Start.remembered(folder.path)
    if start is not None:
        start.refuse_learnt(material.held_out)
        folder.write(FILE, start.as_dict())
        if report is not None and not resumed:
            report(Progress(0.0, start.words))
    _, why = precision_here(config)
    if why and report is not None:
        report(Progress(0.0, why))
    folder.remember(material.records())
    folder.keep(config)
    folder.describe(config)

    import lightning
    import torch

    from napari_mrsynth.training.loop import fit

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
    lightning.seed_everything(config.seed, verbose=False)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # With it on, every new tensor is filled with NaN first, to make reading it unwritten show: 6 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    loop = _loop(config, material, parent, report, fresh=not resumed)
    leads = fit(loop, folder.path, report, held_out=material.held_out)
    bundle, steps = folder.path / "bundle" / config.card.id, int(loop.global_step)
    if not leads:
        return RunResult(folder.path, bundle, steps, material.skipped, {}, start=start, leader=False)
    result = _finish(loop, folder, bundle, material, steps, start)
    folder.write(ENDED, {"steps": steps, "bundle": config.card.id})
    return result


def export(folder: str | Path, out: str | Path | None = None) -> RunResult:
    """Write the bundle of a run, whether it has ended or not: of its best checkpoint, else of its last.

    Parameters
    ----------
    folder : path
        The run folder.
    out : path, optional
        The bundle's folder; within the run folder by default.

    Raises
    ------
    InputError
        If there is no run, it has no checkpoint yet, or the patients are no longer those it began with.
    """
    require("train")
    run = RunFolder(Path(folder))
    if not run.last.is_file():
        raise InputError(
            f"There is no checkpoint at {run.last}.",
            hint="Give a run folder; the first checkpoint comes after run.checkpoint_every steps.",
        )
    config = run.config()
    material = gather(config.data)
    run.remember(material.records())  # other patients, dealt anew, would be measured on although learnt from
    loop = _loop(config, material)
    steps = _load(loop, run.last)
    bundle = Path(out) if out is not None else run.path / "bundle" / config.card.id
    return _finish(loop, run, bundle, material, steps, Start.remembered(run.path))


def _require_devices(run: RunConfig) -> None:
    """Refuse devices that torch does not find."""
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    there = {"gpu": cuda or mps, "cuda": cuda, "mps": mps}
    if not there.get(run.accelerator, True):
        raise DeviceError(
            f"run.accelerator is {run.accelerator!r}, which torch does not find here.",
            hint="Set run.accelerator=auto; `mrsynth doctor` shows what torch sees.",
        )
    if cuda and run.accelerator in ("auto", "gpu", "cuda") and run.devices > torch.cuda.device_count():
        raise DeviceError(
            f"run.devices is {run.devices}, but torch finds {torch.cuda.device_count()}.",
            hint="Set run.devices to as many, or fewer.",
        )


def _load(loop: Loop, checkpoint: Path) -> int:
    """Load a checkpoint's weights; return how many steps it had taken."""
    from napari_mrsynth.training.checkpoints import opened

    saved = opened(checkpoint)
    loop.load_state_dict(saved["state_dict"])
    return int(saved["global_step"])


def _loop(
    config: TrainConfig,
    material: Material,
    parent: Bundle | None = None,
    report: ProgressCallback | None = None,
    *,
    fresh: bool = False,
) -> Loop:
    """Build the system and its loop; what it begins with is in before any average of weights is taken."""
    import torch

    system = training_system(config, material.spread(config.data.contrasts))
    start = _begin(system, parent, config)
    if fresh:
        system.begin(material.patients, config.seed, report, new=None if start is None else start.new)
    system.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return loop_for(config, system, material.patients)


def _begin(system: TrainingSystem[Any], parent: Bundle | None, config: TrainConfig) -> Start | None:
    return None if parent is None else load_start(parent, system.network, config)


def _finish(
    loop: Loop, folder: RunFolder, bundle: Path, material: Material, steps: int, start: Start | None
) -> RunResult:
    """Measure the best or last network on the patients that were held out, and export it."""
    from napari_mrsynth.training.export import export_bundle, stored_state

    exported = steps
    if loop.config.validation.every and folder.best.is_file():
        exported = _load(loop, folder.best)
    network = loop.best_network
    network.load_state_dict(stored_state(network)[0])  # what is measured is what is stored
    results: dict[str, Any] = {}
    if material.held_out and loop.config.run.measure:
        results = measured(loop.config.system, network, material.held_out)
    folder.write("held_out.json", results)
    export_bundle(
        bundle, network, loop.config, material.patients, results, exported, start, material.held_out
    )
    people = {patient.subject: patient.person for patient in material.held_out}
    return RunResult(folder.path, bundle, steps, material.skipped, results, exported, start, people=people)
