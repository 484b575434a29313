"""Typed training configurations: dataclasses read strictly from YAML, with ``a.b=c`` overrides.

An unknown key or a value of the wrong type is refused before anything else happens (see
:mod:`napari_mrsynth.training.strict`), and the nearest known names are offered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from napari_mrsynth.errors import ConfigError
from napari_mrsynth.training.limits import require_limits
from napari_mrsynth.training.strict import from_mapping, override

_WRITE = "Write it in YAML, one `setting: value` a line; the configs folder of a system has examples."


@dataclass(frozen=True)
class DataConfig:
    """Which patients, and how they are prepared.

    Attributes
    ----------
    root : str
        Folder of patients; a relative one is looked for from the working directory.
    table : str
        TSV with columns ``subject`` and ``split`` within `root`, and ``patient`` where one person has several
        sessions; without it, every folder is ``train``. A table of another name has to be there.
    split : str
        Which rows of the table are used.
    only : str
        Of those, the patients whose id matches this pattern: `tumour/*`; empty for all.
    contrasts : tuple of str
        What every patient must have. A name of your own is what a file's name ends with: `p1_CT.nii.gz`.
    spacing_mm : float
        Voxel size of the prepared volumes.
    normalisation : str
        ``foreground-mean`` or ``volume-mean``, by which a scan is divided.
    folds : int
        Into how many folds the patients who can be used are dealt, by their place in the sorted list, all
        sessions of one together; 1 for none.
    fold : int
        Which fold is held out, counted from 0.
    held_out : tuple of str
        Patients held out by name instead; not beside folds.
    cache : str
        Where prepared volumes are kept; empty for the user's cache folder.
    """

    root: str
    table: str = "subjects.tsv"
    split: str = "train"
    only: str = ""
    contrasts: tuple[str, ...] = ("T1w", "T1ce", "T2w", "FLAIR")
    spacing_mm: float = 1.0
    normalisation: str = "foreground-mean"
    folds: int = 1
    fold: int = 0
    held_out: tuple[str, ...] = ()
    cache: str = ""


@dataclass(frozen=True)
class ArtefactConfig:
    """How often an input of a training crop gets an artefact of the scanner, and how strong; none by default.

    Made with TorchIO on the inputs only, never on the truth, in the plane of the slices.

    Attributes
    ----------
    anisotropy : float
        Probability of in-plane blurring by thick voxels.
    motion : float
        Probability of a movement of the head during the scan.
    ghosting : float
        Probability of periodic ghosts.
    bias : float
        Probability of an uneven coil.
    noise : float
        Probability of thermal noise.
    gamma : float
        Probability of another contrast curve.
    anisotropy_factor : float
        Largest ratio of the voxels' sides.
    motion_degrees : float
        Largest rotation of the head, which moves twice during the scan.
    motion_voxels : float
        Largest shift of the head.
    ghosting_intensity : float
        Largest share of the ghosts in the signal.
    bias_size : float
        Largest coefficient of the field's polynomial (order 3), in log units.
    noise_std : float
        Largest standard deviation, in foreground means.
    gamma_log : float
        Largest logarithm of the exponent.
    """

    anisotropy: float = 0.0
    motion: float = 0.0
    ghosting: float = 0.0
    bias: float = 0.0
    noise: float = 0.0
    gamma: float = 0.0
    anisotropy_factor: float = 3.0
    motion_degrees: float = 5.0
    motion_voxels: float = 4.0
    ghosting_intensity: float = 0.6
    bias_size: float = 0.4
    noise_std: float = 0.1
    gamma_log: float = 0.3

    @property
    def any(self) -> bool:
        """Whether any artefact is ever made."""
        return any((self.anisotropy, self.motion, self.ghosting, self.bias, self.noise, self.gamma))


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes of the training crops.

    Attributes
    ----------
    flip : float
        Probability of a left-right mirror.
    turn : float
        Probability of an in-plane rotation and zoom.
    degrees : float
        Largest rotation.
    zoom : float
        Largest change of size, as a fraction.
    intensity : float
        Probability, per input, of a change of its intensities.
    gamma : float
        Largest logarithm of the exponent.
    contrast : float
        Largest logarithm of the stretch about the mean.
    bias : float
        Standard deviation of the logarithm of a smooth field.
    noise : float
        Largest standard deviation of added noise, in foreground means.
    artefacts : ArtefactConfig
        Artefacts of the scanner, in the inputs.
    """

    flip: float = 0.5
    turn: float = 0.3
    degrees: float = 10.0
    zoom: float = 0.1
    intensity: float = 0.5
    gamma: float = 0.2
    contrast: float = 0.2
    bias: float = 0.1
    noise: float = 0.02
    artefacts: ArtefactConfig = field(default_factory=ArtefactConfig)


@dataclass(frozen=True)
class OptimConfig:
    """How the weights are learnt.

    Attributes
    ----------
    steps : int
        Optimiser steps in all.
    batch : int
        Crops per step, over all devices together.
    crop : int
        Side of the square axial crops in voxels, a multiple of what the network needs.
    lr : float
        Largest learning rate of AdamW.
    weight_decay : float
        Its weight decay; with 0 it is Adam.
    warmup : int
        Steps over which the rate rises from 0.
    cosine : bool
        Whether it then falls to 0 along a cosine.
    clip : float
        Largest gradient norm; 0 for none.
    ema : float
        Decay of the averaged weights that are exported; 0 for none.
    precision : str
        ``32-true``, ``bf16-mixed`` or ``16-mixed``. A processor takes ``bf16-mixed`` for ``16-mixed``, and
        without bfloat16 instructions, which it would but imitate, several times slower, ``32-true`` for both.
    freeze_norms : bool
        Whether batch normalisations keep the statistics of the bundle that the training starts from: the
        network then learns as what it will be in use, whatever a batch is like.
    """

    steps: int = 2000
    batch: int = 8
    crop: int = 128
    lr: float = 1e-3
    weight_decay: float = 1e-4
    warmup: int = 100
    cosine: bool = True
    clip: float = 1.0
    ema: float = 0.995
    precision: str = "32-true"
    freeze_norms: bool = False


@dataclass(frozen=True)
class ValidationConfig:
    """How the training is watched on the patients that are held out; not at all by default.

    Attributes
    ----------
    every : int
        Steps between checks; 0 for none.
    slices : int
        Every how many slices one is synthesised.
    patience : int
        Checks without a smaller error after which the training stops; 0 for never.
    images : bool
        Whether each check draws inputs, made and truth into the run folder's ``samples``.
    """

    every: int = 0
    slices: int = 4
    patience: int = 0
    images: bool = True


@dataclass(frozen=True)
class RunConfig:
    """Where the run lives and what it runs on.

    Attributes
    ----------
    folder : str
        Run folder: config, log, checkpoints, bundle.
    checkpoint_every : int
        Steps from one checkpoint to the next.
    log_every : int
        Steps from one row of the log to the next.
    samples_every : int
        Steps from one picture of example slices to the next, where no check on held-out patients draws any; 0
        for none. Of a patient who is held out, else of one who is learnt from, which the picture says.
    accelerator : str
        ``auto``, ``cpu``, ``gpu``, ``cuda`` or ``mps``.
    devices : int
        How many of them in each machine.
    nodes : int
        How many machines.
    threads : int
        Processor threads; 0 leaves torch's choice.
    workers : int
        Processes that prepare crops ahead of the training; 0 for none.
    measure : bool
        Whether the patients held out are measured when the training ends.
    """

    folder: str = "runs/anysubset"
    checkpoint_every: int = 200
    log_every: int = 20
    samples_every: int = 0
    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    threads: int = 0
    workers: int = 0
    measure: bool = True


@dataclass(frozen=True)
class CardConfig:
    """What people should read on the exported bundle's card; figures are filled in from the run.

    Attributes
    ----------
    id : str
        Short name: letters, digits, ``.``, ``_`` and ``-``.
    title : str
        One line.
    summary : str
        A few sentences.
    licence : str
        Of the weights.
    data_licences : tuple of str
        Of the training data, with attribution.
    citation : str
        How to cite it.
    limits : str
        Where it fails.
    name_patients : bool
        Whether patients are called by their ids, as fits a public data set; else after their scans' hashes,
        for a folder's name may be a person's.
    """

    id: str = "unnamed"
    title: str = ""
    summary: str = ""
    licence: str = "CC-BY-4.0"
    data_licences: tuple[str, ...] = ()
    citation: str = ""
    limits: str = ""
    name_patients: bool = False


@dataclass(frozen=True)
class TrainConfig:
    """A whole training: the system, its network and objective, and everything around them.

    Attributes
    ----------
    system : str
        Which system is trained.
    data : DataConfig
        Which patients.
    network : mapping
        ``name`` of the registered network, and its parameters.
    objective : mapping
        What the system minimises.
    augment : AugmentConfig
        What is changed at random.
    optim : OptimConfig
        How the weights are learnt.
    validation : ValidationConfig
        How the training is watched.
    run : RunConfig
        Where it lives and runs.
    card : CardConfig
        What people read of it.
    start : str
        Id or folder of a bundle of the same system whose weights the training starts from; empty to start
        from scratch. Parts that it lacks start at random.
    start_fitting : bool
        Whether the start may have parts of another shape, as those that know classes or contrasts have where
        this network has more of them, or fewer. They start at random, unless the network knows what they
        are in its own shape: a generator's classes share what all of the start's together were.
    seed : int
        Decides everything that is drawn.
    """

    system: str
    data: DataConfig
    network: Mapping[str, Any]
    objective: Mapping[str, Any] = field(default_factory=dict)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    run: RunConfig = field(default_factory=RunConfig)
    card: CardConfig = field(default_factory=CardConfig)
    start: str = ""
    start_fitting: bool = False
    seed: int = 0


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read a training configuration.

    Parameters
    ----------
    path : path
        YAML file.
    overrides : sequence of str
        ``a.b=c`` each, `c` as YAML: ``optim.steps=100``.

    Raises
    ------
    ConfigError
        If the file or an override cannot be read, or has unknown keys or values that are ill-typed or out of
        their range.
    """
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"The configuration {path} cannot be read: {error}.", hint=_WRITE) from error
    if not isinstance(data, dict):
        raise ConfigError(f"The configuration {path} is not a mapping of keys to values.", hint=_WRITE)
    for text in overrides:
        override(data, text)
    config = from_mapping(TrainConfig, data)
    require_limits(config)
    return config
