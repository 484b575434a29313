"""Comparisons on different grids brought onto one, so that one layer can show them all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import GridError
from napari_mrsynth.evaluation.comparison import Comparison
from napari_mrsynth.evaluation.pairing import Pair
from napari_mrsynth.imaging.geometry import Grid
from napari_mrsynth.imaging.volume import LabelVolume, Volume

Image = TypeVar("Image", Volume, LabelVolume)


def pair_on(pair: Pair, grid: Grid) -> Pair:
    """Return a pair as it is displayed on `grid`, whose axes run along (S, A, R).

    The arrays are views where the two grids differ by the order and the direction of axes alone; elsewhere
    they are resampled.
    """

    def scan(array: NDArray[Any]) -> NDArray[Any]:
        return _displayed(Volume(array, pair.grid), grid)

    def labels(array: NDArray[Any]) -> NDArray[Any]:
        return _displayed(LabelVolume(array, pair.grid), grid)

    return replace(
        pair,
        grid=grid,
        pred=scan(pair.pred),
        truth=scan(pair.truth),
        brain=labels(pair.brain),
        field=labels(pair.field),
        lesions=None if pair.lesions is None else labels(pair.lesions),
    )


def mask_on(mask: NDArray[np.bool_], own: Grid, grid: Grid) -> NDArray[np.bool_]:
    """Return a mask that lies on the grid `own` as it is displayed on `grid`, as for :func:`pair_on`."""
    return _displayed(LabelVolume(mask, own), grid)


def moving_note(comparison: Comparison, first: Comparison) -> str:
    """Return what was done to show a comparison where the first one is shown, for people; may be empty."""
    reason = first.pair.grid.display.mismatch(comparison.pair.grid.display)
    if reason is None:
        return ""
    return (
        f"To be looked at, {comparison.name} was resampled onto the grid of {first.name} ({reason}); "
        "the table is of its own voxels."
    )


def require_meeting(shown: Pair, comparison: Comparison, first: Comparison) -> None:
    """Refuse to show a comparison of which nothing lies where the first one is shown.

    Parameters
    ----------
    shown : Pair
        The comparison's pair, on the first one's grid.

    Raises
    ------
    GridError
        If its brain is not there.
    """
    if not shown.brain.any():
        raise GridError(
            f"{comparison.name} shows no part of the brain that {first.name} shows: "
            "they cannot be looked at together.",
            hint="Compare them with the truth one after the other.",
        )


def _displayed(image: Image, grid: Grid) -> NDArray[Any]:
    if image.grid.display.same_as(grid):
        return image.display
    from napari_mrsynth.preprocess.resample import resample

    return resample(image, grid).array
