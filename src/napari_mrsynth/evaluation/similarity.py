"""The map of local structural similarity, made slab by slab so that large volumes fit into memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.evaluation.regions import Box, Mask, box_of

SIGMA = 1.5
"""Standard deviation of the window in voxels (Wang et al. 2004)."""

REACH = 5
"""Voxels the window reaches to each side: scikit-image truncates it at 3.5 sigma."""

SLAB = 24
"""Slices of the map made at once."""


def ssim_map(
    pred: NDArray[np.generic],
    truth: NDArray[np.generic],
    data_range: float,
    where: Mask,
    *,
    in_plane: bool = False,
) -> Iterator[tuple[Box, NDArray[np.float64]]]:
    """Yield the structural similarity around every voxel of a mask, in slabs along the first axis.

    The values equal those of ``skimage.metrics.structural_similarity`` with a Gaussian window and population
    covariance on the whole volume; at the volume's border the images are mirrored.

    Parameters
    ----------
    pred, truth : ndarray, shape (i, j, k)
        The two images.
    data_range : float
        Full scale, above 0.
    where : ndarray of bool, shape (i, j, k)
        The map is made over this mask's bounding box.
    in_plane : bool
        Whether the window is flat: each slice of the first axis by itself.

    Yields
    ------
    box : tuple of slice
        Where the slab lies in the volume.
    values : ndarray of float64
        The map there.
    """
    from skimage.metrics import structural_similarity

    whole = box_of(where)
    step = 1 if in_plane else SLAB
    reach = (0 if in_plane else REACH, REACH, REACH)
    core = tuple(slice(side, -side or None) for side in reach)
    for start in range(whole[0].start, whole[0].stop, step):
        box = (slice(start, min(start + step, whole[0].stop)), whole[1], whole[2])
        images = [_surrounded(image, box, reach) for image in (truth, pred)]
        if in_plane:
            images = [image[0] for image in images]
        _, values = structural_similarity(
            *images,
            data_range=data_range,
            gaussian_weights=True,
            sigma=SIGMA,
            use_sample_covariance=False,
            full=True,
        )
        yield box, (values[None] if in_plane else values)[core]


def _surrounded(image: NDArray[np.generic], box: Box, reach: tuple[int, int, int]) -> NDArray[np.float64]:
    """Cut a box and the window's reach around it, mirrored where the volume ends."""
    cut, missing = [], []
    for side, far, length in zip(box, reach, image.shape, strict=True):
        low, high = side.start - far, side.stop + far
        cut.append(slice(max(low, 0), min(high, length)))
        missing.append((max(-low, 0), max(high - length, 0)))
    return np.pad(image[tuple(cut)].astype(np.float64), missing, mode="symmetric")
