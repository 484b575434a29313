"""Train a network on prepared patients with the project's loop, once: an interrupted training goes on."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from napari_mrsynth.bundles import CARD_FILE, Bundle
from napari_mrsynth.io.locking import alone_in
from napari_mrsynth.progress import Progress, ProgressCallback
from napari_mrsynth.training.adapt import Pace, adapt, spread_of
from napari_mrsynth.training.config import TrainConfig
from napari_mrsynth.training.export import export_bundle
from napari_mrsynth.training.prepared import Prepared
from napari_mrsynth.training.registry import training_system
from napari_mrsynth.training.transfer import tuned


def digest_of(config: TrainConfig, patients: Sequence[Prepared], view: str) -> str:
    """Return what names a training: all that its result depends on, hashed."""
    learnt = {key: value for key, value in asdict(config).items() if key not in ("run", "card", "data")}
    records = sorted(patient.record()["sha256"] for patient in patients)
    shape = [patients[0].contrasts, config.data.spacing_mm, config.data.normalisation]
    return hashlib.sha256(json.dumps([learnt, shape, records, view], sort_keys=True).encode()).hexdigest()[
        :16
    ]


def fitted(
    folder: Path,
    config: TrainConfig,
    patients: Sequence[Prepared],
    view: str = "",
    report: ProgressCallback | None = None,
) -> Bundle:
    """Return the bundle of a training, training it where that has not been done.

    Parameters
    ----------
    folder : Path
        Of all trainings; each has a folder named by its digest.
    config : TrainConfig
        The patients are given, whatever its data section says.
    patients : sequence of Prepared
        With the network's contrasts, and perhaps others; all in one order.
    view : str
        How the patients are seen, where not as they were prepared.
    report : callable, optional
        Told the progress.

    Raises
    ------
    ConfigError
        If the network cannot be built.
    DivergedError
        If the loss becomes NaN or infinite.
    """
    place = folder / digest_of(config, patients, view)
    return made_once(place / "bundle", lambda bundle: _fit(bundle, config, patients, report), report)


def _fit(
    bundle: Path, config: TrainConfig, patients: Sequence[Prepared], report: ProgressCallback | None
) -> None:
    import lightning
    import torch

    from napari_mrsynth.training.loop import Loop, fit
    from napari_mrsynth.training.runfolder import RunFolder

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
    lightning.seed_everything(config.seed, verbose=False)
    place = bundle.parent
    data = replace(config.data, contrasts=patients[0].contrasts)
    config = replace(config, data=data, run=replace(config.run, folder=str(place)))
    system = training_system(config, spread_of(patients, config.data.contrasts))
    if not RunFolder(place).last.is_file():
        system.begin(patients, config.seed)
    loop = Loop(system.to(memory_format=torch.channels_last), config, patients)  # type: ignore[call-overload]
    fit(loop, place, report)
    export_bundle(bundle, loop.best_network, config, patients, {}, loop.global_step)


def tuned_decoder(
    folder: Path,
    parent: Bundle,
    config: TrainConfig,
    patients: Sequence[Prepared],
    pace: Pace,
    report: ProgressCallback | None = None,
) -> Bundle:
    """Return a parent whose decoder learnt from a few more patients, letting it learn where it has not yet.

    It learns for the cost of :mod:`napari_mrsynth.systems.anysubset.adaptation`, not for the configuration's.
    The seconds that it took are among the results on its card.
    """

    def learn(bundle: Path) -> None:
        start = time.monotonic()
        network = adapt(tuned(parent, "decoder"), patients, pace, bundle.parent, report)
        seconds = round(time.monotonic() - start, 1)
        export_bundle(bundle, network, config, patients, {"seconds": seconds}, pace.steps)

    return made_once(tuned_folder(folder, parent, patients, pace), learn, report)


def tuned_folder(folder: Path, parent: Bundle, patients: Sequence[Prepared], pace: Pace) -> Path:
    """Return where :func:`tuned_decoder` keeps its bundle."""
    key = [parent.card.weights_sha256, asdict(pace), sorted(p.record()["sha256"] for p in patients)]
    return folder / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16] / "bundle"


def made_once(bundle: Path, make: Callable[[Path], None], report: ProgressCallback | None) -> Bundle:
    """Open a bundle, making it where it is not there; one that another process makes now is waited for.

    Parameters
    ----------
    bundle : Path
        Its folder. The one that holds it is kept to one process meanwhile.
    make : callable
        Given the folder, writes the bundle there.
    report : callable, optional
        Told when another process is waited for.
    """

    def waiting() -> None:
        if report is not None:
            report(Progress(0.0, "waiting for another process that trains it"))

    if not (bundle / CARD_FILE).is_file():
        bundle.parent.mkdir(parents=True, exist_ok=True)
        with alone_in(bundle.parent, "training", "Wait for its end.", math.inf, waiting):
            if not (bundle / CARD_FILE).is_file():
                make(bundle)
    return Bundle.open(bundle)
