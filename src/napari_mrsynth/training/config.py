"""Typed training configurations: dataclasses read strictly from YAML, with ``a.b=c`` overrides.

An unknown key or a value of the wrong type is refused before anything else happens, and the nearest known
names are offered.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml

from napari_mrsynth.errors import ConfigError

T = TypeVar("T")

_WRITE = "Write it in YAML, one `setting: value` a line; the configs folder of a system has examples."
_CHANGE = "Change it in the configuration file, or override it with SETTING=VALUE."


@dataclass(frozen=True)
class DataConfig:
    """Which patients, and how they are prepared.

    Attributes
    ----------
    root : str
        Folder of patients; a relative one is looked for from the working directory.
    table : str
        TSV with columns ``subject`` and ``split`` within `root`; without it, every folder is ``train``.
    split : str
        Which rows of the table are used.
    contrasts : tuple of str
        What every patient must have.
    spacing_mm : float
        Voxel size of the prepared volumes.
    normalisation : str
        One of :data:`napari_mrsynth.preprocess.normalise.METHODS`.
    folds, fold : int
        With `folds` > 1, fold `fold` is held out: patients are dealt by their place in the sorted list.
    held_out : tuple of str
        Patients held out by name instead.
    cache : str
        Where prepared volumes are kept; empty for the user's cache folder.
    """

    root: str
    table: str = "subjects.tsv"
    split: str = "train"
    contrasts: tuple[str, ...] = ("T1w", "T1ce", "T2w", "FLAIR")
    spacing_mm: float = 1.0
    normalisation: str = "foreground-mean"
    folds: int = 1
    fold: int = 0
    held_out: tuple[str, ...] = ()
    cache: str = ""


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes of the training crops.

    Attributes
    ----------
    flip : float
        Probability of a left-right mirror.
    turn : float
        Probability of an in-plane rotation and zoom.
    degrees, zoom : float
        Their largest size: degrees, and a fraction of the size.
    intensity : float
        Probability, per input, of a change of its intensities.
    gamma, contrast, bias : float
        Largest log-exponent, log-stretch about the mean, and log-amplitude of a smooth field.
    noise : float
        Largest standard deviation of added noise, in foreground means.
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


@dataclass(frozen=True)
class OptimConfig:
    """How the weights are learnt.

    Attributes
    ----------
    steps : int
        Optimiser steps in all.
    batch : int
        Crops per step.
    crop : int
        Side of the square axial crops in voxels.
    lr, weight_decay : float
        Of AdamW (Adam where the decay is 0).
    warmup : int
        Steps over which the rate rises from 0; it then falls to 0 along a cosine where `cosine` is set.
    clip : float
        Largest gradient norm; 0 for none.
    ema : float
        Decay of the averaged weights that are exported; 0 for none.
    precision : str
        Lightning's: ``32-true``, ``bf16-mixed``, ``16-mixed``.
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


@dataclass(frozen=True)
class RunConfig:
    """Where the run lives and what it runs on.

    Attributes
    ----------
    folder : str
        Run folder: config, log, checkpoints, bundle.
    checkpoint_every, log_every : int
        Steps.
    accelerator : str
        Lightning's: ``auto``, ``cpu``, ``gpu``, ``mps``.
    devices, nodes : int
        How many of them per node, and nodes.
    threads : int
        Processor threads; 0 leaves torch's choice.
    """

    folder: str = "runs/anysubset"
    checkpoint_every: int = 200
    log_every: int = 20
    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    threads: int = 0


@dataclass(frozen=True)
class CardConfig:
    """What people should read on the exported bundle's card; figures are filled in from the run."""

    id: str = "unnamed"
    title: str = ""
    summary: str = ""
    licence: str = "CC-BY-4.0"
    data_licences: tuple[str, ...] = ()
    citation: str = ""
    limits: str = ""


@dataclass(frozen=True)
class TrainConfig:
    """A whole training: the system, its network and objective, and everything around them."""

    system: str
    data: DataConfig
    network: Mapping[str, Any]
    objective: Mapping[str, Any] = field(default_factory=dict)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    run: RunConfig = field(default_factory=RunConfig)
    card: CardConfig = field(default_factory=CardConfig)
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
        If the file or an override cannot be read, or has unknown or ill-typed keys.
    """
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"The configuration {path} cannot be read: {error}.", hint=_WRITE) from error
    if not isinstance(data, dict):
        raise ConfigError(f"The configuration {path} is not a mapping of keys to values.", hint=_WRITE)
    for override in overrides:
        _override(data, override)
    return from_mapping(TrainConfig, data)


def from_mapping(cls: type[T], data: Mapping[str, Any], where: str = "") -> T:
    """Make a dataclass from plain data, checking every key and type.

    Parameters
    ----------
    cls : type
        A dataclass.
    data : mapping
        As YAML gives it.
    where : str
        Dotted place of `data` in the whole, for messages.

    Raises
    ------
    ConfigError
        Quoting the dotted key and the value.
    """
    hints = typing.get_type_hints(cls)
    known = {item.name: item for item in fields(cls)}  # type: ignore[arg-type]
    for key in data:
        if key not in known:
            raise ConfigError(f"There is no setting {_dotted(where, key)!r}.", hint=_nearest(key, known))
    values = {}
    for name, item in known.items():
        if name in data:
            values[name] = _convert(hints[name], data[name], _dotted(where, name))
        elif item.default is MISSING and item.default_factory is MISSING:
            raise ConfigError(f"The setting {_dotted(where, name)!r} is missing.", hint="Give it a value.")
    return cls(**values)


def _convert(kind: Any, value: Any, where: str) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where!r} is {value!r}; it holds settings of its own.", hint=_CHANGE)
        return from_mapping(kind, value, where)
    origin = typing.get_origin(kind)
    if origin is tuple:
        inner = typing.get_args(kind)[0]
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise ConfigError(f"{where!r} is {value!r}; it should be a list.", hint=_CHANGE)
        return tuple(_convert(inner, item, where) for item in value)
    if origin in (types.UnionType, typing.Union):
        return value
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where!r} is {value!r}; it should be a mapping.", hint=_CHANGE)
        return dict(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is float and isinstance(value, str):  # YAML reads 1e-3 as text
        try:
            return float(value)
        except ValueError:
            pass
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f"{where!r} is {value!r}; it should be {_in_words(kind)}.", hint=_CHANGE)
    return value


def _override(data: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(
            f"The override {override!r} is not of the form a.b=value.", hint="For example: optim.steps=100"
        )
    *parents, last = key.strip().split(".")
    place = data
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, dict):
            raise ConfigError(
                f"The override {override!r} goes into {parent!r}, which holds a single value.",
                hint=f"Give {parent!r} itself a value, or name a setting that it holds.",
            )
    try:
        place[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(
            f"The value of the override {override!r} cannot be read: {error}.", hint="Write it as in YAML."
        ) from error


def _nearest(key: str, known: Iterable[str]) -> str:
    names = list(known)
    near = get_close_matches(str(key), names, n=2)
    return f"Did you mean {' or '.join(near)}?" if near else f"Known settings: {', '.join(names)}."


def _dotted(where: str, key: str) -> str:
    return f"{where}.{key}" if where else str(key)


def _in_words(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    return names.get(kind, str(kind))
