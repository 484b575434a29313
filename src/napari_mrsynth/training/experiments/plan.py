"""What the any-subset experiment runs: methods, patients to learn from, patients to be judged on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import ConfigError, InputError
from napari_mrsynth.preprocess.likeness import KnownScans
from napari_mrsynth.training.baselines import Baseline, Case, LinearRegression, MeanImage, RandomForest
from napari_mrsynth.training.config import DataConfig, RunConfig, load_config
from napari_mrsynth.training.prepared import Prepared, prepare_all
from napari_mrsynth.training.shipped import called
from napari_mrsynth.training.strict import refuse_fixed
from napari_mrsynth.training.subjects import find_subjects

if TYPE_CHECKING:
    from napari_mrsynth.bundles import Bundle

NETWORK = "network"
METHODS = ("mean", "linear", "forest", NETWORK)
QUICK_STEPS = 20
SCORING = 1
"""Raised when figures change their meaning, so that kept rows are made anew."""


DEALT = dict.fromkeys(
    ("data.folds", "data.fold", "data.held_out"), "the patients are dealt into as many folds as --folds says"
) | {"run.folder": "trainings are kept where --folder says"}
"""Settings that whatever cross-validates decides itself, and how."""

UNWATCHED = dict.fromkeys(
    ("validation.every", "validation.patience"),
    "the last weights are measured; chosen on whom they are measured on, they would flatter",
)
"""Settings that would let a training choose its weights on the patients that judge it."""
LAST_WEIGHTS = tuple(f"{setting}=0" for setting in UNWATCHED)
"""The overrides that leave it its last ones."""

FIXED = {**DEALT, **UNWATCHED, "data.split": "the patients of the split `train` are learnt from"}
"""Settings that an experiment decides itself, and how."""


@dataclass(frozen=True)
class Settings:
    """What every experiment is told.

    Parameters
    ----------
    config : path
        The training configuration: its data, and how the folds' networks are trained.
    overrides : sequence of str
        ``data.root=DIR`` and the like.
    folder : Path
        Where rows, trained folds and bundles are kept; a second run goes on from there.
    folds : int
        Of the cross-validation; 0 leaves it out.
    every : int
        In the cross-validation only every so many axial slices are made and scored.
    seed : int
        Of the forest.
    jobs : int
        Threads of the forest; does not change the figures.
    quick : bool
        A rehearsal in minutes: short trainings, small forests, few slices. Its figures say nothing.
    """

    config: Path
    overrides: tuple[str, ...] = ()
    folder: Path = Path("runs/any-subset")
    folds: int = 5
    every: int = 8
    seed: int = 0
    jobs: int = 1
    quick: bool = False

    def __post_init__(self) -> None:
        if self.folds == 1 or self.folds < 0:
            raise ConfigError(f"{self.folds} folds cannot be made.", hint="Give 2 or more, or 0 for none.")
        if self.every < 1 or self.jobs < 1:
            raise ConfigError(f"every={self.every} and jobs={self.jobs} must be at least 1.")
        refuse_fixed(self.overrides, FIXED)

    @property
    def forest(self) -> RandomForest:
        """The forest, not fitted yet."""
        if self.quick:
            return RandomForest(trees=5, samples=2000, seed=self.seed, n_jobs=self.jobs)
        return RandomForest(seed=self.seed, n_jobs=self.jobs)

    def baseline(self, name: str) -> Baseline:
        """Return a plain method by its name, not fitted yet."""
        makers: Mapping[str, Callable[[], Baseline]] = {
            "mean": MeanImage,
            "linear": LinearRegression,
            "forest": lambda: self.forest,
        }
        return makers[name]()


@dataclass(frozen=True)
class AnySubset(Settings):
    """What the any-subset experiment is told beside.

    Parameters
    ----------
    bundle : Bundle, optional
        The network judged on ``test``; by default one is trained on all of ``train``.
    test : bool
        Whether the ``test`` patients are scored.
    methods : sequence of str
        Of :data:`METHODS`.
    """

    bundle: Bundle | None = None
    test: bool = True
    methods: tuple[str, ...] = METHODS

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [method for method in self.methods if method not in METHODS]
        if unknown or not self.methods:
            raise ConfigError(
                f"There is no method {', '.join(map(repr, unknown)) or 'chosen'}.",
                hint=f"Choose from {', '.join(METHODS)}.",
            )
        if not self.folds and not self.test:
            raise ConfigError("Neither folds nor test patients are to be scored.", hint="Give --folds 5.")


def refuse_several_devices(
    run: RunConfig, what: str, hint: str = "Give --set run.devices=1 --set run.nodes=1."
) -> None:
    """Refuse a configuration that trains in several processes, of which each would run the whole experiment.

    Parameters
    ----------
    run : RunConfig
    what : str
        What is trained, for the message: ``folds``.
    hint : str

    Raises
    ------
    ConfigError
        If it asks for several devices or machines.
    """
    if run.devices * run.nodes > 1:
        raise ConfigError(
            f"run.devices is {run.devices}, run.nodes is {run.nodes}: {what} are trained in one process.",
            hint=hint,
        )


def command_of(settings: AnySubset) -> str:
    """Write the command that makes the any-subset figures; where the data lie is left out."""
    own = [f"--bundle {settings.bundle.card.id}"] if settings.bundle is not None else []
    own += [f"--folds {settings.folds}", f"--methods {','.join(settings.methods)}"]
    return written(settings, "any-subset", *own)


def written(settings: Settings, name: str, *own: str) -> str:
    """Write the command of an experiment with its own options; where the data lie is left out."""
    config = called(settings.config, "anysubset")
    said = [f"mrsynth experiment {name}", f"--config {config}", *changes(settings.overrides)]
    return " ".join([*said, *own, *(["--quick"] if settings.quick else [])])


def changes(overrides: Sequence[str]) -> list[str]:
    """Write the changed settings of a command; where the data lie is left out."""
    return [f"--set {change}" for change in overrides if not change.startswith("data.root=")]


@dataclass(frozen=True)
class Part:
    """Patients to learn from, patients to be judged on, and which of their slices.

    Invariant: no scan is on both sides, and nobody. `repeat` numbers the trainings, where there are several.
    """

    name: str
    learn: tuple[Prepared, ...]
    judge: tuple[Prepared, ...]
    every: int
    cases: dict[str, Case] = field(default_factory=dict, repr=False, compare=False)
    repeat: int = 0

    def __post_init__(self) -> None:
        learnt = KnownScans.of(patient.record() for patient in self.learn)
        people = {patient.person for patient in self.learn}
        both = [p.subject for p in self.judge if p.person in people or learnt.find(p.record())]
        if both:
            raise InputError(f"{', '.join(both)} would be both learnt from and judged on in {self.name}.")

    def case(self, patient: Prepared) -> Case:
        """Return a patient's case, shared by all parts."""
        if patient.subject not in self.cases:
            self.cases[patient.subject] = Case.of(patient)
        return self.cases[patient.subject]

    def planes(self, patient: Prepared) -> NDArray[np.intp]:
        """Return the axial slices that are scored: every so many of those that show brain, centred."""
        brain = np.flatnonzero(patient.mask.any(axis=(1, 2)))
        return brain[(len(brain) - 1) % self.every // 2 :: self.every]


def parts_of(settings: AnySubset, data: DataConfig) -> tuple[list[Part], list[tuple[str, str]]]:
    """Deal the patients into folds and the test part; also return those that cannot be used, and why.

    Raises
    ------
    InputError
        If there are fewer usable patients than folds, or none to test.
    """
    train, skipped = prepare_all(find_subjects(replace(data, split="train")), data)
    shared: dict[str, Case] = {}
    folds = min(2, settings.folds) if settings.quick else settings.folds
    every = 4 * settings.every if settings.quick else settings.every
    if (count := len(people_of(train))) < max(folds, 1):
        raise InputError(f"Only {count} patients of {data.root} can be used: too few for {folds} folds.")
    parts = deal(train, folds, every, shared)
    if settings.test:
        test, more = prepare_all(find_subjects(replace(data, split="test")), data)
        skipped += more
        if not test:
            raise InputError(f"No patient of the split 'test' in {data.root} can be used.")
        parts.append(Part("test", tuple(train), tuple(test), every if settings.quick else 1, shared))
    return parts, skipped


def deal(patients: Sequence[Prepared], folds: int, every: int, shared: dict[str, Case]) -> list[Part]:
    """Deal patients into folds, each judged by what the others teach; `shared` keeps their cases.

    All sessions of a person are dealt together.
    """
    people, parts = people_of(patients), []
    for fold in range(folds):
        judge = tuple(patient for patient in patients if patient.person in people[fold::folds])
        learn = tuple(patient for patient in patients if patient not in judge)
        parts.append(Part(f"fold-{fold}", learn, judge, every, shared))
    return parts


def people_of(patients: Sequence[Prepared]) -> tuple[str, ...]:
    """Return who the patients are, each once, in their order."""
    return tuple(dict.fromkeys(patient.person for patient in patients))


def origin(settings: AnySubset, part: Part, method: str) -> Mapping[str, Any]:
    """Return all that the figures of a method in a part depend on, as plain data."""
    depends: dict[str, Any] = {
        "scoring": SCORING,
        "learn": {patient.subject: patient.record()["sha256"] for patient in part.learn},
        "judge": {patient.subject: patient.record()["sha256"] for patient in part.judge},
        "every": part.every,
        "quick": settings.quick,
    }
    if method == "forest":
        depends["settings"] = settings.forest.settings
    if method == NETWORK and part.name == "test" and settings.bundle is not None:
        depends["weights"] = settings.bundle.card.weights_sha256
    elif method == NETWORK:
        config = asdict(load_config(settings.config, [*settings.overrides, *LAST_WEIGHTS]))
        learnt = {key: value for key, value in config.items() if key not in ("run", "card")}
        depends["training"] = hashlib.sha256(json.dumps(learnt, sort_keys=True).encode()).hexdigest()
    return depends
