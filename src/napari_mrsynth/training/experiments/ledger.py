"""Results kept row by row as they are made, so that an interrupted experiment goes on where it stopped."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from napari_mrsynth.errors import FormatError
from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.io.locking import alone_in


@dataclass(frozen=True)
class Row:
    """One region of one synthesised volume.

    Attributes
    ----------
    part : str
        ``test``, or the fold: ``fold-0`` ...
    patient, method : str
        Who, and what made it.
    inputs, target : str
        ``T1w+T2w`` and ``FLAIR``.
    region : str
        ``brain``, ``healthy`` or ``lesion``.
    voxels : int
        That were scored.
    nmse, mae, psnr, ssim, ncc : float
        With each volume divided by its own mean over the scored part of the brain, or both by the truth's
        where the experiment says so.
    """

    part: str
    patient: str
    method: str
    inputs: str
    target: str
    region: str
    voxels: int
    nmse: float
    mae: float
    psnr: float
    ssim: float
    ncc: float

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What was made: everything but the region and the figures."""
        return self.part, self.patient, self.method, self.inputs, self.target


NAMES = tuple(item.name for item in fields(Row))


class Ledger:
    """A CSV file of rows in the experiment's folder, one volume after the other.

    Beside it lies what the rows of each method in each part were made from. Rows whose origin is no longer
    the one given are dropped, so that a new model does not cost the old forests.

    Parameters
    ----------
    folder : Path
        Made where it does not exist.
    origins : mapping of (part, method) to mapping
        All that the figures depend on, as plain data: patients, settings, weights.

    Raises
    ------
    FormatError
        If an earlier table cannot be read.
    """

    def __init__(self, folder: Path, origins: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self._origins_path = folder / "results.csv", folder / "origins.json"
        origins = {key: json.loads(json.dumps(origin)) for key, origin in origins.items()}
        earlier = self._earlier_origins()
        stale = {key for key, origin in origins.items() if earlier.get(key, origin) != origin}
        read = _read(self.path) if self.path.is_file() else []
        self.rows = [row for row in read if (row.part, row.method) not in stale]
        self.dropped = len(read) - len(self.rows)
        self._done = {row.key for row in self.rows}
        self._write()
        self._write_origins({**earlier, **origins})

    @classmethod
    @contextmanager
    def alone(
        cls, folder: Path, origins: Mapping[tuple[str, str], Mapping[str, Any]], wait_s: float = 10.0
    ) -> Iterator[Ledger]:
        """Open it, and keep others from writing to it meanwhile; one that is just ending is waited for.

        Raises
        ------
        ConfigError
            If another process has it open.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with alone_in(folder, "experiment", "Wait for its end, or choose another --folder.", wait_s):
            yield cls(folder, origins)

    def has(self, part: str, patient: str, method: str, inputs: str, target: str) -> bool:
        """Whether this volume was scored already."""
        return (part, patient, method, inputs, target) in self._done

    def add(self, rows: Iterable[Row]) -> None:
        """Take in all the rows of one volume; they are in the file when this returns."""
        new = list(rows)
        with self.path.open("a", encoding="utf-8", newline="") as file:
            file.write(_lines(new))
        self.rows += new
        self._done |= {row.key for row in new}

    def _write(self) -> None:
        write_rows(self.path, self.rows)

    def _earlier_origins(self) -> dict[tuple[str, str], Any]:
        if not self._origins_path.is_file():
            return {}
        stored = json.loads(self._origins_path.read_text(encoding="utf-8"))
        return {
            (part, method): origin for part, methods in stored.items() for method, origin in methods.items()
        }

    def _write_origins(self, origins: Mapping[tuple[str, str], Any]) -> None:
        nested: dict[str, dict[str, Any]] = {}
        for (part, method), origin in origins.items():
            nested.setdefault(part, {})[method] = origin
        with replacing(self._origins_path) as temporary:
            temporary.write_text(json.dumps(nested, indent=1), encoding="utf-8")


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as CSV, whole or not at all."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(NAMES) + "\n" + _lines(rows))


def _lines(rows: Iterable[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(
        [f"{value:.6g}" if isinstance(value, float) else value for value in astuple(row)] for row in rows
    )
    return text.getvalue()


def _read(path: Path) -> list[Row]:
    """Read the rows; where the last line was cut short, its volume is left out."""
    text = path.read_text(encoding="utf-8")
    if text.split("\n", 1)[0] != ",".join(NAMES):
        raise FormatError(f"{path} is not a table of results.", hint="Move it away to start again.")
    whole, _, cut = text.rpartition("\n")
    rows = []
    for number, line in enumerate(csv.reader(whole.split("\n")[1:]), start=2):
        try:
            part, patient, method, inputs, target, region, voxels, *figures = line
            nmse, mae, psnr, ssim, ncc = (float(cell) for cell in figures)
        except ValueError as error:
            raise FormatError(
                f"Line {number} of {path} is damaged: {','.join(line)!r}.", hint="Delete that line."
            ) from error
        rows.append(
            Row(part, patient, method, inputs, target, region, int(voxels), nmse, mae, psnr, ssim, ncc)
        )
    while cut and rows and rows[-1].key == _key_of(cut, rows[-1]):
        rows.pop()
    return rows


def _key_of(cut: str, last: Row) -> tuple[str, ...]:
    """Return the key that a line cut short belongs to; the last whole row's where too little is left."""
    (cells,) = csv.reader([cut])
    return tuple(cells[:5]) if len(cells) > 5 else last.key
