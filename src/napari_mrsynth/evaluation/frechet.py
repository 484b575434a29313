"""How far two clouds of features are apart: the Fréchet distance of the normal distributions through them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import InputError


def frechet_distance(one: NDArray[Any], other: NDArray[Any]) -> float:
    r"""Return :math:`|m_1 - m_2|^2 + tr(C_1 + C_2 - 2 (C_1 C_2)^{1/2})`, 0 for equal clouds.

    It falls as more samples are drawn, so only distances between clouds of one size compare.

    Parameters
    ----------
    one, other : ndarray, shape (samples, features)
        At least two samples each.

    Raises
    ------
    InputError
        If there are too few samples, or the features are not the same ones.
    """
    if one.ndim != 2 or one.shape[1:] != other.shape[1:] or min(len(one), len(other)) < 2:
        raise InputError(f"Clouds of {one.shape} and {other.shape} have no distance.")
    first, second = one.astype(np.float64), other.astype(np.float64)
    apart = first.mean(axis=0) - second.mean(axis=0)
    c1, c2 = (np.atleast_2d(np.cov(cloud, rowvar=False)) for cloud in (first, second))
    # the eigenvalues of C1 C2 are real and not negative, up to rounding
    roots = np.sqrt(np.clip(np.linalg.eigvals(c1 @ c2).real, 0, None)).sum()
    return float(max(apart @ apart + np.trace(c1) + np.trace(c2) - 2 * roots, 0.0))
