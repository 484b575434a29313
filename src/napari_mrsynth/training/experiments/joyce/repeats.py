"""Every network of a table trained several times: the mean over them, and what another training changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from napari_mrsynth.training.config import TrainConfig
from napari_mrsynth.training.experiments.joyce.experiment import Arm, Experiment
from napari_mrsynth.training.experiments.ledger import Row
from napari_mrsynth.training.experiments.plan import Part

_AGAIN = ", training "
_FIGURES = ("nmse", "mae", "psnr", "ssim", "ncc")


def repeated(experiment: Experiment, repeats: int) -> Experiment:
    """Return an experiment that asks whatever is trained for so many trainings in all.

    Parameters
    ----------
    experiment : Experiment
    repeats : int
        1 leaves it as it is.
    """
    parts = [again(part, number) for number in range(repeats) for part in experiment.parts]
    arms = tuple(replace(arm, where=_asked(arm)) for arm in experiment.arms)
    return replace(experiment, parts=tuple(parts), arms=arms)


def again(part: Part, number: int) -> Part:
    """Return a part for training `number`; the first, 0, is the part itself."""
    return replace(part, name=f"{part.name}{_AGAIN}{number + 1}", repeat=number) if number else part


def seeded(config: TrainConfig, part: Part) -> TrainConfig:
    """Return a configuration for a part's training: each has its own seed, the first the given one."""
    return replace(config, seed=config.seed + part.repeat)


def averaged(rows: Iterable[Row]) -> list[Row]:
    """Return every patient's figures as their means over the trainings, in rows of the first one's parts."""
    cells: dict[tuple[str, ...], list[Row]] = {}
    for row in map(_as_first, rows):
        cells.setdefault((*row.key, row.region), []).append(row)
    return [_mean(found) if len(found) > 1 else found[0] for found in cells.values()]


def training(rows: Sequence[Row], number: int) -> list[Row]:
    """Return the rows of one training, as rows of the first one's parts; of what is not trained, all."""
    often = {row.method for row in rows if _AGAIN in row.part}
    return [_as_first(row) for row in rows if row.method not in often or _number(row) == number]


def _asked(arm: Arm) -> Callable[[Part], bool]:
    return lambda part: arm.where(part) and (arm.maker.trained or not part.repeat)


def _mean(rows: Sequence[Row]) -> Row:
    figures: dict[str, Any] = {
        name: float(np.mean([getattr(row, name) for row in rows])) for name in _FIGURES
    }
    return replace(rows[0], **figures)


def _as_first(row: Row) -> Row:
    return replace(row, part=row.part.rpartition(_AGAIN)[0]) if _AGAIN in row.part else row


def _number(row: Row) -> int:
    return int(row.part.rpartition(_AGAIN)[2]) - 1 if _AGAIN in row.part else 0
