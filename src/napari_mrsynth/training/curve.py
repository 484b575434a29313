"""Figures by step in a CSV file that survives a kill and goes on where the training does."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from napari_mrsynth.io.atomic import replacing


class Curve:
    """A table of figures by step: every row is on the disk once it was added.

    Parameters
    ----------
    path : Path
        The CSV file.
    first : int
        Rows of this step and later ones are from a run that was interrupted, and are dropped.
    """

    def __init__(self, path: Path, first: int) -> None:
        self.path = path
        self.columns: list[str] = ["step"]
        rows: list[dict[str, str]] = []
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as lines:
                reader = csv.DictReader(lines)
                rows = [row for row in reader if _step(row) is not None and (_step(row) or 0) < first]
                self.columns += [c for c in reader.fieldnames or () if c != "step"]
        self._write(rows)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Append a row; a column that is new is added to the whole table."""
        new = [name for name in values if name not in self.columns]
        if new:
            with self.path.open(encoding="utf-8", newline="") as lines:
                rows = list(csv.DictReader(lines))
            self.columns += new
            self._write(rows)
        with self.path.open("a", encoding="utf-8", newline="") as lines:
            csv.DictWriter(lines, self.columns, lineterminator="\n").writerow({"step": step, **values})

    def _write(self, rows: list[dict[str, str]]) -> None:
        with (
            replacing(self.path) as temporary,
            Path(temporary).open("w", encoding="utf-8", newline="") as lines,
        ):
            writer = csv.DictWriter(lines, self.columns, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


class CurveLogger(Logger):  # type: ignore[misc]
    """Lightning's figures into a :class:`Curve`.

    Parameters
    ----------
    path : Path
        The CSV file.
    first : int
        The step the training goes on from.
    """

    def __init__(self, path: Path, first: int) -> None:
        super().__init__()
        self._path, self._first = path, first
        self._curve: Curve | None = None

    @property
    def name(self) -> str:
        """The logger's name."""
        return "curve"

    @property
    def version(self) -> str:
        """There is one."""
        return ""

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the run folder holds the configuration."""

    @rank_zero_only  # type: ignore[untyped-decorator]
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append a row."""
        if self._curve is None:
            self._curve = Curve(self._path, self._first)
        self._curve.add(step or 0, {name: value for name, value in metrics.items() if name != "epoch"})


def _step(row: Mapping[str, str | None]) -> int | None:
    """Return a row's step; None for half a row."""
    try:
        return int(row.get("step") or "")
    except ValueError:
        return None
