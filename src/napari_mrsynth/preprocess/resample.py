"""One interpolation from an image's own voxels to any grid, a rigid motion included.

Whatever lies between a scan and the grid it is wanted on (another axis order, spacing, obliquity, an
estimated motion) is one affine map from target voxels to source voxels. Where that map only permutes, flips
and shifts by whole voxels, voxels are copied bit for bit; everywhere else they are interpolated once, from
the native ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.imaging import Grid, LabelVolume, Rigid, Volume
from napari_mrsynth.imaging.geometry import FloatArray

EXACT_MM = 0.01
"""Grids whose voxels all meet within this distance are copied, not interpolated."""

FWHM_TO_SIGMA = 1 / (2 * np.sqrt(2 * np.log(2)))

Image = TypeVar("Image", Volume, LabelVolume)


def resample(image: Image, grid: Grid, *, motion: Rigid | None = None) -> Image:
    """Bring an image onto another grid, through a rigid motion where one is known.

    Scans are interpolated linearly, smoothed first along the axes that the target samples more coarsely
    (the Gaussian that matches the two point-spread functions: Cardoso et al. 2015, DOI
    10.1007/978-3-319-24571-3_81); label maps take the nearest voxel. Where the grids differ only by axis
    order, flips and whole voxels, nothing is interpolated and the dtype stays. What lies outside the field of
    view is 0.

    Parameters
    ----------
    image : Volume or LabelVolume
        Never changed.
    grid : Grid
        Where the result lies.
    motion : Rigid, optional
        Grid RAS mm to the image's RAS mm; the identity by default.

    Returns
    -------
    Volume or LabelVolume
        The very same object where there is nothing to do; else a scan of float32 (or of the image's own dtype
        where voxels were only copied), labels of their own dtype, shape `grid.shape`.
    """
    motion = motion if motion is not None else Rigid()
    to_source = image.grid.affine.inverse @ motion.matrix @ grid.affine.matrix
    whole = _whole_voxels(to_source, image.grid, grid)
    if whole is not None:
        if image.grid.shape == grid.shape and np.array_equal(whole, np.eye(4)):
            return image if motion.is_identity else replace(image, grid=grid)
        array = _copy(image.array, whole, grid.shape)
    elif isinstance(image, LabelVolume):
        array = _nearest(image.array, to_source, grid.shape)
    else:
        array = _linear(image.array, to_source, grid.shape)
    return replace(image, array=array, grid=grid)


def is_exact(source: Grid, target: Grid, motion: Rigid | None = None) -> bool:
    """Whether :func:`resample` would only copy voxels, and not interpolate."""
    matrix = np.eye(4) if motion is None else motion.matrix
    return _whole_voxels(source.affine.inverse @ matrix @ target.affine.matrix, source, target) is not None


def _whole_voxels(to_source: FloatArray, source: Grid, target: Grid) -> FloatArray | None:
    """Round the map to a signed permutation and a whole shift, or None where that moves a voxel too far."""
    whole = np.rint(to_source)
    part = np.abs(whole[:3, :3])
    if not ((part.sum(axis=0) == 1).all() and (part.sum(axis=1) == 1).all()):
        return None
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.asarray(target.shape) - 1)
    apart_vox = corners @ (to_source - whole)[:3, :3].T + (to_source - whole)[:3, 3]
    apart_mm = np.linalg.norm(apart_vox @ source.affine.matrix[:3, :3].T, axis=1)
    return whole if float(apart_mm.max()) <= EXACT_MM else None


def _copy(array: NDArray[Any], whole: FloatArray, shape: tuple[int, int, int]) -> NDArray[Any]:
    """Copy voxels along a signed permutation with a whole shift; 0 where the source has none."""
    result = np.zeros(shape, dtype=array.dtype)
    taken: list[slice] = [slice(0)] * 3
    filled: list[slice] = [slice(0)] * 3
    axes = [int(np.argmax(np.abs(whole[:3, column]))) for column in range(3)]
    for column, axis in enumerate(axes):
        sign, shift = int(whole[axis, column]), int(whole[axis, 3])
        ends = sorted((-shift * sign, (array.shape[axis] - 1 - shift) * sign))
        low, high = max(ends[0], 0), min(ends[1], shape[column] - 1)
        if high < low:
            return result
        first, last = sign * low + shift, sign * high + shift
        taken[axis] = slice(first, last + 1) if sign > 0 else slice(last, first + 1)
        filled[column] = slice(low, high + 1)
    flips = tuple(slice(None, None, int(whole[axis, column])) for column, axis in enumerate(axes))
    result[tuple(filled)] = array[tuple(taken)].transpose(axes)[flips]
    return result


def _linear(array: NDArray[Any], to_source: FloatArray, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    import SimpleITK as sitk  # noqa: N813
    from scipy.ndimage import gaussian_filter1d

    smooth = np.asarray(array, dtype=np.float32)
    for axis, step in enumerate(np.linalg.norm(to_source[:3, :3], axis=1)):
        if step > 1.05 and array.shape[axis] > 1:
            sigma = FWHM_TO_SIGMA * np.sqrt(step**2 - 1)
            smooth = gaussian_filter1d(smooth, sigma, axis=axis, mode="nearest", truncate=3.0)
    return np.asarray(_through_itk(smooth, to_source, shape, sitk.sitkLinear), dtype=np.float32)


def _nearest(array: NDArray[Any], to_source: FloatArray, shape: tuple[int, int, int]) -> NDArray[Any]:
    import SimpleITK as sitk  # noqa: N813

    plain = array.astype(np.uint8) if array.dtype == bool else array.astype(array.dtype.newbyteorder("="))
    return _through_itk(plain, to_source, shape, sitk.sitkNearestNeighbor).astype(array.dtype)


def _through_itk(
    array: NDArray[Any], to_source: FloatArray, shape: tuple[int, int, int], interpolator: int
) -> NDArray[Any]:
    """Resample in voxel space, so that no physical convention (LPS, RAS, handedness, shear) takes part.

    SimpleITK's first axis is numpy's last: matrix and shift are reversed to match.
    """
    import SimpleITK as sitk  # noqa: N813

    transform = sitk.AffineTransform(3)
    transform.SetMatrix(np.ascontiguousarray(to_source[2::-1, 2::-1]).ravel().tolist())
    transform.SetTranslation(to_source[2::-1, 3].tolist())
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize([int(n) for n in reversed(shape)])
    resampler.SetTransform(transform)
    resampler.SetInterpolator(interpolator)
    resampler.SetDefaultPixelValue(0)
    moved = resampler.Execute(sitk.GetImageFromArray(array))
    return cast(NDArray[Any], sitk.GetArrayFromImage(moved))
