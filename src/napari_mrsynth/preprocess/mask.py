"""Where the brain is: read off scans that are already skull-stripped, else computed from the best contrast.

A stripped scan says it by itself: everything outside is one exact value, and what remains has a brain's size.
Whole heads are peeled: the tissue between air and skull is cut off by an opening wide enough to break the
bridges (vessels, nerves, the neck), and what stays around the middle is grown back inside the head.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import InputError
from napari_mrsynth.imaging import BrainMask, Grid, LabelVolume, Study, Volume
from napari_mrsynth.preprocess.pyramid import at_spacing, head_of, largest_piece
from napari_mrsynth.preprocess.resample import resample

STRIPPED = "skull-stripped data"
BRAIN_ML = (250.0, 2100.0)
"""What a brain, from a newborn's to a giant's, can measure in millilitres."""

LEAST_SHOWN = 0.2
MOST_OF_FIELD = 0.9
"""A brain mask over less of what a scan shows, or more of the field of view, is noted."""

HOLE_ML = 0.5
"""A closed hole of a given mask up to this size is a speck that was missed; a larger one is meant."""

NO_MASK = "No brain mask: "
"""How a study's note begins that says why no brain was found."""
GIVE_MASK = (
    "Give one: --mask FILE on the command line, “Use … as the brain mask” in the window; for a training, "
    "a file …_brainmask.nii.gz beside the scans."
)

WORKING_MM = 2.0
OPENING_MM = 5.0
DEEP_MM = 30.0
"""Below the skin by this much there is brain and nothing else."""
DIM_AND_BRIGHT = {"T1": (0.55, 1.6), "T2": (0.72, 3.5)}
"""Brain, as shares of the deep brain's median (white matter, darkest in T2w, brightest in T1w)."""
HEAD_HEIGHT_MM = 150.0
"""Brain and cerebellum end this far below the crown; the neck is cut off there."""

PREFERRED = ("FLAIR", "T2w", "PDw", "DWI", "T1w", "T1ce")
"""Contrasts by how well brain stands out from its surroundings in them, best first."""


def brain_mask(volumes: Sequence[Volume]) -> BrainMask:
    """Find the brain on the grid that some scans of one head share.

    Where at least one scan is skull-stripped, the mask is the voxels that at least half of the stripped scans
    keep. Otherwise it is computed from the scan whose contrast shows the brain best.

    Parameters
    ----------
    volumes : sequence of Volume
        On one grid.

    Returns
    -------
    BrainMask
        On that grid; `how` names the way it was found.

    Raises
    ------
    InputError
        If there is no scan, or none of them shows anything like a brain.
    """
    if not volumes:
        raise InputError("A brain mask needs at least one scan.")
    supports = [support for volume in volumes if (support := stripped_support(volume)) is not None]
    if supports:
        kept: NDArray[np.bool_] = np.mean(supports, axis=0) >= 0.5
        return BrainMask(kept, STRIPPED)
    best = min(volumes, key=_preference)
    return BrainMask(_peel(best), f"computed from {best.contrast or best.name}")


def no_mask(study: Study) -> InputError:
    """Return the error of a study that has no brain mask, with the reason why none was found."""
    why = [note for note in study.notes if note.startswith(NO_MASK)]
    return InputError(why[-1] if why else "This study has no brain mask.", hint=GIVE_MASK)


def without_specks(inside: NDArray[np.bool_], grid: Grid) -> tuple[NDArray[np.bool_], int]:
    """Fill the closed holes of a mask that are too small to be meant: up to :data:`HOLE_ML` each.

    Parameters
    ----------
    inside : ndarray of bool, shape (i, j, k)
    grid : Grid
        The one it lies on.

    Returns
    -------
    filled : ndarray of bool, shape (i, j, k)
    voxels : int
        How many were filled.
    """
    from scipy import ndimage

    holes, count = ndimage.label(ndimage.binary_fill_holes(inside) & ~inside, np.ones((3, 3, 3)))
    ml = np.bincount(holes.ravel(), minlength=count + 1) * float(np.prod(grid.spacing)) / 1000
    small = ml <= HOLE_ML
    small[0] = False  # what is no hole
    specks = small[holes]
    return inside | specks, int(specks.sum())


def mask_size_note(inside: NDArray[np.bool_], shown: NDArray[np.bool_], grid: Grid) -> tuple[str, ...]:
    """Say where a brain mask is unlikely small or large; empty where it is neither.

    Parameters
    ----------
    inside, shown : ndarray of bool, shape (i, j, k)
        The mask, and where the scan shows more than air.
    grid : Grid
        The one both lie on.
    """
    ml = float(inside.sum() * np.prod(grid.spacing)) / 1000
    share = float((inside & shown).sum() / max(1, shown.sum()))
    if share < LEAST_SHOWN:
        return (f"The brain mask covers only {share:.0%} of what the scan shows ({ml:.0f} ml): look at it.",)
    if inside.mean() > MOST_OF_FIELD:
        return (f"The brain mask fills {inside.mean():.0%} of the field of view ({ml:.0f} ml): look at it.",)
    if ml > BRAIN_ML[1]:
        return (f"The brain mask measures {ml:.0f} ml, more than a brain: look at it.",)
    return ()


def stripped_support(volume: Volume) -> NDArray[np.bool_] | None:
    """Return what a skull-stripped scan keeps, shape (i, j, k), or None where the scan is not stripped.

    Stripped means: the corners of the field of view hold one exact value that also fills at least a sixth
    of it, and the rest, holes filled, is one piece of a brain's size.
    """
    from scipy import ndimage

    array = volume.array
    last = [(0, n - 1) for n in array.shape]
    values, counts = np.unique(
        [array[i, j, k] for i in last[0] for j in last[1] for k in last[2]], return_counts=True
    )
    outside = values[int(counts.argmax())]
    kept = array != outside
    if counts.max() < 6 or kept.mean() > 5 / 6 or not kept.any():
        return None
    voxel_ml = float(np.prod(volume.grid.spacing)) / 1000
    piece = largest_piece(kept)
    if piece.sum() < 0.95 * kept.sum() or not BRAIN_ML[0] <= piece.sum() * voxel_ml <= BRAIN_ML[1]:
        return None
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(piece)
    above = volume.with_array(array.astype(np.float32) - float(outside))
    if filled.sum() * voxel_ml > BRAIN_ML[1] or _has_skull(above, filled):
        return None
    return filled


def _has_skull(volume: Volume, support: NDArray[np.bool_]) -> bool:
    """Whether a dark shell (bone) runs below the surface of what a scan keeps: then it is a whole head."""
    from scipy import ndimage

    coarse = at_spacing(volume.grid, 3.0)
    inside = resample(LabelVolume(support.astype(np.uint8), volume.grid), coarse).array > 0
    array = resample(volume, coarse).array
    depth = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=coarse.spacing)[1:-1, 1:-1, 1:-1]
    skin, deep = array[(depth > 0) & (depth <= 5)], array[depth > 25]
    shells = [array[(depth > low) & (depth <= low + 3)] for low in (4, 7, 10)]
    if not skin.size or not deep.size or any(shell.size == 0 for shell in shells):
        return False
    darkest = min(float(np.median(shell)) for shell in shells)
    return darkest < 0.45 * float(np.median(deep)) and darkest < 0.8 * float(np.median(skin))


def _preference(volume: Volume) -> int:
    known = volume.contrast in PREFERRED
    return PREFERRED.index(volume.contrast) if known and volume.contrast else len(PREFERRED)


def _peel(volume: Volume) -> NDArray[np.bool_]:
    """Compute the brain of a whole head, shape (i, j, k)."""
    from scipy import ndimage

    grid = at_spacing(volume.grid, WORKING_MM)
    array = resample(volume, grid).array.astype(np.float32)
    head = head_of(array, grid.spacing)
    head &= _above_neck(grid, head)
    smooth = ndimage.gaussian_filter(array, [1.5 / size for size in grid.spacing])
    smooth -= np.percentile(smooth, 1)
    deep = smooth[_eroded(head, DEEP_MM, grid)]
    usual = float(np.median(deep)) if deep.size else 0.0
    if usual <= 0:
        raise _nothing_in(volume)
    dim, bright = DIM_AND_BRIGHT["T1" if (volume.contrast or "").startswith("T1") else "T2"]
    tissue = head & (smooth > dim * usual) & (smooth < bright * usual)
    core = largest_piece(_eroded(tissue, OPENING_MM, grid))
    if not core.any():
        raise _nothing_in(volume)
    brain = _dilated(core, OPENING_MM + 1.0, grid) & head
    brain = _eroded(_dilated(brain, 8.0, grid), 8.0, grid)
    brain = ndimage.binary_fill_holes(brain)
    return resample(LabelVolume(brain.astype(np.uint8), grid), volume.grid).array > 0


def _nothing_in(volume: Volume) -> InputError:
    return InputError(
        f"No brain was found in {volume.contrast or volume.name}.",
        hint="Give a brain mask, or a scan that shows the whole head.",
    )


def _above_neck(grid: Grid, head: NDArray[np.bool_]) -> NDArray[np.bool_]:
    indices = np.moveaxis(np.indices(grid.shape, sparse=False), 0, -1)
    height = indices @ grid.affine.matrix[2, :3] + grid.affine.matrix[2, 3]
    crown = float(np.percentile(height[head], 99.9)) if head.any() else 0.0
    above: NDArray[np.bool_] = height > crown - HEAD_HEIGHT_MM
    return above


def _eroded(mask: NDArray[np.bool_], mm: float, grid: Grid) -> NDArray[np.bool_]:
    """Erode by a ball in mm; beyond the field of view the mask is taken to go on."""
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(mask, sampling=grid.spacing)
    deep: NDArray[np.bool_] = depth > mm
    return deep


def _dilated(mask: NDArray[np.bool_], mm: float, grid: Grid) -> NDArray[np.bool_]:
    """Dilate by a ball in mm."""
    from scipy import ndimage

    far = ndimage.distance_transform_edt(~mask, sampling=grid.spacing)
    near: NDArray[np.bool_] = far <= mm
    return near
