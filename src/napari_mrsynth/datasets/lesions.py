"""The lesions of a sample: real shapes, changed at random, inside its brain; also where that is one slice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import LabelError
from napari_mrsynth.generation import Anatomy
from napari_mrsynth.imaging import Affine, Grid, LabelVolume
from napari_mrsynth.lesions import DrawnLesion, LesionLibrary, random_lesion

COUNTS: Mapping[str, tuple[int, int]] = MappingProxyType({"ms": (4, 16)})
"""How many separate lesions a patient gets, where it is not one."""

DEPTH_MM = 128.0
"""How thick a slice's brain is thought to be while a lesion is put into it."""


@dataclass(frozen=True)
class DrawnLabels:
    """The lesions that were drawn for one sample.

    Attributes
    ----------
    labels : LabelVolume
        On the anatomy's grid.
    places : int
        How many places were tried.
    record : mapping
        What was put where; plain data.
    """

    labels: LabelVolume
    places: int
    record: Mapping[str, Any]


def draw_labels(library: LesionLibrary, anatomy: Anatomy, disease: str, seed: int) -> DrawnLabels:
    """Draw the lesions of a patient, all of them inside the brain.

    A shape is mirrored, scaled, turned and moved at random. Of a disease with many small lesions several are
    drawn, each one separate lesion of a real map; of another disease one whole map.

    Where the anatomy is one slice, its brain is thought to go on above and below, and one of the slices
    through the lesion is kept, drawn in proportion to the lesion's area in it.

    Parameters
    ----------
    library : LesionLibrary
    anatomy : Anatomy
    disease : str
    seed : int
        The same one draws the same lesions.

    Raises
    ------
    LabelError
        If nothing fits into the brain.
    """
    rng = np.random.default_rng(seed)
    flat = anatomy.grid.display.shape[0] == 1
    grid, brain = _tall(anatomy) if flat else (anatomy.grid, anatomy.brain.array)
    low, high = COUNTS.get(disease, (1, 1))
    wanted = int(rng.integers(low, high + 1))
    array = np.zeros(grid.shape, np.uint8)
    drawn: list[DrawnLesion] = []
    places = 0
    for number in range(wanted):
        try:
            lesion = random_lesion(library, grid, brain, int(rng.integers(2**31)), single=wanted > 1)
        except LabelError:
            if number == 0:
                raise
            break  # a brain that holds no more
        array = lesion.placed.stamped(array)
        places += lesion.attempts
        drawn.append(lesion)
    kept = None
    if flat:
        kept = _one_of(np.asarray(grid.as_display(array)), rng)
        plane = np.asarray(grid.as_display(array))[kept]
        array = np.array(anatomy.grid.from_display(plane[None]))
    names = library.classes.names
    labels = LabelVolume(array, anatomy.grid, f"{drawn[0].shape.name}", labels=names)
    record = {
        "shape": ", ".join(dict.fromkeys(lesion.shape.name for lesion in drawn)),
        "seed": seed,
        "places_tried": places,
        "placed": [
            {
                "shape": lesion.shape.name,
                "volume_ml": round(lesion.shape.volume_ml, 4),
                **lesion.placement.as_dict(),
            }
            for lesion in drawn
        ],
        "slice_of_it": kept,
        "voxels": {str(value): int((array == value).sum()) for value in labels.present},
    }
    return DrawnLabels(labels, places, record)


def _tall(anatomy: Anatomy) -> tuple[Grid, NDArray[np.bool_]]:
    """Return a grid of many slices about the anatomy's only one, and its brain in all of them.

    The axes run as the display does, (S, A, R).
    """
    shown = anatomy.grid.display
    count = max(1, round(DEPTH_MM / shown.spacing[0]))
    matrix = shown.affine.matrix.copy()
    matrix[:3, 3] = shown.affine.apply((-(count - 1) / 2, 0, 0))
    grid = Grid((count, *shown.shape[1:]), Affine(matrix))
    plane = np.asarray(anatomy.grid.as_display(anatomy.brain.array))
    return grid, np.repeat(plane.astype(bool), count, axis=0)


def _one_of(labels: NDArray[Any], rng: np.random.Generator) -> int:
    areas = np.count_nonzero(labels, axis=(1, 2)).astype(np.float64)
    return int(rng.choice(len(areas), p=areas / areas.sum()))


def slab_of(anatomy: Anatomy, labels: LabelVolume, framed: NDArray[np.uint8]) -> Anatomy:
    """Return the anatomy with brain in the slices of a lesion only, so that only these are made.

    Parameters
    ----------
    anatomy : Anatomy
    labels : LabelVolume
        On its native grid.
    framed : ndarray of int, (S, A, R)
        The same in its frame.
    """
    inside = np.where(framed.any(axis=(1, 2), keepdims=True), anatomy.inside, 0).astype(np.uint8)
    brain = np.array(anatomy.brain.array, dtype=bool)
    shown: NDArray[Any] = anatomy.grid.as_display(brain)  # a view: writing it writes the brain
    bare = np.flatnonzero(np.count_nonzero(labels.display, axis=(1, 2)) == 0)
    shown[bare] = False
    return replace(anatomy, inside=inside, brain=replace(anatomy.brain, array=brain))
