"""How well a label map agrees with another: Dice per class, and the measure of Qu et al. beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import GridError


def dice(found: NDArray[Any], truth: NDArray[Any], classes: Sequence[int]) -> dict[str, float | None]:
    """Return twice the overlap over the sum of the volumes, for each class and for all lesion together.

    Parameters
    ----------
    found, truth : ndarray of int, same shape
        Label maps of a whole patient, 0 outside lesions.
    classes : sequence of int

    Returns
    -------
    dict
        ``label-1`` and so on, and ``lesion``; None where neither map has the class, which says nothing.

    Raises
    ------
    GridError
        If the shapes differ.
    """
    _require_same(found, truth)
    pairs = {f"label-{value}": (found == value, truth == value) for value in classes}
    pairs["lesion"] = (found > 0, truth > 0)
    result: dict[str, float | None] = {}
    for name, (one, other) in pairs.items():
        total = int(one.sum()) + int(other.sum())
        result[name] = 2 * int((one & other).sum()) / total if total else None
    return result


def label_value_dice(found: NDArray[Any], truth: NDArray[Any]) -> float | None:
    r"""Return :math:`2 \sum o t / (\sum o^2 + \sum t^2)` of the class *numbers*, as published figures are.

    It takes class 4 where 1 was meant for a better answer than nothing, and counts a class of a large number
    more than one of a small number. It is here to stand beside published figures, not to judge by.

    Parameters
    ----------
    found, truth : ndarray of int, (S, A, R)
        The mean is taken over the axial slices in which either has a lesion.

    Returns
    -------
    float or None
        None where there is no lesion at all.
    """
    _require_same(found, truth)
    one, other = found.astype(np.float64), truth.astype(np.float64)
    products = (one * other).sum(axis=(1, 2))
    squares = (one**2).sum(axis=(1, 2)) + (other**2).sum(axis=(1, 2))
    shown = squares > 0
    return float(np.mean(2 * products[shown] / squares[shown])) if shown.any() else None


def _require_same(found: NDArray[Any], truth: NDArray[Any]) -> None:
    if found.shape != truth.shape:
        raise GridError(
            f"The label maps are {found.shape} and {truth.shape} voxels.", hint="Bring them to one grid."
        )
