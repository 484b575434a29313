"""Patients prepared once: normalised volumes in the model's frame, kept on disk and mapped into memory."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import InputError, MrsynthError
from napari_mrsynth.preprocess import normalise
from napari_mrsynth.preprocess.frame import WorkingFrame
from napari_mrsynth.training.config import DataConfig
from napari_mrsynth.training.subjects import Subject

LAYOUT = 1
"""Raised when prepared files change their form, so that old ones are made anew."""


@dataclass(frozen=True)
class Prepared:
    """One prepared patient on disk.

    Attributes
    ----------
    subject : str
        The patient's id.
    folder : Path
        Holds ``volumes.npy``, ``mask.npy``, perhaps ``lesions.npy``, and ``meta.json``.
    """

    subject: str
    folder: Path

    @cached_property
    def meta(self) -> dict[str, Any]:
        """Contrasts, per-contrast fingerprints and normalisations, spacing."""
        loaded: dict[str, Any] = json.loads((self.folder / "meta.json").read_text(encoding="utf-8"))
        return loaded

    @property
    def contrasts(self) -> tuple[str, ...]:
        """The contrasts, in the order of `volumes`."""
        return tuple(self.meta["contrasts"])

    @cached_property
    def volumes(self) -> NDArray[np.float16]:
        """Normalised volumes, (contrast, S, A, R) float16, mapped read-only; 0 outside the brain's box."""
        mapped: NDArray[np.float16] = np.load(self.folder / "volumes.npy", mmap_mode="r")
        return mapped

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """Brain, (S, A, R) bool."""
        mask: NDArray[np.bool_] = np.load(self.folder / "mask.npy")
        return mask

    @cached_property
    def lesions(self) -> NDArray[np.uint8] | None:
        """Lesion classes, (S, A, R) uint8, or None where nobody drew any."""
        path = self.folder / "lesions.npy"
        if not path.is_file():
            return None
        lesions: NDArray[np.uint8] = np.load(path)
        return lesions

    def volume(self, contrast: str) -> NDArray[np.float32]:
        """Return one contrast, (S, A, R), as float32 in memory."""
        return np.asarray(self.volumes[self.contrasts.index(contrast)], dtype=np.float32)

    def record(self) -> dict[str, Any]:
        """Return what a card says of a training subject: id, a hash of all its scans, and each scan's."""
        fingerprints = self.meta["fingerprints"]
        digest = hashlib.sha256(json.dumps(fingerprints, sort_keys=True).encode()).hexdigest()
        return {"id": self.subject, "sha256": digest, "volumes": fingerprints}


def prepare_all(
    subjects: Iterable[Subject], data: DataConfig
) -> tuple[list[Prepared], list[tuple[str, str]]]:
    """Prepare patients, skipping those that cannot be used.

    Returns
    -------
    prepared : list of Prepared
    skipped : list of (id, reason)
        Patients that lack a contrast or cannot be read.
    """
    prepared, skipped = [], []
    for subject in subjects:
        try:
            prepared.append(prepare(subject, data))
        except MrsynthError as error:
            skipped.append((subject.id, str(error)))
    return prepared, skipped


def prepare(subject: Subject, data: DataConfig) -> Prepared:
    """Read a patient, bring every contrast into the model's frame, normalise, and keep the result.

    The result is found again by the files' names, sizes and times and the settings that shaped it.

    Raises
    ------
    InputError
        If a contrast is missing, or the scans cannot be read.
    """
    cache = Path(data.cache).expanduser() if data.cache else _default_cache()
    folder = cache / f"{subject.id.replace('/', '_')}-{_key(subject, data)}"
    if not (folder / "meta.json").is_file():
        cache.mkdir(parents=True, exist_ok=True)
        _write(folder, subject, data)
    return Prepared(subject.id, folder)


def _write(folder: Path, subject: Subject, data: DataConfig) -> None:
    from napari_mrsynth.io import read_patient
    from napari_mrsynth.preprocess.resample import resample
    from napari_mrsynth.preprocess.study import build_study

    files = read_patient(subject.folder)
    here = {volume.contrast: volume for volume in files.volumes}
    missing = [contrast for contrast in data.contrasts if contrast not in here]
    if missing:
        raise InputError(f"{subject.id} has no {', '.join(missing)}.")
    volumes = [here[contrast] for contrast in data.contrasts]
    study = build_study(volumes, name=subject.id, mask=files.mask, lesions=files.lesions)
    frame = WorkingFrame.of(study, data.spacing_mm, margin=2)
    arrays, scales, fingerprints = [], {}, {}
    for contrast in data.contrasts:
        array = frame.bring(study.members[contrast])
        fitted = normalise.fit(array, frame.mask, data.normalisation)
        normalised = fitted.apply(array)
        normalised[~frame.mask] = 0
        arrays.append(normalised.astype(np.float16))
        scales[contrast] = fitted.as_dict()
        fingerprints[contrast] = study.members[contrast].native.fingerprint
    meta = {
        "subject": subject.id,
        "contrasts": list(data.contrasts),
        "spacing_mm": data.spacing_mm,
        "normalisation": scales,
        "fingerprints": fingerprints,
        "mask": study.mask.how if study.mask else "",
    }
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        np.save(made / "volumes.npy", np.stack(arrays))
        np.save(made / "mask.npy", frame.mask)
        if study.lesions is not None:
            lesions = resample(study.lesions, frame.grid).array  # nearest: classes are never blended
            np.save(made / "lesions.npy", lesions.astype(np.uint8))
        (made / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")
        if not folder.exists():
            os.replace(made, folder)


def _key(subject: Subject, data: DataConfig) -> str:
    digest = hashlib.sha256(
        json.dumps([LAYOUT, data.contrasts, data.spacing_mm, data.normalisation]).encode()
    )
    for path in sorted(p for p in subject.folder.rglob("*") if p.is_file()):
        stat = path.stat()
        digest.update(f"{path.relative_to(subject.folder)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _default_cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("napari-mrsynth") / "prepared"
