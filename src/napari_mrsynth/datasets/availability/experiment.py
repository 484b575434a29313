"""The whole experiment: every arm trained and judged, and how the synthetic slices compare with real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from napari_mrsynth.datasets.availability.arms import PAPER, QUICK, REAL_ONLY, Arm, arms_of
from napari_mrsynth.datasets.availability.learning import PUBLISHED, Judged, judge, network_of
from napari_mrsynth.datasets.availability.realism import PAIRS, SLICES, Realism, compare
from napari_mrsynth.datasets.availability.sides import Sides, sides_of
from napari_mrsynth.datasets.folder import DatasetFolder
from napari_mrsynth.errors import ConfigError
from napari_mrsynth.evaluation.patients import OverPatients, over_patients
from napari_mrsynth.progress import Progress, ProgressCallback, Stopwatch
from napari_mrsynth.training.config import AugmentConfig, TrainConfig, ValidationConfig, load_config
from napari_mrsynth.training.extras import require
from napari_mrsynth.training.shipped import shipped_configurations

QUICK_SETTINGS = ("optim.steps=12", "optim.batch=2", "optim.crop=48", "run.checkpoint_every=12")
QUICK_PATIENTS = 8
"""Real patients, and synthetic ones, of a rehearsal at most."""

NOTHING_RANDOM = AugmentConfig(flip=0.0, turn=0.0, intensity=0.0)
"""The control is augmented data; the other arms have none, as in the paper."""


@dataclass(frozen=True)
class Settings:
    """What is asked.

    Attributes
    ----------
    real, synthetic : Path
        Folders of patients, and of a data set.
    out : Path
        Where trainings and results are kept; an interrupted experiment goes on there.
    config : Path
        The segmenter's training configuration.
    overrides : tuple of str
        ``optim.steps=100`` and the like.
    only : str
        Pattern of the real patients' ids.
    held_out : tuple of str
        Who is judged on; see :func:`sides_of`.
    arms : tuple of int
        Lines of the paper's table; all by default.
    repeats : int
        Trainings of each arm, of which the mean counts.
    quick : bool
        A rehearsal: few arms, short trainings.
    """

    real: Path
    synthetic: Path
    out: Path
    config: Path
    overrides: tuple[str, ...] = ()
    only: str = ""
    held_out: tuple[str, ...] = ()
    arms: tuple[int, ...] = ()
    repeats: int = 1
    quick: bool = False

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise ConfigError(f"{self.repeats} repeats train nothing.", hint="Give 1 or more.")

    @property
    def folder(self) -> Path:
        """Where this experiment's things are; a rehearsal never mixes with the real one."""
        return self.out / "quick" if self.quick else self.out


@dataclass(frozen=True)
class Outcome:
    """What was found.

    Attributes
    ----------
    settings : Settings
    config : TrainConfig
    sides : Sides
    arms : tuple of Arm
    judged : tuple of Judged
    realism : Realism
    """

    settings: Settings
    config: TrainConfig
    sides: Sides
    arms: tuple[Arm, ...]
    judged: tuple[Judged, ...]
    realism: Realism
    measures: tuple[str, ...] = field(default=())

    def values(self, arm: Arm, measure: str) -> Mapping[str, float]:
        """Return a figure by patient: the mean over the repeats."""
        found: dict[str, list[float]] = {}
        for each in self.judged:
            if each.arm == arm:
                for patient, value in each.figures.get(measure, {}).items():
                    found.setdefault(patient, []).append(value)
        return {patient: float(np.mean(values)) for patient, values in found.items()}

    def spread(self, arm: Arm, measure: str) -> OverPatients:
        """Return the mean over the patients, with its intervals."""
        return over_patients(list(self.values(arm, measure).values()))

    def gain(self, arm: Arm, measure: str) -> OverPatients:
        """Return by how much an arm is better than real data alone, patient by patient."""
        base = next(each for each in self.arms if each.number == REAL_ONLY)
        mine, theirs = self.values(arm, measure), self.values(base, measure)
        return over_patients([mine[patient] - theirs[patient] for patient in mine if patient in theirs])

    def used(self, arm: Arm) -> Mapping[str, int]:
        """Return how many patients of each kind an arm learnt from."""
        return next(each.used for each in self.judged if each.arm == arm)


def run(settings: Settings, report: ProgressCallback | None = None) -> Outcome:
    """Train and judge every arm that an earlier run in the same folder has not finished.

    Parameters
    ----------
    settings : Settings
    report : callable, optional
        Told the progress.

    Raises
    ------
    ConfigError
        If the configuration is wrong or not a segmenter's, or a package for training is missing.
    InputError
        If there are too few patients, or one would be on both sides.
    FormatError
        If the synthetic folder is not a data set.
    """
    require("train")
    recipe = DatasetFolder(settings.synthetic).manifest()["recipe"]
    config = configuration(settings, flat=recipe.get("anatomy") == "random")
    arms = arms_of(settings.arms or (QUICK if settings.quick else tuple(arm.number for arm in PAPER)))
    data = replace(config.data, root=str(settings.real), only=settings.only, held_out=(), folds=1)
    sides = sides_of(
        data,
        settings.synthetic,
        settings.held_out,
        report,
        cache=settings.out / "prepared",
        most=QUICK_PATIENTS if settings.quick else 0,
    )
    todo = [(arm, repeat) for repeat in range(settings.repeats) for arm in arms]
    watch, judged = Stopwatch(), []
    for done, (arm, repeat) in enumerate(todo):
        said = f"line {arm.number}, {arm.title}"
        judged.append(
            judge(arm, repeat, sides, config, settings.folder / "arms", _within(report, done, todo, said))
        )
        if report is not None:
            report(watch.at((done + 1) / len(todo), said))
    base = next(each for each in judged if each.arm.number == REAL_ONLY)
    realism = compare(
        (*sides.learn, *sides.judge),
        sides.synthetic,
        network_of(base, config),
        pairs=10 if settings.quick else PAIRS,
        slices=20 if settings.quick else SLICES,
        seed=config.seed,
    )
    measures = (*(name for name in base.figures if name != PUBLISHED), PUBLISHED)
    return Outcome(settings, config, sides, arms, tuple(judged), realism, measures)


def configuration(settings: Settings, *, flat: bool = False) -> TrainConfig:
    """Read the segmenter's configuration as the experiment uses it.

    Parameters
    ----------
    settings : Settings
    flat : bool
        Whether samples are one slice thick: the segmenter then sees no neighbouring slices, which it would
        otherwise learn to be copies.

    Raises
    ------
    ConfigError
        If it is wrong, or of another system.
    """
    given = (*settings.overrides, *(QUICK_SETTINGS if settings.quick else ()))
    config = load_config(settings.config, given)
    if config.system != "segmenter":
        raise ConfigError(
            f"{settings.config.name} trains the system {config.system!r}.",
            hint="Availability is measured by a segmenter; give the configuration of one.",
        )
    asked = any(text.startswith("augment.") for text in settings.overrides)
    alone = flat and not any(text.startswith("network.neighbours") for text in settings.overrides)
    return replace(
        config,
        network={**config.network, "neighbours": 0} if alone else config.network,
        augment=config.augment if asked else NOTHING_RANDOM,
        validation=ValidationConfig(),
        start="",
    )


def shipped_config(disease: str) -> Path:
    """Return the configuration of the segmenter that is shipped for a disease.

    Raises
    ------
    ConfigError
        If there is none.
    """
    path = shipped_configurations().get(f"segmenter/{disease}")
    if path is None:
        raise ConfigError(
            f"No segmenter of {disease!r} is shipped.", hint="Name a configuration with --config."
        )
    return path


def _within(
    report: ProgressCallback | None, done: int, todo: Sequence[object], said: str
) -> ProgressCallback | None:
    """Return a callback that tells a training's progress as its share of the whole."""
    if report is None:
        return None
    return lambda inner: report(Progress((done + inner.fraction) / len(todo), f"{said}: {inner.message}"))
