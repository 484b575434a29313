"""What happened to each sample: taken or given up, after which refusals; and what that makes of the set."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from napari_mrsynth.datasets.recipe import WHOLE_SET

MAP, LESION, DICE = "map", "lesion", "dice"
REASONS: Mapping[str, str] = MappingProxyType(
    {
        MAP: "no map with a closed outline was drawn",
        LESION: "no lesion fitted into the brain",
        DICE: "the segmenter did not find the lesion again",
    }
)
"""Why an attempt can be refused, in the order in which it is looked at."""


@dataclass(frozen=True)
class Refusal:
    """Why one attempt gave no sample.

    Attributes
    ----------
    reason : str
        Of :data:`REASONS`.
    detail : str
        In words, with figures.
    dice : float or None
        Where the segmenter was asked.
    maps : int
        Maps that were drawn on the way.
    """

    reason: str
    detail: str
    dice: float | None = None
    maps: int = 0


@dataclass(frozen=True)
class Record:
    """One sample, finished: it is in the set, or was given up.

    Attributes
    ----------
    name : str
    index : int
    accepted : bool
    refusals : tuple of Refusal
        Of the attempts before, or of all.
    maps : int
        Maps drawn in all attempts; 0 where none is drawn at random.
    about : mapping
        Of an accepted sample: ``seeds``, ``anatomy``, ``lesion``, ``dice``, ``files`` and more; plain data.
    """

    name: str
    index: int
    accepted: bool
    refusals: tuple[Refusal, ...] = ()
    maps: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def attempts(self) -> int:
        """How often it was tried."""
        return len(self.refusals) + int(self.accepted)

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Record:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        ValueError, KeyError, TypeError
            If it is something else.
        """
        plain = json.loads(text)
        refusals = tuple(Refusal(**each) for each in plain.pop("refusals"))
        return cls(**plain, refusals=refusals)


def summary(records: Sequence[Record], asked: int) -> dict[str, Any]:
    """Return how a set came about, as plain data.

    Parameters
    ----------
    records : sequence of Record
        Every sample that is finished.
    asked : int
        How many samples are wanted.

    Returns
    -------
    dict
        ``asked``, ``made``, ``given_up``, ``attempts``; ``acceptance_rate``: samples per attempt; ``refused``
        by reason; ``filters``: what reached each filter, what passed, and the share; ``dice`` of the samples.
    """
    made = [record for record in records if record.accepted]
    refused = dict.fromkeys(REASONS, 0)
    for record in records:
        for refusal in record.refusals:
            refused[refusal.reason] += 1
    attempts = sum(record.attempts for record in records)
    maps = sum(record.maps for record in records)
    past_map = attempts - refused[MAP]
    past_lesion = past_map - refused[LESION]
    filters = {
        MAP: _passed(past_map, maps) if maps else None,
        LESION: _passed(past_lesion, past_map),
        DICE: _passed(len(made), past_lesion),
    }
    return {
        "asked": asked,
        "made": len(made),
        "given_up": len(records) - len(made),
        "attempts": attempts,
        "acceptance_rate": len(made) / attempts if attempts else None,
        "refused": refused,
        "filters": filters,
        "dice": _dice(made, records),
    }


def _passed(passed: int, reached: int) -> dict[str, Any]:
    return {"reached": reached, "passed": passed, "rate": passed / reached if reached else None}


def _dice(made: Sequence[Record], records: Sequence[Record]) -> dict[str, Any]:
    """Return the mean Dice of what is in the set and of all that the segmenter judged."""
    kept = [float(record.about["dice"]["overall"]) for record in made]
    judged = kept + [r.dice for record in records for r in record.refusals if r.dice is not None]
    return {
        "kept": float(np.mean(kept)) if kept else None,
        "before_the_filter": float(np.mean(judged)) if judged else None,
        "wanted_of_the_set": WHOLE_SET,
        "set_reaches_it": bool(kept) and float(np.mean(kept)) >= WHOLE_SET,
    }
