"""What the session is doing, in one sentence a person can act on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from napari_mrsynth.progress import Progress


class State(Enum):
    """The states a session can be in."""

    EMPTY = "empty"
    READY = "ready"
    BLOCKED = "blocked"
    BUSY = "busy"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Status:
    """A state, said in words.

    Attributes
    ----------
    state : State
    message : str
        What is, for people.
    hint : str
        What to do next; may be empty.
    progress : Progress or None
        Only while busy.
    """

    state: State
    message: str
    hint: str = ""
    progress: Progress | None = None
