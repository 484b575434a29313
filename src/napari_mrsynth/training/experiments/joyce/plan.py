"""What the experiments here share: patients, configurations, and how they are rehearsed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_mrsynth.errors import ConfigError, InputError
from napari_mrsynth.training.config import DataConfig, TrainConfig, load_config
from napari_mrsynth.training.experiments.plan import (
    Part,
    Settings,
    deal,
    people_of,
    refuse_several_devices,
)
from napari_mrsynth.training.precision import FULL
from napari_mrsynth.training.prepared import Prepared, prepare_all
from napari_mrsynth.training.strict import refuse_fixed
from napari_mrsynth.training.subjects import Subject, find_subjects

CONTRASTS = ("T1w", "T1ce", "T2w", "FLAIR")
"""What patients of the cross-validated tables must have, so that all tables are of the same ones."""

QUICK_PATIENTS = 4
QUICK = ("optim.steps=12", "optim.batch=4", "optim.crop=64", "run.checkpoint_every=12")

COMMON = (
    "Data: {patients} of the folder `{root}` ({splits}), brought to {spacing:g} mm voxels and "
    "divided by their mean over the brain. The paper: 28 patients of ISLES 2015 and 54 of BRATS 2015 (low "
    "grade), halved in-plane to 112x80 and 128x128, divided by the mean of the whole volume, background "
    "and all. Its errors and these are therefore on different scales; what can be compared is how methods "
    "stand to each other.",
    "Error: the mean squared error over all brain voxels of {slices} axial slice, in squared means of the "
    "true scan; what a method makes is scored as it is, not rescaled. Mean ± standard deviation over "
    "patients.",
    "Networks: `{config}`, {likeness}; {steps} steps of {batch} axial crops of {crop} voxels (the paper: "
    "up to 100 epochs of whole slices, early stopping on a validation set). Every network of this table "
    "that is trained from the start learns for as many steps{precision}.",
)
PRECISION = ", in bfloat16, or in float32 on a processor without instructions for that"
REPEATED = (
    "Every network is trained {repeats} times, with seeds from {seed} on: a patient's figures are the means "
    "over these trainings. Forests and other plain methods are the same each time."
)
FOLDED = "Each patient is judged by what learnt from the other folds ({folds} folds; the paper: 5)."


PUBLISHED = {
    "encoder": "unet",
    "decoder": "shallow",
    "fusion": "max",
    "latent": 16,
    "neighbours": 0,
    "norm": False,
    "absolute": 1.0,
    "squared": 0.0,
    "variance": 1.0,
    "individual": 1.0,
    "subsets": "all",
    "brain_only": False,
}
"""The paper's network and cost in the words of a configuration, whose defaults they are."""


FIXED = {
    "data.contrasts": "the table says which contrasts are read",
    "data.normalisation": "scans are divided by their mean over the brain, in which errors are counted",
    "network.inputs": "the table says what its networks read",
    "network.outputs": "the table says what its networks make",
}
"""Settings that these tables decide themselves, beside those of every experiment."""


@dataclass(frozen=True)
class JoyceSettings(Settings):
    """What these tables are told beside.

    Parameters
    ----------
    repeats : int
        Trainings of each network, of which the mean counts.
    methods : tuple of str
        Of the table's, by their names in its rows; all by default.
    """

    repeats: int = 1
    methods: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.repeats < 1:
            raise ConfigError(f"{self.repeats} repeats train nothing.", hint="Give 1 or more.")


@dataclass(frozen=True)
class Joyce:
    """What an experiment is told, and the configurations it is made of.

    Attributes
    ----------
    settings : JoyceSettings

    Raises
    ------
    ConfigError
        If the settings change what the table decides.
    """

    settings: JoyceSettings

    def __post_init__(self) -> None:
        refuse_fixed(self.settings.overrides, FIXED)

    @property
    def trainings(self) -> Path:
        """Where trainings are kept: beside the experiment's folder, for other tables ask for some of them."""
        return self.settings.folder.parent / "networks"

    def config(self, path: Path | None = None) -> TrainConfig:
        """Read a configuration, the experiment's own by default, with the overrides that concern it.

        What overrides say of the network and the objective is meant for the experiment's own. Another one
        learns on as many slices, in as many steps.
        """
        given = (*self.settings.overrides, *(QUICK if self.settings.quick else ()))
        if path is None:
            config = load_config(self.settings.config, given)
            if config.start:
                raise ConfigError(
                    f"start is {config.start!r}, but the networks of these tables are trained from scratch.",
                    hint="Leave it out of the configuration, and out of --set.",
                )
            refuse_several_devices(config.run, "the networks of these tables")
            return config
        own = self.config().optim
        others = [text for text in given if text.startswith(("data.", "run.", "seed="))]
        config = load_config(path, others)
        return replace(config, optim=replace(config.optim, steps=own.steps, batch=own.batch, crop=own.crop))

    def data(self, contrasts: Sequence[str]) -> DataConfig:
        """Return the experiment's data with these contrasts."""
        return replace(
            self.config().data, contrasts=tuple(contrasts), split="train", normalisation="foreground-mean"
        )

    def patients(self, data: DataConfig) -> tuple[list[Prepared], list[tuple[str, str]]]:
        """Prepare the patients of a split; in a rehearsal only the last few."""
        subjects: Sequence[Subject] = find_subjects(data)
        return prepare_all(subjects[-QUICK_PATIENTS:] if self.settings.quick else subjects, data)

    def folds(self) -> tuple[tuple[Part, ...], tuple[tuple[str, str], ...]]:
        """Deal the patients who have :data:`CONTRASTS` into folds; also return who cannot be used, and why.

        Raises
        ------
        InputError
            If there are fewer of them than folds.
        """
        data = self.data(CONTRASTS)
        found, skipped = self.patients(data)
        folds = min(2, self.settings.folds) if self.settings.quick else self.settings.folds
        if (count := len(people_of(found))) < folds:
            raise InputError(
                f"Only {count} patients of {data.root} have {', '.join(CONTRASTS)}: too few for "
                f"{folds} folds.",
                hint="Ask for fewer with --folds, or name a folder with more patients: --data DIR.",
            )
        return tuple(deal(found, folds, self.every, {})), tuple(skipped)

    @property
    def every(self) -> int:
        """Every how many axial slices one is made and scored."""
        return self.settings.every * (8 if self.settings.quick else 1)

    def protocol(self, parts: Sequence[Part], *own: str, folded: bool = True) -> tuple[str, ...]:
        """Return the protocol: what all experiments share, then this one's own; `folded` if it has folds."""
        config = self.config()
        words = {
            "patients": f"{len({p.subject for part in parts for p in (*part.learn, *part.judge)})} patients",
            "root": Path(config.data.root).name,
            "splits": "split `train`" if folded else "split `train`, and `test` of the targets",
            "spacing": config.data.spacing_mm,
            "slices": "every" if self.every == 1 else f"every {self.every}th",
            "folds": len(parts),
            "config": self.settings.config.name,
            "likeness": likeness(config),
            "steps": config.optim.steps,
            "batch": config.optim.batch,
            "crop": f"{config.optim.crop}x{config.optim.crop}",
            "repeats": self.settings.repeats,
            "seed": config.seed,
            "precision": "" if config.optim.precision == FULL else PRECISION,
        }
        said = [*COMMON, *([FOLDED] if folded else []), *([REPEATED] if self.settings.repeats > 1 else [])]
        return (*(text.format(**words) for text in said), *own)


def narrowed(config: TrainConfig, inputs: Sequence[str], outputs: Sequence[str]) -> TrainConfig:
    """Return a configuration whose network has these inputs and outputs."""
    return replace(config, network={**config.network, "inputs": list(inputs), "outputs": list(outputs)})


def likeness(config: TrainConfig) -> str:
    """Say whether a network and its cost are the paper's, and in what they are not."""
    given = {**PUBLISHED, **config.network, **config.objective}
    unlike = [
        f"{key} {given[key]} (there {paper})" for key, paper in PUBLISHED.items() if given[key] != paper
    ]
    return f"not as in the paper: {', '.join(unlike)}" if unlike else "network and cost as in the paper"
