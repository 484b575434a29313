"""A row of the table of bad inputs, and the command lines that rows are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bad.models import tiny_model
from bad.scans import patient

OUT = "{out}"
"""Stands on a command line for an output folder that does not exist yet."""

Make = Callable[[Path], "list[object]"]


@dataclass(frozen=True)
class Refused:
    """One bad input and the answer to it.

    Attributes
    ----------
    what : str
        What is wrong.
    make : callable
        Writes the input into a folder and returns the command line.
    error : str
        Class of the error.
    says : tuple of str
        What the message must quote.
    hint : str
        What the hint must say; upper and lower case are alike.
    disturb : callable or None
        Breaks the machine for the length of the run (a full disk, a missing GPU).
    """

    what: str
    make: Make
    error: str
    says: tuple[str, ...]
    hint: str
    disturb: Callable[[pytest.MonkeyPatch], None] | None = None


@dataclass(frozen=True)
class Mended:
    """One input that is wrong in a way that can be put right, and the note that must say so."""

    what: str
    make: Callable[[Path], Path]
    note: str


def study(make: Callable[..., Path], *arguments: Any, as_: str = "") -> Make:
    """``mrsynth study PATH`` (or ``NAME=PATH``) on what `make` writes."""
    return lambda folder: ["study", f"{as_}{make(folder, *arguments)}"]


def synthesize(*options: object, want: str = "FLAIR", contrasts: tuple[str, ...] = ("T1w", "T2w")) -> Make:
    """``mrsynth synthesize`` with a sound patient, a sound model and these options.

    A callable among the options is given the folder and returns the option.
    """

    def make(folder: Path) -> list[object]:
        tiny_model(folder)
        given = [option(folder) if callable(option) else option for option in options]
        return ["synthesize", patient(folder, *contrasts), "--want", want, "--out", OUT, *given]

    return make


def with_model(broken: Callable[..., Path], *arguments: Any, **named: Any) -> Make:
    """``mrsynth synthesize --bundle tiny`` with a sound patient and the model that `broken` makes."""

    def make(folder: Path) -> list[object]:
        broken(folder, *arguments, **named)
        return ["synthesize", patient(folder), "--want", "T1ce", "--bundle", "tiny", "--out", OUT]

    return make
