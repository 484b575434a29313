"""A generated lesion put into a real scan: every voxel away from it stays as it was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import ConfigError, GridError, InputError
from napari_mrsynth.generation.provenance import label_record
from napari_mrsynth.imaging import BrainMask, LabelVolume, Source, Volume
from napari_mrsynth.preprocess.resample import resample
from napari_mrsynth.synthesis.provenance import marked_synthetic

BLEND_MM = 3.0
"""Width of the rim around a lesion in which made and real intensities are blended."""

SHELL_MM = 8.0
"""Width of the shell around a lesion, rim included, in which intensities are compared."""

FEWEST = 50
"""Where the shell has fewer voxels, intensities are compared in the whole healthy brain."""

SCALES = (0.5, 2.0)
"""Between these the spread of the made intensities may be changed."""


@dataclass(frozen=True)
class Match:
    """How generated intensities were brought to a real scan's: multiplied, then shifted.

    Attributes
    ----------
    scale, shift : float
        In the units of the two scans.
    voxels : int
        In how many voxels around the lesion they were compared.
    """

    scale: float
    shift: float
    voxels: int


def paint_into(
    real: Volume,
    made: Volume,
    labels: LabelVolume,
    brain: BrainMask,
    *,
    blend_mm: float = BLEND_MM,
    own_lesions: LabelVolume | None = None,
) -> Volume:
    """Put a painted lesion into a real scan.

    Inside the lesion the voxels are the generated ones. Their mean and spread are brought to those of the
    real scan in a shell around the lesion. In a rim of `blend_mm` outside the lesion they pass over into the
    real ones along half a cosine; farther out every voxel is the real one, bit by bit.

    Parameters
    ----------
    real : Volume
        Of the same contrast as `made`; its dtype and grid are kept.
    made : Volume
        Generated, on any grid.
    labels : LabelVolume
        What was painted, on the grid of `made`.
    brain : BrainMask
        On the grid of `made`; nothing is changed outside it.
    blend_mm : float
        0 for a hard edge.
    own_lesions : LabelVolume, optional
        The patient's own, on any grid that meets the scan's: they are left out of the comparison.

    Returns
    -------
    Volume
        On the real scan's own grid, with its provenance: synthetic, whatever share of it is real.

    Raises
    ------
    ConfigError
        If the width is negative or above 50 mm.
    GridError
        If labels, brain and generated scan do not lie on one grid.
    InputError
        If the lesion lies outside the real scan, or there is no brain but the lesion.
    """
    if not 0 <= blend_mm <= 50:
        raise ConfigError(f"The rim is {blend_mm:g} mm wide; it lies between 0 and 50 mm.")
    reason = made.grid.mismatch(labels.grid)
    if reason is not None or brain.array.shape != made.grid.shape:
        raise GridError(f"The lesion does not lie on the grid of what was generated: {reason}.")
    grid = real.grid
    inside = _there(LabelVolume(brain.array.astype(np.uint8), made.grid), grid)
    lesion = _there(labels, grid)
    if not lesion.any():
        raise InputError(
            f"The lesion has no voxel in {real.contrast or real.name}.",
            hint="Check that scan and labels are of one patient.",
        )
    generated = resample(made, grid).array.astype(np.float32, copy=False)
    distance = _distance(lesion, max(blend_mm, SHELL_MM), grid.spacing)
    shell = (distance > 0) & (distance <= SHELL_MM) & inside
    healthy = inside & ~lesion
    if own_lesions is not None:
        healthy &= ~_there(own_lesions, grid)
    shell &= healthy
    if np.count_nonzero(shell) < FEWEST:
        shell = healthy
    match = _match(real.array, generated, shell)
    weight = _weight(distance, blend_mm) * inside
    array = np.array(real.array)
    touched = weight > 0
    share = weight[touched].astype(np.float64)
    darkest = min(float(real.array[inside].min(initial=0)), 0.0)  # not 0 where scans have negative values
    fresh = np.maximum(generated[touched].astype(np.float64) * match.scale + match.shift, darkest)
    before = array[touched].astype(np.float64)
    blended = before + share * (fresh - before)
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        blended = np.clip(np.rint(blended), limits.min, limits.max)
    array[touched] = blended.astype(array.dtype)
    record = _record(real, made, labels, match, blend_mm, int(touched.sum()))
    source = Source(format="synthetic", header=real.source.header, synthetic=record)
    name = f"{real.contrast or real.name} (synthetic lesion)"
    return Volume(array, grid, name, source, real.notes, contrast=real.contrast or made.contrast)


def _there(labels: LabelVolume, grid: Any) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.asarray(resample(labels, grid).array) > 0
    return found


def _distance(
    lesion: NDArray[np.bool_], reach_mm: float, spacing: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Return the distance of every voxel to the lesion in mm, 0 inside, infinite beyond `reach_mm`."""
    from scipy import ndimage

    margin = [int(np.ceil(reach_mm / size)) + 1 for size in spacing]
    where = np.nonzero(lesion)
    box = tuple(
        slice(max(int(at.min()) - edge, 0), int(at.max()) + edge + 1)
        for at, edge in zip(where, margin, strict=True)
    )
    distance: NDArray[np.float32] = np.full(lesion.shape, np.inf, np.float32)
    distance[box] = ndimage.distance_transform_edt(~lesion[box], sampling=spacing)
    return distance


def _weight(distance: NDArray[np.float32], blend_mm: float) -> NDArray[np.float32]:
    """Return 1 in the lesion, 0 from `blend_mm` outside it, half a cosine between."""
    if blend_mm == 0:
        return np.asarray(distance == 0, np.float32)
    way = np.minimum(distance / np.float32(blend_mm), 1)
    weight = np.where(way < 1, 0.5 + 0.5 * np.cos(np.pi * way), 0)
    return np.asarray(weight, np.float32)


def _match(real: NDArray[Any], made: NDArray[np.float32], shell: NDArray[np.bool_]) -> Match:
    """Bring mean and spread of the made intensities in the shell to those of the real ones."""
    count = int(shell.sum())
    if not count:
        raise InputError(
            "There is no healthy brain around the lesion to compare the made intensities with.",
            hint="Check the brain mask, and what is named as the patient's own lesions.",
        )
    there, here = real[shell].astype(np.float64), made[shell].astype(np.float64)
    spread = float(here.std())
    scale = float(np.clip(there.std() / spread, *SCALES)) if spread > 0 else 1.0
    return Match(scale, float(there.mean() - scale * here.mean()), count)


def _record(
    real: Volume, made: Volume, labels: LabelVolume, match: Match, blend_mm: float, changed: int
) -> dict[str, Any]:
    made_record = dict(made.source.synthetic or {})
    contrast = real.contrast or made.contrast or real.name
    return {
        **made_record,
        **marked_synthetic(contrast),
        "what": "real scan with a painted lesion that a model made",
        "inputs": {
            **made_record.get("inputs", {}),
            contrast: real.identity(),
        },
        "lesion": label_record(labels),
        "into": {
            "scan": real.name,
            "fingerprint": real.fingerprint,
            "blend_mm": blend_mm,
            "shell_mm": SHELL_MM,
            "scale": match.scale,
            "shift": match.shift,
            "compared_voxels": match.voxels,
            "changed_voxels": changed,
            "unchanged": "every voxel farther than blend_mm from the lesion",
        },
    }
