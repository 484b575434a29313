"""Who is learnt from and who is judged on: no patient on both sides, not even through a synthetic one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path
from typing import Any

from napari_mrsynth.datasets.folder import DatasetFolder
from napari_mrsynth.errors import InputError
from napari_mrsynth.preprocess.likeness import KnownScans
from napari_mrsynth.progress import ProgressCallback
from napari_mrsynth.training.config import DataConfig
from napari_mrsynth.training.prepared import Prepared, prepare_all
from napari_mrsynth.training.subjects import Split, Subject, find_subjects, persons_in

SPLITS = ("train", "test")
EVERY = 4
"""One patient in so many is judged on where neither a table nor the synthetic set says who."""


@dataclass(frozen=True)
class Sides:
    """Prepared patients with lesion labels.

    Attributes
    ----------
    learn, judge : tuple of Prepared
        Real.
    synthetic : tuple of Prepared
        By name.
    manifest : mapping
        Of the synthetic set.
    skipped : tuple of (id, reason)
    why : str
        How those to be judged on were chosen.
    """

    learn: tuple[Prepared, ...]
    judge: tuple[Prepared, ...]
    synthetic: tuple[Prepared, ...]
    manifest: Mapping[str, Any]
    skipped: tuple[tuple[str, str], ...]
    why: str


def sides_of(
    data: DataConfig,
    synthetic: Path,
    held_out: Sequence[str] = (),
    report: ProgressCallback | None = None,
    *,
    cache: Path,
    most: int = 0,
) -> Sides:
    """Prepare real and synthetic patients and part the real ones.

    Judged on are those named in `held_out`; else those who had no part in
    making the synthetic set, through a model, as anatomy or by a lesion's shape; where that is more than half
    of the patients, the split ``test`` alone, or every fourth patient where there is none.

    Parameters
    ----------
    data : DataConfig
        Of the real patients; `data.only` chooses among them. Synthetic ones are prepared in the same way.
    synthetic : Path
        Folder of a data set.
    held_out : sequence of str
        Ids of patients.
    report : callable, optional
    cache : Path
        Where prepared synthetic patients are kept; real ones are where trainings keep theirs.
    most : int
        How many synthetic patients are prepared at most; 0 for all.

    Raises
    ------
    InputError
        If nobody is left on a side, or a patient to be judged on had a part in the synthetic set.
    """
    manifest = DatasetFolder(synthetic).manifest()
    subjects = everyone(data)
    prepared, skipped = prepare_all(subjects, data, report)
    usable = [patient for patient in prepared if patient.lesions is not None and patient.lesions.any()]
    skipped += [(p.subject, "has no lesion labels") for p in prepared if p not in usable]
    here = {patient.subject: patient for patient in usable}
    by_id = {subject.id: subject for subject in subjects if subject.id in here}
    knows = known_by(manifest)
    learnt = {name for name, patient in here.items() if knows(patient)}
    chosen, why = _chosen(by_id, learnt, held_out)
    leaked = sorted(chosen & learnt)
    if leaked:
        raise InputError(
            f"{', '.join(leaked)} had a part in making the synthetic set: a figure on them says nothing.",
            hint="Judge on patients whom neither its models nor its anatomy know: --held-out.",
        )
    split = Split(
        tuple(s for s in by_id.values() if s.id not in chosen),
        tuple(s for s in by_id.values() if s.id in chosen),
    )
    if not split.train or not split.held_out:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped[:3])
        raise InputError(
            f"{len(split.train)} patients are left to learn from and {len(split.held_out)} to judge on"
            + (f" ({reasons})." if reasons else "."),
            hint="Name who is judged on with --held-out, or give more patients with lesion labels.",
        )
    own = replace(data, root=str(synthetic), only="", split="train", table="subjects.tsv", cache=str(cache))
    samples = [replace(subject, synthetic=True) for subject in find_subjects(own)]
    made, more = prepare_all(samples[: most or None], own, report)
    made = [patient for patient in made if patient.lesions is not None]
    if not made:
        raise InputError(
            f"No synthetic patient in {synthetic} can be used: {more[0][1] if more else 'there is none'}",
            hint="Make some with `mrsynth dataset build`.",
        )
    return Sides(
        tuple(here[s.id] for s in split.train),
        tuple(here[s.id] for s in split.held_out),
        tuple(made),
        manifest,
        (*skipped, *more),
        why,
    )


def everyone(data: DataConfig) -> tuple[Subject, ...]:
    """Return the patients of a folder of the splits ``train`` and ``test``, chosen by ``data.only``.

    Raises
    ------
    InputError
        If there are none.
    """
    found: list[Subject] = []
    refused: InputError | None = None
    for split in SPLITS:
        try:
            found += find_subjects(replace(data, split=split, only=""))
        except InputError as error:
            refused = error
    if not found and refused is not None:
        raise refused
    named = [subject for subject in found if fnmatchcase(subject.id, data.only or "*")]
    if not named:
        raise InputError(f"No patient of {data.root} is called {data.only!r}.", hint="Choose others: --only")
    return tuple(named)


def known_by(manifest: Mapping[str, Any]) -> Knows:
    """Return who had a part in a synthetic set."""
    return Knows(manifest.get("known", ()), manifest.get("lesion_maps", ()))


class Knows:
    """Tells whether a patient had a part in a set: by person, by what scans show, or by a lesion map's name.

    Of a map every folder that it lies in counts, and its name up to every ``_``: ``sub-07_label-lesion_mask``
    is of ``sub-07``.
    """

    def __init__(self, entries: Iterable[Mapping[str, Any]], maps: Iterable[str]) -> None:
        entries = list(entries)
        self._people = persons_in(entries)
        self._scans = KnownScans.of(entries)
        self._hashes = {entry.get("sha256") for entry in entries if entry.get("sha256")}
        parts = {part for name in maps for part in name.split("/")}
        self._maps = {begun for part in parts for begun in accumulate(part.split("_"), "{}_{}".format)}

    def __call__(self, patient: Prepared) -> bool:
        """Whether it did."""
        record = patient.record()
        own = Subject(patient.subject, Path()).person.rsplit("/", 1)[-1]
        return (
            patient.person in self._people
            or record["sha256"] in self._hashes
            or self._scans.find(record) is not None
            or own in self._maps
        )


def _chosen(
    subjects: Mapping[str, Subject], learnt: set[str], held_out: Sequence[str]
) -> tuple[set[str], str]:
    """Return the ids of those to be judged on, and how they were chosen."""
    if held_out:
        unknown = sorted(set(held_out) - set(subjects))
        if unknown:
            raise InputError(
                f"{unknown[0]} is not among the patients with labels.",
                hint=f"They are {', '.join(subjects)}.",
            )
        return set(held_out), "as asked"
    unseen = set(subjects) - learnt
    tested = {name for name in unseen if subjects[name].split == "test"}
    if learnt and 2 * len(unseen) <= len(subjects):
        return unseen, "all patients who had no part in the synthetic set"
    if tested:
        return tested, "the patients of the split test"
    people = list(dict.fromkeys(subjects[name].person for name in subjects if name in unseen))
    last = set(people[EVERY - 1 :: EVERY] or people[-1:])
    return {name for name in unseen if subjects[name].person in last}, f"every {EVERY}th of the patients"
