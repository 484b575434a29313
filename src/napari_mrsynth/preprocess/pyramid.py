"""What alignment looks at: a head with its shading taken out, at several resolutions, in RAS millimetres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.imaging import Affine, Grid, LabelVolume, Volume
from napari_mrsynth.imaging.geometry import FloatArray
from napari_mrsynth.preprocess.resample import resample

FINEST_MM = 1.5
SHADING_MM = 12.0
SURROUND_MM = 25.0
MARGIN_MM = 40.0


@dataclass(frozen=True)
class Prepared:
    """One scan made ready for alignment.

    Attributes
    ----------
    image : Volume
        Float32, about :data:`FINEST_MM` a voxel, 0 to a few; shading divided out, bright ends clipped.
    surround : LabelVolume
        1 in the head and up to :data:`SURROUND_MM` around it: the outline says as much as the inside.
    centre_mm : ndarray, shape (3,)
        RAS mm of the head's middle.
    """

    image: Volume
    surround: LabelVolume
    centre_mm: FloatArray


def at_spacing(grid: Grid, spacing_mm: float) -> Grid:
    """Return the same field of view with voxels no smaller than `spacing_mm`, axes at right angles."""
    left, _, right = np.linalg.svd(grid.affine.directions)
    sizes = np.maximum(grid.spacing, spacing_mm)
    shape = np.maximum(1, np.ceil(np.asarray(grid.size_mm) / sizes - 1e-6)).astype(int)
    matrix = np.eye(4)
    matrix[:3, :3] = left @ right * sizes
    matrix[:3, 3] = grid.centre_mm - matrix[:3, :3] @ ((shape - 1) / 2)
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), Affine(matrix))


def head_of(array: NDArray[Any], spacing: tuple[float, float, float]) -> NDArray[np.bool_]:
    """Return the head's (or the stripped brain's) filled outline, shape (i, j, k).

    Half of Otsu's threshold on smoothed voxels, the largest connected piece, its holes filled plane by plane.
    """
    from scipy import ndimage
    from skimage.filters import threshold_otsu

    smooth = ndimage.gaussian_filter(np.asarray(array, np.float32), [3 / size for size in spacing])
    bright = np.percentile(smooth, 99.5)
    smooth = np.minimum(smooth, bright)
    if not smooth.min() < smooth.max():
        return np.ones(array.shape, dtype=bool)
    head = largest_piece(smooth > smooth.min() + 0.5 * (threshold_otsu(smooth) - smooth.min()))
    for axis in range(3):
        planes = [ndimage.binary_fill_holes(plane) for plane in np.moveaxis(head, axis, 0)]
        head = np.moveaxis(np.stack(planes), 0, axis)
    return head


def largest_piece(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest 6-connected piece of a mask; an empty mask as it is."""
    from scipy import ndimage

    pieces, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    largest: NDArray[np.bool_] = pieces == int(sizes.argmax())
    return largest


def prepare(volume: Volume) -> Prepared:
    """Make a scan ready: coarser voxels, head found, slow shading divided out, bright ends clipped.

    Receive coils shade a scan slowly, each scan its own way; mutual information would align the shadings.
    Each voxel of the head is therefore divided by the head's local mean (Gaussian of :data:`SHADING_MM`).
    """
    from scipy import ndimage

    fine = resample(volume, at_spacing(volume.grid, FINEST_MM))
    coarse_grid = at_spacing(volume.grid, 2 * FINEST_MM)
    coarse = resample(volume, coarse_grid).array.astype(np.float32)
    head = head_of(coarse, coarse_grid.spacing)
    sigma = [SHADING_MM / size for size in coarse_grid.spacing]
    share = ndimage.gaussian_filter(head.astype(np.float32), sigma)
    clipped = np.clip(coarse, 0, np.percentile(coarse[head], 99)) * head
    local = ndimage.gaussian_filter(clipped, sigma) / np.maximum(share, 1e-3)
    middle = max(float(np.median(local[head])), 1e-30)
    shading = np.where(head, np.maximum(local, 0.1 * middle), middle).astype(np.float32)
    shading = resample(Volume(shading, coarse_grid), fine.grid).array
    image = fine.array.astype(np.float32) / np.where(shading > 0, shading, middle)
    inside = resample(LabelVolume(head.astype(np.uint8), coarse_grid), fine.grid).array > 0
    image = np.clip(image, 0, np.percentile(image[inside], 99)).astype(np.float32)
    near = ndimage.distance_transform_edt(~head, sampling=coarse_grid.spacing) <= SURROUND_MM
    return Prepared(
        fine.with_array(image),
        LabelVolume(near.astype(np.uint8), coarse_grid),
        coarse_grid.affine.apply(np.argwhere(head).mean(axis=0)),
    )


def picture(prepared: Prepared, spacing_mm: float, *, margin: bool = False) -> tuple[Any, Any]:
    """Return a prepared scan and its surround as SimpleITK images whose physical space is RAS mm.

    With `margin` the edge voxels are repeated outwards, so that no sample falls out of the field of view and
    the measure cannot grow by losing samples.
    """
    import SimpleITK as sitk  # noqa: N813

    image = resample(prepared.image, at_spacing(prepared.image.grid, spacing_mm))
    mask = resample(prepared.surround, image.grid)
    pictures = []
    for array in (image.array, mask.array):
        shown = sitk.GetImageFromArray(np.ascontiguousarray(array.T))
        shown.SetSpacing(image.grid.spacing)
        shown.SetOrigin(image.grid.affine.origin)
        shown.SetDirection(image.grid.affine.directions.ravel().tolist())
        pictures.append(shown)
    if margin:
        more = [int(np.ceil(MARGIN_MM / size)) for size in image.grid.spacing]
        pictures[0] = sitk.ZeroFluxNeumannPad(pictures[0], more, more)
    return pictures[0], pictures[1]
