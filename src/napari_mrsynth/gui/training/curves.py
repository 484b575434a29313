"""The figures a training writes while it runs, read as they come."""

from __future__ import annotations

import csv
import io
import math
import os
import re
from pathlib import Path

Point = tuple[int, float]

_STEP = re.compile(r"step (\d+) of (\d+), loss (\S+)")


def step_in(message: str) -> tuple[int, int, float] | None:
    """Return step, last step and loss of a progress message; None where it names none."""
    found = _STEP.fullmatch(message)
    if found is None:
        return None
    step, last, loss = found.groups()
    try:
        return int(step), int(last), float(loss)
    except ValueError:
        return None


class Tail:
    """One figure of a CSV file by step, of which only what is new is read.

    The file may not be there yet, be replaced by another (when a training goes on) or end in half a row.

    Parameters
    ----------
    path : Path
    column : str
        Its column; empty for the first after the step's.

    Attributes
    ----------
    points : list of (step, value)
        What has been read.
    """

    def __init__(self, path: Path, column: str = "") -> None:
        self._path, self._column = path, column
        self._file: int | None = None
        self._read = 0
        self._names: list[str] = []
        self.points: list[Point] = []

    @property
    def name(self) -> str:
        """What the figure is called; empty where that is not known yet."""
        return self._column or next((name for name in self._names if name != "step"), "")

    def read(self) -> bool:
        """Read what is new into :attr:`points`; return whether there was anything."""
        try:
            with self._path.open("rb") as lines:
                status = os.fstat(lines.fileno())
                if status.st_ino != self._file or status.st_size < self._read:
                    self._file, self._read, self._names, self.points = status.st_ino, 0, [], []
                lines.seek(self._read)
                new = lines.read()
        except OSError:
            return False
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for row in csv.reader(io.StringIO(whole.decode("utf-8"))):
            if not self._names:
                self._names = row
            elif (point := self._point(row)) is not None:
                self.points.append(point)
        return bool(whole)

    def _point(self, row: list[str]) -> Point | None:
        values = dict(zip(self._names, row, strict=False))
        try:
            point = int(values["step"]), float(values[self.name])
        except (KeyError, ValueError):
            return None
        return point if math.isfinite(point[1]) else None


def newest_sample(folder: Path) -> Path | None:
    """Return the newest picture of a run folder; None where there is none."""
    return max((folder / "samples").glob("step-*.png"), default=None)
