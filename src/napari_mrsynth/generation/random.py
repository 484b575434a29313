"""Random anatomy: one axial slice from a seed, drawn again until its outline is closed and holds the lesion.

The model draws axial slices without neighbours, and its code has no place for the height of a slice: slices
of several codes, or one code repeated, would not be a brain. A random anatomy is therefore one slice thick.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.bundles import Bundle
from napari_mrsynth.errors import ConfigError, InputError, LabelError
from napari_mrsynth.generation.anatomy import Anatomy, random_slice, slice_grid
from napari_mrsynth.imaging import LabelVolume
from napari_mrsynth.lesions import LabelSet, conform
from napari_mrsynth.structure import StructureMap
from napari_mrsynth.structure.filtering import MAX_ERROR, Drawn, outline_error
from napari_mrsynth.synthesis.device import choose
from napari_mrsynth.synthesis.workers import workers

if TYPE_CHECKING:
    from napari_mrsynth.systems.lesiongan.anatomy.predictor import AnatomyPredictor

ATTEMPTS = 50
OPEN, OUTSIDE, EMPTY = "outline not closed", "lesion outside the brain", "no brain"


@dataclass(frozen=True)
class Found:
    """A slice that was drawn.

    Attributes
    ----------
    anatomy : Anatomy
    attempts : int
        How many were drawn.
    refusals : mapping of str to int
        Why those before it were drawn again.
    labels : LabelVolume or None
        The lesion on the slice's grid, where one was given.
    """

    anatomy: Anatomy
    attempts: int
    refusals: dict[str, int]
    labels: LabelVolume | None = None

    @property
    def told(self) -> str:
        """How many were drawn, in words."""
        seed = self.anatomy.record["seed"]
        if self.attempts == 1:
            return f"Seed {seed}: the first map that was drawn is taken."
        why = ", ".join(f"{count} {reason}" for reason, count in self.refusals.items())
        return f"Seed {seed}: {self.attempts} maps were drawn ({why})."

    def structure_map(self) -> StructureMap:
        """Return the map and its brain as they are kept and saved: on the slice's grid, marked as made."""
        structure = self.anatomy.structure_map()
        provenance = dict(structure.source.synthetic or {})
        notes = (self.told, *self.anatomy.notes)
        return StructureMap(structure, self.anatomy.brain_map(), None, provenance, notes)


class RandomAnatomy:
    """Draws anatomy; the model is loaded by the first use.

    Parameters
    ----------
    bundle : Bundle
        Of the system ``anatomy``.
    device : str
        As for :func:`napari_mrsynth.synthesis.device.choose`.
    """

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        self.bundle, self.card = bundle, bundle.card
        self._device = device
        self._predictor: AnatomyPredictor | None = None
        self._loading = Lock()

    def draw(
        self,
        seed: int,
        labels: LabelVolume | None = None,
        classes: LabelSet | None = None,
        *,
        display_slice: int | None = None,
        limit: float = MAX_ERROR,
        attempts: int = ATTEMPTS,
    ) -> Found:
        """Draw an axial slice.

        Parameters
        ----------
        seed : int
            Not negative. The same seed, model and labels draw the same slice on one machine.
        labels, classes : LabelVolume and LabelSet, optional
            A lesion that the drawn brain must hold. Its grid says where the slice lies: middle on middle of
            its axial slice `display_slice`.
        display_slice : int, optional
            S index on the labels' display grid; by default the slice with most lesion.
        limit : float
            Largest disagreement of a map's filled outline with its mask (algorithm 3).
        attempts : int
            After so many the best that holds the lesion is taken, which its notes say.

        Raises
        ------
        ConfigError
            If the seed is negative or no attempt is allowed.
        LabelError
            If the labels do not fit the disease, the slice has no lesion (the hint names those that have), or
            no drawn brain holds it.
        InputError
            If no brain was drawn at all.
        """
        if seed < 0 or attempts < 1:
            raise ConfigError(
                f"Seed {seed} and {attempts} attempts draw nothing.",
                hint="Give a seed of 0 or more, and at least one attempt.",
            )
        at = None if labels is None else _slice_of(labels, display_slice)
        predictor = self._loaded()
        grid = slice_grid(predictor.size, self.card.spacing_mm)
        fitted, lesion = None, None
        if labels is not None and classes is not None and at is not None:
            grid = slice_grid(predictor.size, self.card.spacing_mm, labels.grid, at)
            fitted = conform(labels, classes, grid, of="the drawn slice")
            fitted = replace(fitted, array=fitted.array.astype(np.uint8))
            lesion = np.asarray(fitted.display)[0] > 0
        refusals: Counter[str] = Counter()
        best: Drawn | None = None
        for attempt in range(attempts):
            with workers(1) as pool:  # one core: split over several, a busy machine would stall it
                structure, brain = pool.submit(predictor.attempt, seed, attempt).result()
            reason = _refusal(structure, brain, lesion)
            if reason is not None:
                refusals[reason] += 1
                continue
            error = outline_error(structure, brain)
            if best is None or error < best.error:
                best = Drawn(structure, brain, error, attempt + 1, accepted=error <= limit)
            if error <= limit:
                break
            refusals[OPEN] += 1
        if best is None:
            raise _nothing(seed, attempts, refusals)
        tried = best.attempts if best.accepted else attempts
        best = replace(best, attempts=tried)
        anatomy = random_slice(best, self.card.spacing_mm, name=name_of(seed), seed=seed, grid=grid)
        record = {**anatomy.record, "refusals": dict(refusals), "bundle": self.card.id}
        record["bundle_weights_sha256"] = self.card.weights_sha256
        notes = anatomy.notes
        if labels is not None and fitted is not None:
            record["labels_slice"] = at
            notes = (*notes, _told(labels, at, chosen=display_slice is None))
        return Found(replace(anatomy, record=record, notes=notes), tried, dict(refusals), fitted)

    def _loaded(self) -> AnatomyPredictor:
        with self._loading:
            if self._predictor is None:
                from napari_mrsynth.systems.lesiongan.anatomy.predictor import AnatomyPredictor

                self._predictor = AnatomyPredictor.from_bundle(self.bundle, choose(self._device).device)
            return self._predictor


def _refusal(
    structure: NDArray[np.uint8], brain: NDArray[np.uint8], lesion: NDArray[np.bool_] | None
) -> str | None:
    if not brain.any() or not structure.any():
        return EMPTY
    return OUTSIDE if lesion is not None and bool((lesion & (brain == 0)).any()) else None


def name_of(seed: int) -> str:
    """Return what the brain of a seed is called."""
    return f"random{seed}"


def _slice_of(labels: LabelVolume, wanted: int | None) -> int:
    """Return the axial slice that is wanted, or the one with most lesion; refuse one without any."""
    lesion = (np.asarray(labels.display) > 0).sum(axis=(1, 2))
    if wanted is None:
        return int(lesion.argmax())
    if not 0 <= wanted < len(lesion):
        raise ConfigError(
            f"There is no slice {wanted}: the labels have {len(lesion)}.",
            hint=f"Give 0 to {len(lesion) - 1}.",
        )
    if lesion.any() and not lesion[wanted]:
        raise LabelError(
            f"Slice {wanted} has no lesion; it lies in {_runs(np.flatnonzero(lesion))}.",
            hint=f"Choose one of these; most of it is in slice {int(lesion.argmax())}.",
        )
    return wanted


def _runs(numbers: NDArray[np.intp]) -> str:
    """Return sorted whole numbers in words: ``3, 70 to 109``."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _told(labels: LabelVolume, at: int | None, *, chosen: bool) -> str:
    count = labels.grid.display.shape[0]
    why = ", which has most lesion" if chosen else ""
    return f"Slice {at} of the labels' {count} was taken{why}; 0 is the lowest."


def _nothing(seed: int, attempts: int, refusals: Counter[str]) -> InputError:
    if refusals[OUTSIDE]:
        return LabelError(
            f"Of {attempts} brains drawn with seed {seed} none holds the lesion:"
            f" it lay outside {refusals[OUTSIDE]} of them.",
            hint="Choose another seed, or move or shrink the lesion.",
        )
    return InputError(f"Seed {seed} drew no brain in {attempts} attempts.", hint="Choose another seed.")
