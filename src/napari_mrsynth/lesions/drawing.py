"""A random lesion: a real shape, turned, scaled and put somewhere inside the brain, by a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import InputError, LabelError, MrsynthError
from napari_mrsynth.imaging import Grid
from napari_mrsynth.lesions.library import LesionLibrary
from napari_mrsynth.lesions.placing import PlacedLesion, Placement, place
from napari_mrsynth.lesions.shape import LesionShape

SCALES = (0.7, 1.2)
TILT_DEG = 15.0
SHRINK = 0.85
"""A shape that did not fit is tried smaller by this factor."""

SMALLEST_SCALE = 0.4
COARSE_MM = 4.0


@dataclass(frozen=True, eq=False)
class DrawnLesion:
    """A lesion that was drawn.

    Attributes
    ----------
    placed : PlacedLesion
    placement : Placement
    shape : LesionShape
    seed : int
        The same seed, library and brain give the same lesion.
    attempts : int
        How many places were tried.
    """

    placed: PlacedLesion
    placement: Placement
    shape: LesionShape
    seed: int
    attempts: int


def random_lesion(
    library: LesionLibrary,
    grid: Grid,
    brain: NDArray[np.bool_],
    seed: int,
    *,
    single: bool = True,
    attempts: int = 200,
) -> DrawnLesion:
    """Draw a lesion that lies inside the brain.

    Parameters
    ----------
    library : LesionLibrary
    grid : Grid
        The patient's.
    brain : ndarray of bool, shape `grid.shape`
    seed : int
        Not negative.
    single : bool
        Whether one lesion of a map is taken (any of its separate parts), or all of them together.
    attempts : int
        How many places are tried before giving up.

    Raises
    ------
    LabelError
        If nothing fitted, or the seed is negative.
    InputError
        If the library's maps are there no longer.
    """
    if seed < 0:
        raise LabelError(f"The seed is {seed}.", hint="Give 0 or a positive whole number.")
    if brain.shape != grid.shape or not brain.any():
        raise LabelError(
            "There is no brain to put a lesion into.", hint="Give a brain mask that is not empty."
        )
    rng = np.random.default_rng(seed)
    depths, centres = _depths(grid, brain)
    tried = 0
    while tried < attempts:
        shape = _drawn_shape(library, rng, single=single)
        scale = float(rng.uniform(*SCALES))
        while scale >= SMALLEST_SCALE and tried < attempts:
            for _ in range(5):
                tried += 1
                placement = _drawn_placement(rng, scale, depths, centres, shape)
                try:
                    placed = place(shape, placement, grid, brain)
                except LabelError:
                    continue
                return DrawnLesion(placed, placement, shape, seed, tried)
            scale *= SHRINK
    raise LabelError(
        f"No lesion of {library.folder} fitted into the brain in {attempts} attempts.",
        hint="Choose another seed, or a library with smaller lesions.",
    )


def _drawn_shape(library: LesionLibrary, rng: np.random.Generator, *, single: bool) -> LesionShape:
    """Draw a map of the library; one that turns out to be unusable is passed over."""
    for index in rng.permutation(len(library.every_name)):
        try:
            shape = library.shape(library.every_name[int(index)])
        except MrsynthError:
            continue
        return shape.parts[int(rng.integers(len(shape.parts)))] if single else shape
    raise InputError(
        f"“{library.folder}” holds no usable lesion map any more.",
        hint="Bring the folder back, and try again.",
    )


def _drawn_placement(
    rng: np.random.Generator,
    scale: float,
    depths: NDArray[np.float64],
    centres: NDArray[np.float64],
    shape: LesionShape,
) -> Placement:
    """Draw a place that is deep enough for a ball of the lesion's size, or else the deepest there is."""
    enough = np.flatnonzero(depths >= min(0.8 * scale * shape.radius_mm, 0.95 * depths.max()))
    x, y, z = (float(v) for v in centres[enough[int(rng.integers(len(enough)))]])
    tilt_r, tilt_a = (float(v) for v in rng.uniform(-TILT_DEG, TILT_DEG, 2))
    turn = float(rng.uniform(0, 360))
    return Placement((x, y, z), scale, (tilt_r, tilt_a, turn), (bool(rng.integers(2)), False, False))


def _depths(grid: Grid, brain: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return, for a lattice of brain voxels, the depth below the surface in mm and the place in RAS mm.

    A brain of one slice has no surface above and below: its depth is that within the slice.
    """
    from scipy import ndimage

    steps = [max(1, round(COARSE_MM / size)) for size in grid.spacing]
    coarse = brain[tuple(slice(None, None, step) for step in steps)]
    sampling = [step * size for step, size in zip(steps, grid.spacing, strict=True)]
    edges = [0 if n == 1 else 1 for n in grid.shape]
    padded = np.pad(coarse, [(edge, edge) for edge in edges])
    inner = tuple(slice(edge, edge + n) for edge, n in zip(edges, coarse.shape, strict=True))
    depth = ndimage.distance_transform_edt(padded, sampling=sampling)[inner]
    inside = np.argwhere(coarse)
    if not inside.size:  # a brain thinner than the lattice
        inside = np.argwhere(brain)[:1] // steps
    return depth[tuple(inside.T)], grid.affine.apply(inside * steps)
