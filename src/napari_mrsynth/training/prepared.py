"""Patients prepared once: normalised volumes in the model's frame, kept on disk and mapped into memory."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import InputError, MrsynthError, OutputError
from napari_mrsynth.preprocess import normalise
from napari_mrsynth.preprocess.frame import WorkingFrame
from napari_mrsynth.preprocess.likeness import likeness_of
from napari_mrsynth.progress import Progress, ProgressCallback, Stopwatch
from napari_mrsynth.training.config import DataConfig
from napari_mrsynth.training.subjects import Subject

LAYOUT = 3
"""Raised when prepared files change their form, so that old ones are made anew."""

_SAMPLE = 1 << 16
"""Bytes at a file's beginning, middle and end that tell it from others of its name, size and time."""

_OPEN_FILES = 1 << 16
"""Enough for a cohort of twenty thousand."""

_UNFINISHED = ".preparing-"
_STALE_S = 86_400.0
"""Begins the names of folders that are being made; after a day, whoever made one was killed."""


@dataclass(frozen=True)
class Prepared:
    """One prepared patient on disk.

    Attributes
    ----------
    subject : str
        The patient's id.
    folder : Path
        Holds ``volumes.npy``, ``mask.npy``, perhaps ``lesions.npy``, and ``meta.json``.
    patient : str
        Who it is, the same for all sessions of one person; the id where that is not known.
    """

    subject: str
    folder: Path
    patient: str = ""

    @property
    def person(self) -> str:
        """The patient, the same for all sessions of one."""
        return self.patient or self.subject

    @cached_property
    def meta(self) -> dict[str, Any]:
        """Contrasts, their fingerprints and normalisations, spacing, the thickest axial slices scanned."""
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
        """Brain, (S, A, R) bool, mapped read-only."""
        mask: NDArray[np.bool_] = np.load(self.folder / "mask.npy", mmap_mode="r")
        return mask

    @cached_property
    def lesions(self) -> NDArray[np.uint8] | None:
        """Lesion classes, (S, A, R) uint8, mapped read-only; None where nobody drew any."""
        path = self.folder / "lesions.npy"
        if not path.is_file():
            return None
        lesions: NDArray[np.uint8] = np.load(path, mmap_mode="r")
        return lesions

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what was mapped, so that another process maps it itself instead of being sent a copy."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def volume(self, contrast: str) -> NDArray[np.float32]:
        """Return one contrast, (S, A, R), as float32 in memory."""
        return np.asarray(self.volumes[self.contrasts.index(contrast)], dtype=np.float32)

    @cached_property
    def _likeness(self) -> dict[str, str]:
        kept: dict[str, str] | None = self.meta.get("likeness")
        return kept or {contrast: likeness_of(self.volume(contrast)) for contrast in self.contrasts}

    def record(self) -> dict[str, Any]:
        """Return what a card says of a training subject: its id, and how it is known again.

        That is a hash of all its scans, and of each scan its hash and what it shows
        (:mod:`napari_mrsynth.preprocess.likeness`).
        """
        fingerprints = self.meta["fingerprints"]
        digest = hashlib.sha256(json.dumps(fingerprints, sort_keys=True).encode()).hexdigest()
        return {
            "id": self.subject,
            "sha256": digest,
            "volumes": fingerprints,
            "likeness": self._likeness,
        }

    def nameless(self) -> dict[str, Any]:
        """Return :meth:`record` with an id made of the scans' hashes: a folder's name may be a person's."""
        record = self.record()
        return {**record, "id": f"own-{record['sha256'][:8]}"}


@dataclass(frozen=True)
class SomeSlices(Prepared):
    """A prepared patient of whom only the brain in some slices counts: those beside them are still read."""

    planes: tuple[int, ...] = ()

    @classmethod
    def of(cls, patient: Prepared, planes: Iterable[int]) -> SomeSlices:
        """Return a patient of whom only these axial slices count."""
        return cls(patient.subject, patient.folder, patient.patient, tuple(int(plane) for plane in planes))

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """Brain in the chosen slices, (S, A, R) bool."""
        mask = np.array(Prepared(self.subject, self.folder).mask)
        mask[np.setdiff1d(np.arange(len(mask)), self.planes)] = False
        return mask


def prepare_all(
    subjects: Sequence[Subject], data: DataConfig, report: ProgressCallback | None = None
) -> tuple[list[Prepared], list[tuple[str, str]]]:
    """Prepare patients, skipping those that cannot be used.

    Parameters
    ----------
    subjects : sequence of Subject
    data : DataConfig
    report : callable, optional
        Told how far it is, before each patient that is not prepared yet.

    Returns
    -------
    prepared : list of Prepared
    skipped : list of (id, reason)
        Patients that lack a contrast or cannot be read.

    Raises
    ------
    OutputError
        If the cache cannot be written.
    """
    _let_many_be_open()
    prepared, skipped = [], []
    watch = Stopwatch()
    for index, subject in enumerate(subjects):
        if report is not None and not _is_prepared(subject, data):
            message = f"preparing {subject.id}, patient {index + 1} of {len(subjects)}"
            left = watch.at(index / len(subjects), message).seconds_left
            report(Progress(0.0, message, left))  # none of the training itself is done
        try:
            prepared.append(prepare(subject, data))
        except OutputError:
            raise  # no fault of the patient
        except MrsynthError as error:
            skipped.append((subject.id, str(error)))
    return prepared, skipped


def prepare(subject: Subject, data: DataConfig) -> Prepared:
    """Read a patient, bring every contrast into the model's frame, normalise, and keep the result.

    The result is found again by the files' names, sizes, times and samples of their bytes, and by the
    settings that shaped it. One that is no longer whole is made anew.

    Raises
    ------
    InputError
        If a contrast is missing, or the scans cannot be read or normalised.
    OutputError
        If the result cannot be kept.
    """
    folder = _folder(subject, data)
    if not _is_whole(folder):
        arrays, meta = _make(subject, data)
        _keep(folder, arrays, meta)
    return Prepared(subject.id, folder, subject.person)


def _let_many_be_open() -> None:
    """Let this process have as many files open as it may: every patient in use keeps up to three mapped."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if most == resource.RLIM_INFINITY else min(most, _OPEN_FILES)
    if wanted > soft != resource.RLIM_INFINITY:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _is_prepared(subject: Subject, data: DataConfig) -> bool:
    return _is_whole(_folder(subject, data))


def _is_whole(folder: Path) -> bool:
    """Whether every file of a prepared patient is there and as long as it was written."""
    try:
        sizes = json.loads((folder / "meta.json").read_text(encoding="utf-8"))["bytes"]
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError):
        return False


def _folder(subject: Subject, data: DataConfig) -> Path:
    cache = Path(data.cache).expanduser() if data.cache else _default_cache()
    return cache / f"{subject.id.replace('/', '_')}-{_key(subject, data)}"


def _make(subject: Subject, data: DataConfig) -> tuple[dict[str, NDArray[np.generic]], dict[str, Any]]:
    """Return the arrays that are kept, by file name, and what is said of them."""
    from napari_mrsynth.imaging.contrasts import own_names
    from napari_mrsynth.io import read_patient
    from napari_mrsynth.preprocess.resample import resample
    from napari_mrsynth.preprocess.study import build_study

    files = read_patient(subject.folder, synthetic=subject.synthetic, names=own_names(data.contrasts))
    here = {volume.contrast: volume for volume in files.volumes}
    missing = [contrast for contrast in data.contrasts if contrast not in here]
    if missing:
        unread = "".join(f"; {note}" for note in files.notes if note.startswith("left out"))
        raise InputError(f"{subject.id} has no {', '.join(missing)}{unread}.")
    volumes = [here[contrast] for contrast in data.contrasts]
    # The mask as it is given: what was trained and measured before stays comparable to the voxel.
    study = build_study(volumes, name=subject.id, mask=files.mask, lesions=files.lesions, fill_specks=False)
    frame = WorkingFrame.of(study, data.spacing_mm, margin=2)
    arrays, scales, fingerprints, likeness = [], {}, {}, {}
    for contrast in data.contrasts:
        array = frame.bring(study.members[contrast])
        fitted = normalise.fit(array, frame.mask, data.normalisation)
        normalised = fitted.apply(array)
        normalised[~frame.mask] = 0
        with np.errstate(over="ignore"):
            arrays.append(normalised.astype(np.float16))
        if not np.isfinite(arrays[-1]).all():
            most = float(np.abs(normalised).max())
            raise InputError(
                f"The {contrast} of {subject.id} has a voxel of {most:.3g} times what it is normalised by.",
                hint="Look for a single voxel that is far too bright, and set it to what lies around it.",
            )
        likeness[contrast] = likeness_of(arrays[-1].astype(np.float32))
        scales[contrast] = fitted.as_dict()
        fingerprints[contrast] = study.members[contrast].native.fingerprint
    meta = {
        "subject": subject.id,
        "contrasts": list(data.contrasts),
        "spacing_mm": data.spacing_mm,
        "slices_mm": max(study.members[c].native.grid.display.spacing[0] for c in data.contrasts),
        "normalisation": scales,
        "fingerprints": fingerprints,
        "likeness": likeness,
        "mask": study.mask.how if study.mask else "",
    }
    kept: dict[str, NDArray[np.generic]] = {"volumes": np.stack(arrays), "mask": frame.mask}
    if study.lesions is not None:
        lesions = resample(study.lesions, frame.grid).array  # nearest: classes are never blended
        kept["lesions"] = lesions.astype(np.uint8)
    return kept, meta


def _keep(folder: Path, arrays: Mapping[str, NDArray[np.generic]], meta: Mapping[str, Any]) -> None:
    """Write a prepared patient whole or not at all; where another process was faster, its result stays."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=folder.parent) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            for name, array in arrays.items():
                np.save(made / f"{name}.npy", array)
            sizes = {path.name: path.stat().st_size for path in made.iterdir()}
            (made / "meta.json").write_text(json.dumps({**meta, "bytes": sizes}, indent=1), encoding="utf-8")
            if folder.exists() and not _is_whole(folder):
                os.replace(folder, Path(scratch) / "damaged")
            with contextlib.suppress(OSError):
                os.replace(made, folder)
        if not _is_whole(folder):
            raise OSError(errno.EIO, "the finished files could not be moved into place")
    except OSError as error:
        raise OutputError(
            f"Prepared patients cannot be kept in {folder.parent}: {error.strerror or error}.",
            hint="Free some space there, or set data.cache to another folder.",
        ) from error


def _sweep(cache: Path) -> None:
    """Remove what a preparation that was killed left behind."""
    for left in cache.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_S:
                shutil.rmtree(left)


def _key(subject: Subject, data: DataConfig) -> str:
    settings = [LAYOUT, data.contrasts, data.spacing_mm, data.normalisation, subject.synthetic]
    digest = hashlib.sha256(json.dumps(settings).encode())
    for path in sorted(p for p in subject.folder.rglob("*") if p.is_file()):
        stat = path.stat()
        digest.update(f"{path.relative_to(subject.folder)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        with contextlib.suppress(OSError), path.open("rb") as file:  # who reads the scan says what is wrong
            for start in (0, stat.st_size // 2, max(stat.st_size - _SAMPLE, 0)):
                file.seek(start)
                digest.update(file.read(_SAMPLE))
    return digest.hexdigest()[:16]


def _default_cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("napari-mrsynth") / "prepared"
