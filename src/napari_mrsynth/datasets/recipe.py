"""Everything that the samples of a data set depend on, as plain data that can go to another process."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from napari_mrsynth.errors import ConfigError
from napari_mrsynth.structure.filtering import MAX_ERROR

ANATOMIES = ("random", "patients")
THRESHOLD = 0.95
"""Dice of the segmenter's answer that a sample needs, the paper's default."""

WHOLE_SET = 0.98
"""Mean Dice that the paper wants of a filtered set as a whole."""


@dataclass(frozen=True)
class Recipe:
    """How samples are made; two equal recipes make the same samples.

    Attributes
    ----------
    seed : int
        Of the whole set.
    anatomy : ``random`` or ``patients``
        Where structural feature maps come from.
    disease : str
        Whose lesion classes are drawn.
    contrasts : tuple of str
        What every sample gets.
    threshold : float
        Dice between the segmenter's answer and the label that a sample needs; 0 to take all.
    outline : float
        Largest disagreement of a random map's filled outline with its mask (algorithm 3).
    attempts : int
        How often a sample is drawn anew before it is given up.
    device : str
        Where samples are made, in float32; another one makes them a little different.
    labels : str
        Folder of lesion maps; empty where they are the patients' own.
    data : str
        Folder of patients, for their anatomy.
    patients : tuple of str
        Their folders below `data`.
    maps : tuple of str
        The patients' own lesion maps, below `data`; none where there is a folder of maps.
    structure_from : str
        The contrast of patients whose map is taken; unused for random anatomy.
    makes, judges, draws : str
        Folders of the bundles that make scans, segment them, and draw random anatomy (empty if unused).
    materials : tuple of (name, digest)
        What the folders held when the recipe was written: weights, lesion maps, patients.

    Raises
    ------
    ConfigError
        If a number is out of its range, or there is no such source of anatomy.
    """

    seed: int
    anatomy: str
    disease: str
    contrasts: tuple[str, ...]
    labels: str
    makes: str
    judges: str
    draws: str = ""
    data: str = ""
    patients: tuple[str, ...] = ()
    maps: tuple[str, ...] = ()
    structure_from: str = "T1w"
    threshold: float = THRESHOLD
    outline: float = MAX_ERROR
    attempts: int = 20
    device: str = "cpu"
    materials: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigError(f"The seed is {self.seed}.", hint="Give 0 or a positive whole number.")
        if self.anatomy not in ANATOMIES:
            raise ConfigError(
                f"Anatomy cannot come from {self.anatomy!r}.", hint=f"Choose {' or '.join(ANATOMIES)}."
            )
        if not 0 <= self.threshold <= 1:
            raise ConfigError(f"The threshold is {self.threshold:g}.", hint="Dice lies between 0 and 1.")
        if not 0 <= self.outline <= 1:
            raise ConfigError(
                f"The largest map error is {self.outline:g}.", hint="It is a share of the pixels, 0 to 1."
            )
        if self.attempts < 1:
            raise ConfigError(f"{self.attempts} attempts make no sample.", hint="Allow at least one.")

    @property
    def identity(self) -> dict[str, Any]:
        """Return what decides the samples, as plain data: contents count, not where they lie."""
        places = ("labels", "makes", "judges", "draws", "data", "maps")
        kept = {name: value for name, value in asdict(self).items() if name not in places}
        plain: dict[str, Any] = json.loads(json.dumps(kept))
        return plain

    def differences(self, earlier: Mapping[str, Any]) -> list[str]:
        """Return what differs from the identity of another recipe, in words; materials by their names."""
        mine = self.identity
        changed = {name for name in {*earlier, *mine} if earlier.get(name) != mine.get(name)}
        if "materials" in changed:
            pairs = [{tuple(pair) for pair in each.get("materials", ())} for each in (earlier, mine)]
            named = {name for name, _ in pairs[0] ^ pairs[1]}
            changed = changed - {"materials"} | (named or {"materials"})
        return sorted(changed)


@dataclass(frozen=True)
class Seeds:
    """The random numbers one attempt at one sample begins with.

    Attributes
    ----------
    anatomy, lesion : int
        For what is drawn.
    """

    anatomy: int
    lesion: int


def seeds_of(seed: int, index: int, attempt: int) -> Seeds:
    """Return the seeds of an attempt, which depend on nothing but the three numbers.

    Parameters
    ----------
    seed : int
        Of the set.
    index : int
        Of the sample, from 0.
    attempt : int
        From 0.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(index, attempt))
    anatomy, lesion = (int(value) for value in sequence.generate_state(2))
    return Seeds(anatomy, lesion)


def name_of(index: int) -> str:
    """Return what a sample is called: ``sub-000001`` for the first."""
    return f"sub-{index + 1:06d}"


def is_sample(name: str) -> bool:
    """Whether a folder of this name is a sample's."""
    return re.fullmatch(r"sub-\d{6,}", name) is not None


def digest_of(plain: Any) -> str:
    """Return a hex digest of plain data."""
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
