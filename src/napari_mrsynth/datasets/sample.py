"""One sample: anatomy and lesion drawn by seed, scans made, the segmenter asked, and all written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from napari_mrsynth.bundles import Bundle
from napari_mrsynth.datasets.folder import DatasetFolder, files_of
from napari_mrsynth.datasets.lesions import DrawnLabels, draw_labels, slab_of
from napari_mrsynth.datasets.recipe import Recipe, Seeds, name_of, seeds_of
from napari_mrsynth.datasets.record import DICE, LESION, MAP, Record, Refusal
from napari_mrsynth.datasets.sources import LostError, Patients, library_of
from napari_mrsynth.errors import InputError, LabelError
from napari_mrsynth.generation import (
    Anatomy,
    Check,
    Generated,
    LesionCheck,
    LesionMaker,
    RandomAnatomy,
    paint_on,
)
from napari_mrsynth.imaging import LabelVolume, Source
from napari_mrsynth.io import write_volume
from napari_mrsynth.lesions import label_set
from napari_mrsynth.progress import ended

SURE = 0.05
"""A lesion whose own slices alone miss the threshold by more than this is refused without the rest."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A sample that passed every filter.

    Attributes
    ----------
    made : Generated
    check : Check
    seeds : Seeds
    drawn : DrawnLabels
    maps : int
        Maps drawn for it; 0 where the anatomy is a patient's.
    """

    made: Generated
    check: Check
    seeds: Seeds
    drawn: DrawnLabels
    maps: int


class Workshop:
    """The models and folders that a recipe names, opened once per process.

    Parameters
    ----------
    recipe : Recipe

    Raises
    ------
    BundleError
        If a model cannot be used.
    LabelError
        If the library holds no lesion.
    InputError
        If no patient can be used.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.classes = label_set(recipe.disease)
        self.library = library_of(recipe)
        self.maker = LesionMaker(Bundle.open(recipe.makes), recipe.device, "fp32", batch=2)
        self.judge = LesionCheck(Bundle.open(recipe.judges), recipe.device, "fp32")
        self.source = (
            Patients(recipe)
            if recipe.anatomy == "patients"
            else RandomAnatomy(Bundle.open(recipe.draws), recipe.device)
        )

    def attempt(self, index: int, attempt: int) -> Sample | Refusal:
        """Draw, make and judge a sample once.

        Raises
        ------
        InputError
            If patients or lesion maps are there no longer.
        """
        recipe, seeds = self.recipe, seeds_of(self.recipe.seed, index, attempt)
        try:
            anatomy, maps = self._anatomy(seeds.anatomy)
        except LostError:
            raise
        except InputError as error:
            return Refusal(MAP, error.message)
        if not anatomy.record.get("accepted", True):
            off = anatomy.record["outline_error"]
            return Refusal(MAP, f"best outline off by {off:.1%} of {maps} maps", maps=maps)
        try:
            drawn = draw_labels(self.library, anatomy, recipe.disease, seeds.lesion)
            painted = paint_on(drawn.labels, self.classes, anatomy)
        except LabelError as error:
            return Refusal(LESION, error.message, maps=maps)
        if anatomy.grid.display.shape[0] > 1 and recipe.threshold:
            slab = slab_of(anatomy, painted.labels, painted.framed)
            check = self._judged(ended(self.maker.run(slab, painted, recipe.contrasts)))
            if _overall(check) < recipe.threshold - SURE:
                return _refused(check, "in the lesion's slices", maps)
        made = ended(self.maker.run(anatomy, painted, recipe.contrasts))
        check = self._judged(made)
        if _overall(check) < recipe.threshold:
            return _refused(check, "in all", maps)
        return Sample(made, check, seeds, drawn, maps)

    def _anatomy(self, seed: int) -> tuple[Anatomy, int]:
        """Return an anatomy, and how many maps were drawn for it."""
        if isinstance(self.source, Patients):
            return self.source.draw(seed, self.maker.spacing_mm), 0
        found = self.source.draw(seed, limit=self.recipe.outline)
        return found.anatomy, found.attempts

    def _judged(self, made: Generated) -> Check:
        return ended(self.judge.run(made.outputs, made.painted.labels, made.anatomy.brain))


def make_sample(recipe: Recipe, root: str, index: int) -> Record:
    """Make a sample, write it into the set, and return its record, which is written too.

    Parameters
    ----------
    recipe : Recipe
    root : str
        The set's folder.
    index : int
        From 0.
    """
    folder, name, shop = DatasetFolder(Path(root)), name_of(index), _workshop(recipe)
    refusals: list[Refusal] = []
    sample: Sample | None = None
    for attempt in range(recipe.attempts):
        outcome = shop.attempt(index, attempt)
        if isinstance(outcome, Sample):
            sample = outcome
            break
        refusals.append(outcome)
    maps = sum(refusal.maps for refusal in refusals) + (sample.maps if sample else 0)
    if sample is None:
        record = Record(name, index, False, tuple(refusals), maps)
    else:
        about = _about(recipe, name, sample)
        with folder.making(name) as part:
            _write(part, recipe, name, sample, about)
        record = Record(name, index, True, tuple(refusals), maps, about)
    folder.keep(record)
    return record


@lru_cache(1)
def _workshop(recipe: Recipe) -> Workshop:
    return Workshop(recipe)


def _about(recipe: Recipe, name: str, sample: Sample) -> dict[str, Any]:
    """Return what the record and the sidecars say of a sample; the same for the same recipe."""
    made, check = sample.made, sample.check
    return {
        "seeds": {"set": recipe.seed, "anatomy": sample.seeds.anatomy, "lesion": sample.seeds.lesion},
        "anatomy": {
            "name": made.anatomy.name,
            **{key: made.anatomy.record[key] for key in _TOLD if key in made.anatomy.record},
        },
        "lesion": dict(sample.drawn.record),
        "dice": {"overall": _overall(check), **{k: v for k, v in check.dice.items() if v is not None}},
        "label_value_dice": check.published,
        "structure_f1": {contrast: round(value, 6) for contrast, value in made.structure_f1.items()},
        "files": files_of(name, recipe.contrasts),
    }


_TOLD = ("from", "patient", "seed", "attempts", "outline_error", "scan", "structure")


def _write(part: Path, recipe: Recipe, name: str, sample: Sample, about: dict[str, Any]) -> None:
    """Write the files of a sample into its hidden folder, which is not called after it yet."""
    files = {
        what: part / file.removeprefix(f"{name}/") for what, file in files_of(name, recipe.contrasts).items()
    }
    extra = {"data_set": {"sample": name, "recipe": recipe.identity, **about}}
    made, brain = sample.made, sample.made.anatomy.brain
    record: dict[str, Any] = {}
    for contrast, volume in made.outputs.items():
        record = {**(volume.source.synthetic or {}), **extra}
        write_volume(files[contrast], volume, provenance=extra)
    labels = made.painted.labels
    shared = {key: record[key] for key in ("Synthetic", "statement", "software", "bundle", "anatomy")}
    for what, array, names in (
        ("label", labels.array, labels.labels),
        ("mask", brain.array.astype(np.uint8), {1: "brain"}),
    ):
        title = "lesion label" if what == "label" else "brain mask"
        source = Source(format="synthetic", synthetic={**shared, "what": title})
        image = LabelVolume(array, made.anatomy.grid, title, source, labels=names)
        more = {"labels": {str(value): text for value, text in names.items()}}
        write_volume(files[what], image, provenance={**extra, **more})


def _overall(check: Check) -> float:
    return check.overall or 0.0


def _refused(check: Check, where: str, maps: int) -> Refusal:
    return Refusal(DICE, f"Dice {_overall(check):.3f} {where}", dice=_overall(check), maps=maps)
