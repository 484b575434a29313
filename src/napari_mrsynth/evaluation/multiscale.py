"""Multi-scale structural similarity of two slices (Wang, Simoncelli and Bovik 2003)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import GridError

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the scales, finest first."""

SIGMA = 1.5
REACH = 5
SMALLEST = 2 * REACH + 1
K1, K2 = 0.01, 0.03


def ms_ssim(one: NDArray[Any], other: NDArray[Any], data_range: float) -> float:
    r"""Return :math:`l_M^{w_M} \prod_j (c_j s_j)^{w_j}`, 1 for equal slices.

    Parameters
    ----------
    one, other : ndarray, shape (A, R)
        At least 11 pixels in each direction. A slice that is too small for five scales is compared at fewer,
        the weights of which are made to sum to 1.
    data_range : float
        Full scale, above 0.

    Raises
    ------
    GridError
        If the shapes differ, or the slices are too small.
    """
    if one.shape != other.shape or min(one.shape) < SMALLEST:
        raise GridError(
            f"Slices of {one.shape} and {other.shape} pixels cannot be compared.",
            hint=f"They must be of one shape, {SMALLEST} pixels or more.",
        )
    scales = min(len(WEIGHTS), 1 + int(np.log2(min(one.shape) / SMALLEST)))
    weights = np.asarray(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
    first, second = one.astype(np.float64), other.astype(np.float64)
    result = 1.0
    for scale, weight in enumerate(weights):
        luminance, structure = _terms(first, second, data_range)
        term = luminance * structure if scale == scales - 1 else structure
        result *= max(float(term.mean()), 0.0) ** float(weight)
        first, second = _halved(first), _halved(second)
    return result


def _terms(
    x: NDArray[np.float64], y: NDArray[np.float64], data_range: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return luminance, and contrast times structure, wherever the window fits whole."""
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    mx, my = _smooth(x), _smooth(y)
    xx, yy, xy = _smooth(x * x) - mx * mx, _smooth(y * y) - my * my, _smooth(x * y) - mx * my
    return (2 * mx * my + c1) / (mx**2 + my**2 + c1), (2 * xy + c2) / (xx + yy + c2)


def _smooth(image: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter

    smoothed: NDArray[np.float64] = gaussian_filter(image, SIGMA, radius=REACH)
    return smoothed[REACH:-REACH, REACH:-REACH]


def _halved(image: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width = (size // 2 * 2 for size in image.shape)
    quarters = image[:height, :width].reshape(height // 2, 2, width // 2, 2)
    halved: NDArray[np.float64] = quarters.mean(axis=(1, 3))
    return halved
