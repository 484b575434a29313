"""What every subcommand says and how: one report to standard output, all else to standard error."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, redirect_stdout
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Any, Protocol, TypeVar

from napari_mrsynth.progress import Progress, ProgressCallback

Outcome = TypeVar("Outcome")
REDRAW_SECONDS = 0.1
QUIET_SECONDS = 60.0
"""Longest silence of a log while work goes on."""


@dataclass(frozen=True)
class Report:
    """What a subcommand returns; the command line prints it.

    Attributes
    ----------
    payload : mapping
        What ``--json`` prints: plain data, paths, numpy numbers and arrays. Non-finite numbers become null.
    text : str
        The same for people.
    exit_code : int
        0 where the command did what it was asked, else what it exits with.
    """

    payload: Mapping[str, Any]
    text: str
    exit_code: int = 0


class Style(StrEnum):
    """How progress is told."""

    TEXT = "text"
    JSON = "json"


class HasProgress(Protocol):
    """A step of long work that carries its progress."""

    @property
    def progress(self) -> Progress:
        """How far the work is."""


def follow(work: Generator[Progress | HasProgress, None, Outcome]) -> Outcome:
    """Run a generator to its end, showing its progress on standard error, and return its result."""
    with closing(work), showing_progress() as show:
        while True:
            try:
                step = next(work)
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome
            show(step if isinstance(step, Progress) else step.progress)


@contextmanager
def showing_progress() -> Iterator[ProgressCallback]:
    """Yield a function that shows progress on standard error.

    On a terminal one line is rewritten, and wiped at the end; elsewhere each tenth of the work gets a
    line, and each minute at least.
    """
    live = sys.stderr.isatty()
    shown_at, shown_tenth = -QUIET_SECONDS, -1

    def show(progress: Progress) -> None:
        nonlocal shown_at, shown_tenth
        tenth, now = int(10 * progress.fraction), time.monotonic()
        if live and now - shown_at >= REDRAW_SECONDS:
            sys.stderr.write(f"\r\x1b[2K{progress}")
            sys.stderr.flush()
            shown_at = now
        elif not live and (tenth > shown_tenth or now - shown_at >= QUIET_SECONDS):
            say(str(progress))
            shown_at = now
        shown_tenth = max(tenth, shown_tenth)

    try:
        yield show
    finally:
        if live and shown_tenth >= 0:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


def telling(style: Style) -> AbstractContextManager[ProgressCallback]:
    """Show progress on standard error, for people or as one JSON object a line."""
    return _json_lines() if style is Style.JSON else showing_progress()


@contextmanager
def _json_lines() -> Iterator[ProgressCallback]:
    def show(progress: Progress) -> None:
        say(json.dumps(asdict(progress)))

    yield show


def say(text: str) -> None:
    """Tell the user something on standard error."""
    sys.stderr.write(f"{text}\n")


def told(text: str) -> bool:
    """Print `text` on standard output; False where its reader (``head``, say) went away before the end."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that Python's last flush finds an open end
        return False
    return True


def to_json(payload: Mapping[str, Any]) -> str:
    """Return `payload` as one JSON object on one line, in ASCII: a pipe may have any encoding."""
    return json.dumps(_plain(payload), allow_nan=False)


@contextmanager
def only_the_report_on_stdout() -> Iterator[None]:
    """Send what anything else prints meanwhile, Python or native code, to standard error."""
    with redirect_stdout(sys.stderr), _native_stdout_to_stderr():
        yield


@contextmanager
def _native_stdout_to_stderr() -> Iterator[None]:
    try:
        kept = os.dup(1)
    except OSError:  # closed by the caller: nothing can reach it
        yield
        return
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "tolist"):  # a numpy number or array
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def table(rows: Sequence[tuple[str, ...]], header: tuple[str, ...]) -> str:
    """Align `rows` under `header` in columns, for people."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def pairs(values: Mapping[str, object]) -> str:
    """Write ``name  value`` lines with the values aligned, for people."""
    width = max((len(name) for name in values), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in values.items())


def left_out(skipped: Iterable[tuple[object, str]]) -> list[str]:
    """Say who or what was left out, each with its reason."""
    return [f"Left out: {name}: {reason}" for name, reason in skipped]


def absolute(path: Path) -> Path:
    """Return `path` with ``~`` expanded and made absolute, so that a report can be used anywhere."""
    return path.expanduser().absolute()
