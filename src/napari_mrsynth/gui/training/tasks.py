"""What a training is asked to do, as the command line that does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mrsynth.errors import InputError, MrsynthError
from napari_mrsynth.training.config import load_config
from napari_mrsynth.training.runfolder import ENDED
from napari_mrsynth.training.strict import override, refuse_fixed, setting

if TYPE_CHECKING:
    from napari_mrsynth.bundles import Card

PACE = ("optim.lr", "optim.batch", "optim.crop")
"""Settings that have fields among the options."""

MOST_PATIENTS = 5
"""How many patients a fine-tuning takes."""


@dataclass(frozen=True)
class FineTuneTask:
    """Adapt a model to a few patients.

    Attributes
    ----------
    bundle : str
        The parent's id.
    patients : tuple of Path
        Folders; one to five.
    parts : str
        ``decoder`` or ``all``.
    steps : int
    rate : float
        Learning rate at its highest.
    batch, crop : int
        Crops per step, and their side in voxels.
    id : str
        Of the new model; made up if empty.
    picture : Path, optional
        Where a slice that was kept aside is drawn, made before and after.
    """

    bundle: str
    patients: tuple[Path, ...]
    parts: str = "decoder"
    steps: int = 200
    rate: float = 5e-4
    batch: int = 8
    crop: int = 96
    id: str = ""
    picture: Path | None = None
    folder: None = None  # its logs and checkpoints are temporary

    def __post_init__(self) -> None:
        if not 1 <= len(self.patients) <= MOST_PATIENTS:
            raise InputError(
                f"{len(self.patients)} patients are listed; fine-tuning takes 1 to {MOST_PATIENTS}.",
                hint="Add or remove some, or train a model on all of them.",
            )

    @property
    def arguments(self) -> tuple[str, ...]:
        """What follows ``mrsynth``."""
        named = ("--id", self.id) if self.id else ()
        drawn = ("--picture", str(self.picture)) if self.picture is not None else ()
        pace = {"--steps": self.steps, "--rate": self.rate, "--batch": self.batch, "--crop": self.crop}
        options = (
            "--parts",
            self.parts,
            *(str(part) for pair in pace.items() for part in pair),
            *named,
            *drawn,
        )
        patients = (str(patient) for patient in self.patients)
        return ("finetune", *options, "--progress", "json", "--json", "--", self.bundle, *patients)


@dataclass(frozen=True)
class TrainTask:
    """Train a model as a configuration says, from scratch or from a model, on a data folder.

    Attributes
    ----------
    config : Path
        The configuration.
    root : Path
        The data folder.
    folder : Path
        The run folder; a run that was interrupted there goes on.
    id : str
        Of the new model.
    steps : int
    only : str
        Of the data folder's patients, those whose ids match this pattern; empty for all.
    held_out : tuple of str
        Patients who are not learnt from, by their ids; they alone, whatever folds the configuration has.
    check_every : int
        Steps between looks at them.
    checkpoint_every : int
        Steps between checkpoints, and so how long a pause waits.
    contrasts : tuple of str
        What every patient must have, and the network reads and makes; empty to leave it to the configuration.
    start : Card, optional
        The model whose weights it starts from, and whose network, voxel size and normalisation it takes over.
    scratch : bool
        Whether its weights begin at random, though the configuration names a model to start from.
    own : bool
        Whether the card's words are the user's; else what the shipped configuration says of its own data is
        not repeated.
    pace : mapping of str to float
        Of :data:`PACE`, what differs from the configuration.
    further : tuple of str
        Other settings that do: ``optim.ema=0.99``.
    watched : bool
        Whether held-out patients can be looked at while it learns; else example slices are drawn as often.

    Raises
    ------
    ConfigError
        If a further setting is not of that form, or is one that is given above.
    """

    config: Path
    root: Path
    folder: Path
    id: str
    steps: int
    only: str = ""
    held_out: tuple[str, ...] = ()
    check_every: int = 100
    checkpoint_every: int = 100
    contrasts: tuple[str, ...] = ()
    start: Card | None = None
    scratch: bool = False
    own: bool = False
    pace: Mapping[str, float] = field(default_factory=dict)
    further: tuple[str, ...] = ()
    watched: bool = True

    def __post_init__(self) -> None:
        for line in self.further:
            override({}, line)
        fields = [key for key in self._values if key == "card.id" or not key.startswith("card.")]
        refuse_fixed(self.further, dict.fromkeys((*fields, *PACE), "the fields above decide it"))
        listed = "the list of patients is the configuration's"
        refuse_fixed(self.further, dict.fromkeys(("data.table", "data.split"), listed))

    @property
    def arguments(self) -> tuple[str, ...]:
        """What follows ``mrsynth``."""
        settings = (setting(key, value) for key, value in self._values.items())
        pairs = (part for each in (*settings, *self.further) for part in ("--set", each))
        return ("train", *pairs, "--progress", "json", "--json", "--", str(self.config))

    @property
    def _values(self) -> dict[str, object]:
        """The settings that are not left to the configuration."""
        watches = self.watched and bool(self.held_out)
        values: dict[str, object] = {
            "data.root": str(self.root),
            "data.only": self.only,
            "data.held_out": list(self.held_out),
            "data.folds": 1,
            "data.fold": 0,
            "run.folder": str(self.folder),
            "run.checkpoint_every": self.checkpoint_every,
            "optim.steps": self.steps,
            "validation.every": self.check_every if watches else 0,
            "run.samples_every": 0 if watches else self.check_every,
            "card.id": self.id,
            **self.pace,
        }
        if not watches:
            values["validation.patience"] = 0
        if self.scratch:
            values |= {"start": "", "start_fitting": False, "optim.freeze_norms": False}
        if self.start is not None:
            values |= {
                "start": self.start.id,
                "network": dict(self.start.network),
                "data.contrasts": list(self.contrasts),
                "data.spacing_mm": self.start.spacing_mm,
                "data.normalisation": self.start.normalisation["method"],
            }
        elif self.contrasts:
            names = list(self.contrasts)
            values |= {"data.contrasts": names, "network.inputs": names, "network.outputs": names}
        if not self.own:
            values |= {
                "card.title": f"{self.id}, trained on own scans",
                "card.summary": "",
                "card.limits": "",
                "card.data_licences": ["Patients given by the user, known by their hashes only."],
                "card.name_patients": False,
            }
        return values


@dataclass(frozen=True)
class ResumeTask:
    """Go on with a training that was interrupted, as its run folder says.

    Attributes
    ----------
    folder : Path
        The run folder.
    id : str
        Of the new model.
    steps : int
    saved : float
        When the last checkpoint was written, in seconds of the Unix clock.
    checkpoint_every : int
        Steps between checkpoints.
    """

    folder: Path
    id: str
    steps: int
    saved: float = 0.0
    checkpoint_every: int = 100

    @property
    def arguments(self) -> tuple[str, ...]:
        """What follows ``mrsynth``."""
        here = setting("run.folder", str(self.folder))
        config = str(self.folder / "config.yaml")
        return ("train", "--set", here, "--progress", "json", "--json", "--", config)


def checkpoint_in(folder: Path) -> Path:
    """Return where a run folder keeps the checkpoint that its training goes on from."""
    return folder / "checkpoints" / "last.ckpt"


def is_finished(folder: Path, model: str) -> bool:
    """Say whether a run folder's training has come to its end, and its model is there.

    The model alone may have been exported for a first look.
    """
    return (folder / ENDED).is_file() and (folder / "bundle" / model / "card.yaml").is_file()


def unfinished(runs: Path) -> tuple[ResumeTask, ...]:
    """Return the trainings, of a folder of run folders, with a checkpoint and no model yet; newest first."""
    found = []
    for config in runs.glob("*/config.yaml"):
        folder = config.parent
        try:
            saved = checkpoint_in(folder).stat().st_mtime
            settings = load_config(config)
        except (OSError, MrsynthError):  # not begun, or not to be read: nothing to go on with
            continue
        if not is_finished(folder, settings.card.id):
            every = settings.run.checkpoint_every
            found.append(ResumeTask(folder, settings.card.id, settings.optim.steps, saved, every))
    return tuple(sorted(found, key=lambda task: -task.saved))


Task = FineTuneTask | TrainTask | ResumeTask
TRAININGS = (TrainTask, ResumeTask)
"""Those that keep a run folder, and so can be paused and gone on with."""
