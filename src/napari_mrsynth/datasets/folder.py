"""A data set on disk: BIDS-like patients that appear whole or not at all, one record each, and a manifest."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_mrsynth import __version__
from napari_mrsynth.datasets.recipe import Recipe, is_sample
from napari_mrsynth.datasets.record import Record, summary
from napari_mrsynth.errors import ConfigError, FormatError, OutputError
from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.io.locking import LOCK, alone_in
from napari_mrsynth.io.provenance import WARNING

MANIFEST = "manifest.json"
RECORDS = ".records"
PART = ".part"
COLUMNS = ("participant_id", "subject", "split", "anatomy", "lesion", "dice", "attempts", "seed")
README = f"""# A synthetic data set

Every scan, label and mask in this folder was made by napari-mrsynth {__version__}. {WARNING}

- `sub-*/anat`: contrasts, brain mask (`desc-brain`) and lesion label (`label-lesion`), each with a JSON file
  that says how it was made.
- `participants.tsv` and `subjects.tsv`: one line per sample.
- `manifest.json`: the recipe, the models, the acceptance rate, and why attempts were refused.
"""


@dataclass(frozen=True)
class DatasetFolder:
    """Where a data set is.

    Attributes
    ----------
    path : Path
        Holds ``sub-*/anat``, ``participants.tsv``, ``subjects.tsv`` (for trainings), ``manifest.json``,
        ``dataset_description.json``, ``README.md`` and the hidden ``.records``.
    """

    path: Path

    @contextmanager
    def alone(self, wait_s: float = 10.0) -> Iterator[None]:
        """Make the folder, and keep other builds out of it; the processes of one build share it.

        Raises
        ------
        OutputError
            If the folder cannot be made, or holds something else.
        ConfigError
            If another build runs in it.
        """
        self._require_own()
        with self._telling():
            self.path.mkdir(parents=True, exist_ok=True)
        with alone_in(self.path, "build", "Wait for its end, or choose another folder.", wait_s):
            yield

    def claim(self, recipe: Recipe) -> None:
        """Begin a set, or check that the one begun here has the same recipe; remove what was left half made.

        Raises
        ------
        ConfigError
            If a set with another recipe lives here, naming what differs.
        FormatError
            If there are samples of a set without its manifest.
        OutputError
            If the folder cannot be written.
        """
        manifest = self.path / MANIFEST
        if manifest.is_file():
            earlier = self.manifest()["recipe"]
            changed = recipe.differences(earlier)
            if changed:
                raise ConfigError(
                    f"The data set in {self.path} was begun with another {', '.join(changed)}.",
                    hint="Choose another folder, or go on with the settings in its manifest.json.",
                )
        elif self.records():
            raise FormatError(
                f"The data set in {self.path} has samples, but its {MANIFEST} is gone.",
                hint="Put it back, or choose another folder.",
            )
        with self._telling():
            (self.path / RECORDS).mkdir(parents=True, exist_ok=True)
            self._write("README.md", README)
            self._write("dataset_description.json", _json(_description()))
            self._sweep()
        if not manifest.is_file():
            self.conclude(recipe, [], 0, {})

    def manifest(self) -> dict[str, Any]:
        """Return the manifest.

        Raises
        ------
        FormatError
            If there is none, or it is damaged.
        """
        path = self.path / MANIFEST
        if not path.is_file():
            what = f"has no {MANIFEST}" if self.path.is_dir() else "is not a folder"
            raise FormatError(
                f"“{self.path}” is not a data set: it {what}.",
                hint="Give the folder that `mrsynth dataset build` wrote.",
            )
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            found: dict[str, Any] = {**plain, "recipe": dict(plain["recipe"])}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FormatError(
                f"{path} is not the manifest of a data set: {error}.",
                hint="Give the folder that `mrsynth dataset build` wrote.",
            ) from error
        return found

    def records(self) -> list[Record]:
        """Return the records of all finished samples, by index.

        Damaged ones, and samples of which an image is gone, count as not finished.
        """
        found = []
        for path in sorted((self.path / RECORDS).glob("sub-*.json")):
            try:
                record = Record.from_json(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, KeyError, TypeError):
                continue
            files = record.about.get("files", {}).values()
            if all((self.path / file).is_file() for file in files):
                found.append(record)
        return sorted(found, key=lambda record: record.index)

    @contextmanager
    def making(self, name: str) -> Iterator[Path]:
        """Yield a hidden folder that becomes the sample's on success and disappears on failure.

        Raises
        ------
        OutputError
            If the disk refuses.
        """
        part = self.path / f".{name}.{secrets.token_hex(4)}{PART}"
        try:
            with self._telling():
                part.mkdir(parents=True)
                yield part
                shutil.rmtree(self.path / name, ignore_errors=True)
                os.replace(part, self.path / name)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def keep(self, record: Record) -> None:
        """Write a sample's record: from now on it is finished."""
        self._write(f"{RECORDS}/{record.name}.json", record.to_json())

    def conclude(
        self, recipe: Recipe, records: Sequence[Record], asked: int, about: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Write the tables and the manifest of what is finished, and return the manifest.

        Parameters
        ----------
        recipe : Recipe
        records : sequence of Record
        asked : int
            How many samples were asked for.
        about : mapping
            More to be said: models, patients, lesion maps.
        """
        made = [record for record in records if record.accepted]
        manifest = {
            "what": f"Synthetic data set. {WARNING}",
            "software": {"name": "napari-mrsynth", "version": __version__},
            "recipe": recipe.identity,
            **about,
            **summary(records, asked),
            "samples": [
                {"name": record.name, "attempts": record.attempts, **record.about} for record in made
            ],
            "given_up_samples": [
                {"name": record.name, "refusals": [refusal.detail for refusal in record.refusals]}
                for record in records
                if not record.accepted
            ],
        }
        rows = [_row(record) for record in made]
        self._write("participants.tsv", _table(rows))
        self._write("subjects.tsv", _table([{k: row[k] for k in ("subject", "split")} for row in rows]))
        text = _json(manifest)
        self._write(MANIFEST, text)
        plain: dict[str, Any] = json.loads(text)
        return plain

    def _sweep(self) -> None:
        """Remove samples that were being written, or have no record; what is not the set's own stays."""
        finished = {record.name for record in self.records()}
        for child in self.path.iterdir():
            partial = child.name.startswith(".") and child.name.endswith(PART)
            unfinished = is_sample(child.name) and child.name not in finished
            if child.is_dir() and (partial or unfinished):
                shutil.rmtree(child)
        for folder in (self.path, self.path / RECORDS):
            for half in folder.glob(f".*{PART}.*"):
                half.unlink()

    def _require_own(self) -> None:
        """Refuse a folder that holds things, but none of a set's."""
        if not self.path.is_dir() or any((self.path / own).exists() for own in (MANIFEST, RECORDS)):
            return
        if any(child.name != LOCK for child in self.path.iterdir()):
            raise OutputError(
                f"“{self.path}” holds something else than a data set.", hint="Choose an empty folder."
            )

    def _write(self, name: str, text: str) -> None:
        with replacing(self.path / name) as temporary:
            temporary.write_text(text, encoding="utf-8")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"The data set cannot be written to {self.path}: {error.strerror or error}.",
                hint="Free some space, or choose another folder.",
            ) from error


def files_of(name: str, contrasts: Sequence[str]) -> dict[str, str]:
    """Return the path of each file of a sample below the set: by contrast, and ``label`` and ``mask``."""
    from napari_mrsynth.io.naming import derivative_name

    files = {contrast: derivative_name(name, contrast) for contrast in contrasts}
    files["label"] = f"{name}_label-lesion_desc-synthetic_mask.nii.gz"
    files["mask"] = f"{name}_desc-brain_mask.nii.gz"
    return {what: f"{name}/anat/{file}" for what, file in files.items()}


def _row(record: Record) -> dict[str, Any]:
    about = record.about
    return {
        "participant_id": record.name,
        "subject": record.name,
        "split": "train",
        "anatomy": about["anatomy"].get("patient", "random"),
        "lesion": about["lesion"]["shape"],
        "dice": f"{about['dice']['overall']:.4f}",
        "attempts": record.attempts,
        "seed": f"{about['seeds']['anatomy']}/{about['seeds']['lesion']}",
    }


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    columns = [column for column in COLUMNS if not rows or column in rows[0]]
    writer = csv.DictWriter(text, columns, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _description() -> dict[str, Any]:
    return {
        "Name": f"Synthetic brain MRI with lesion labels. {WARNING}",
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "Synthetic": True,
        "GeneratedBy": [{"Name": "napari-mrsynth", "Version": __version__}],
    }


def _json(plain: Mapping[str, Any]) -> str:
    return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
