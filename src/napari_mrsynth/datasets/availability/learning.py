"""One arm learnt and judged, or taken from an earlier run of the same one."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mrsynth.datasets.availability.arms import MOST, Arm
from napari_mrsynth.datasets.availability.mixing import CLASSICAL, PRE_TRAINING, MixedLoop, Pool
from napari_mrsynth.datasets.availability.sides import Sides
from napari_mrsynth.datasets.recipe import digest_of
from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.progress import ProgressCallback
from napari_mrsynth.training.config import DataConfig, TrainConfig
from napari_mrsynth.training.overlap import measure_overlap
from napari_mrsynth.training.prepared import Prepared
from napari_mrsynth.training.registry import training_system
from napari_mrsynth.training.runfolder import RunFolder

if TYPE_CHECKING:
    from torch import nn

LAYOUT = 1
"""Raised when arms are trained or scored in another way, so that old results are made anew."""

PUBLISHED = "label-value-dice"
"""What the paper's measure is called among the figures."""


@dataclass(frozen=True)
class Judged:
    """One trained arm on the judged patients.

    Attributes
    ----------
    arm : Arm
    repeat : int
        Which training, by its seed.
    figures : mapping of measure to (mapping of patient to float)
        Dice of ``label-1`` and so on and of ``lesion``, and :data:`PUBLISHED`.
    used : mapping of kind to int
        Patients in each pool.
    folder : Path
        Where its checkpoint is.
    """

    arm: Arm
    repeat: int
    figures: Mapping[str, Mapping[str, float]]
    used: Mapping[str, int]
    folder: Path


def pools_of(arm: Arm, sides: Sides, seed: int) -> tuple[Pool, ...]:
    """Choose the patients of an arm; arms with more of a kind have all that those with fewer have.

    Real patients are taken whole. The largest multiple of synthetic data takes every synthetic patient, a
    smaller one its share of them.
    """
    real = _some(sides.learn, arm.real, seed)
    made = _some(sides.synthetic, arm.synthetic / MOST, seed)
    pools = (
        Pool("real", real, arm.real),
        Pool("synthetic", made, arm.synthetic),
        Pool("enhanced", real, arm.enhanced),
    )
    return tuple(pool for pool in pools if pool.amount)


def _some(patients: Sequence[Prepared], share: float, seed: int) -> tuple[Prepared, ...]:
    if not share:
        return ()
    order = np.random.default_rng(seed).permutation(len(patients))
    count = max(1, round(share * len(patients)))
    return tuple(patients[int(index)] for index in sorted(order[:count]))


def judge(
    arm: Arm,
    repeat: int,
    sides: Sides,
    config: TrainConfig,
    folder: Path,
    report: ProgressCallback | None = None,
) -> Judged:
    """Train a segmenter on an arm's patients and measure it, unless that was done already.

    An interrupted training goes on where it was.

    Parameters
    ----------
    arm : Arm
    repeat : int
        Added to the configuration's seed.
    sides : Sides
    config : TrainConfig
        Of the segmenter; the same for every arm.
    folder : Path
        Where trainings and results are kept.
    report : callable, optional
        Told the progress of the training.
    """
    seed = config.seed + repeat
    pools = pools_of(arm, sides, seed)
    origin = _origin(arm, pools, sides, config, seed)
    where = folder / f"{arm.name}-{repeat}-{digest_of(origin)[:8]}"
    result = where / "result.json"
    used = {pool.kind: len(pool.patients) for pool in pools}
    figures = _earlier(result, origin)
    if figures is None:
        data = config.data
        settled = replace(
            config,
            seed=seed,
            data=DataConfig("", contrasts=data.contrasts, normalisation=data.normalisation),
            run=replace(config.run, folder=str(where)),
        )
        network = _trained(arm, settled, pools, where, report)
        measured = measure_overlap(network, sides.judge)
        figures = {**measured["dice"], PUBLISHED: measured["label_value_dice"]}
        with replacing(result) as temporary:
            temporary.write_text(
                json.dumps({"origin": origin, "figures": figures}, indent=1), encoding="utf-8"
            )
    return Judged(arm, repeat, figures, used, where)


def network_of(judged: Judged, config: TrainConfig) -> nn.Module:
    """Return the trained network of an arm, from its checkpoint."""
    import torch

    system = training_system(config, [1.0] * len(config.data.contrasts))
    saved = torch.load(judged.folder / "checkpoints" / "last.ckpt", map_location="cpu", weights_only=True)
    state = saved["state_dict"]
    prefix = "averaged.module." if config.optim.ema else "system.network."
    network: nn.Module = system.network
    network.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    return network


def _trained(
    arm: Arm, config: TrainConfig, pools: Sequence[Pool], folder: Path, report: ProgressCallback | None
) -> nn.Module:
    import lightning
    import torch

    from napari_mrsynth.training.loop import fit

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
    run = RunFolder(folder)
    run.claim(config)
    run.keep(config)
    lightning.seed_everything(config.seed, verbose=False)  # every arm starts from the same weights
    torch.use_deterministic_algorithms(True, warn_only=True)
    system = training_system(config, [1.0] * len(config.data.contrasts))
    system = system.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    loop = MixedLoop(system, config, pools, arm)
    fit(loop, folder, report)
    return loop.best_network


def _origin(arm: Arm, pools: Sequence[Pool], sides: Sides, config: TrainConfig, seed: int) -> dict[str, Any]:
    """Return all that an arm's figures depend on, as plain data."""
    plain = asdict(config)
    learnt = {key: plain[key] for key in ("system", "network", "objective", "augment", "optim")}
    data = {key: plain["data"][key] for key in ("contrasts", "spacing_mm", "normalisation")}
    origin = {
        "layout": LAYOUT,
        "arm": asdict(arm),
        "seed": seed,
        "settings": {**learnt, "data": data},
        "classical": asdict(CLASSICAL),
        "pre_training": PRE_TRAINING,
        "pools": {pool.kind: [patient.record()["sha256"] for patient in pool.patients] for pool in pools},
        "judge": {patient.subject: patient.record()["sha256"] for patient in sides.judge},
    }
    found: dict[str, Any] = json.loads(json.dumps(origin))
    return found


def _earlier(result: Path, origin: Mapping[str, Any]) -> dict[str, dict[str, float]] | None:
    try:
        stored = json.loads(result.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(stored, dict) or stored.get("origin") != origin:
        return None
    found: dict[str, dict[str, float]] = stored["figures"]
    return found
