"""Which structural feature maps are good enough to draw a brain from (Qu et al. 2020, algorithm 3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import ConfigError, GridError

MAX_ERROR = 0.05
"""A map whose filled outline differs from its mask in more than this share of the pixels is drawn again."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """A map that was drawn at random, and how good it is.

    Attributes
    ----------
    structure : ndarray of 0/1, shape (A, R)
    brain : ndarray of 0/1, shape (A, R)
        1 inside the brain.
    error : float
        See :func:`outline_error`.
    attempts : int
        How many were drawn.
    accepted : bool
        Whether the error is within the limit; if not, this is the best of them.
    """

    structure: NDArray[Any]
    brain: NDArray[Any]
    error: float
    attempts: int
    accepted: bool


def filled_outline(structure: NDArray[Any]) -> NDArray[np.bool_]:
    """Fill everything that a map's edges enclose.

    The map is smeared by one pixel, so that gaps of one or two pixels close, and its outer contours are
    filled.

    Parameters
    ----------
    structure : ndarray, shape (A, R)
        0/1.
    """
    from scipy import ndimage

    edges = np.asarray(structure) > 0
    smeared = ndimage.binary_dilation(edges, np.ones((3, 3), dtype=bool))
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(smeared)
    return filled


def outline_error(structure: NDArray[Any], brain: NDArray[Any]) -> float:
    """Return the share of pixels in which a map's filled outline and a brain mask disagree, 0 to 1.

    It is small where the outline is closed. Where it has a gap, nothing is filled and the inside of the brain
    counts as disagreement.

    Raises
    ------
    GridError
        If the shapes differ.
    """
    if np.shape(structure) != np.shape(brain):
        raise GridError(f"The map is {np.shape(structure)}, its brain mask {np.shape(brain)} pixels.")
    return float(np.mean(filled_outline(structure) != (np.asarray(brain) > 0)))


def draw_closed(
    draw: Callable[[int], tuple[NDArray[Any], NDArray[Any]]],
    *,
    limit: float = MAX_ERROR,
    attempts: int = 50,
) -> Drawn:
    """Draw maps until one has a closed outline: again *while* its error is above `limit`.

    (The paper prints the condition the other way round, which would keep exactly the broken ones.)

    Parameters
    ----------
    draw : callable
        Given the number of the attempt (from 0), returns a map and its brain mask (1 inside), shape (A, R).
    limit : float
        Largest error to accept.
    attempts : int
        After so many the best one is returned, not accepted.

    Raises
    ------
    ConfigError
        If no attempt is allowed.
    """
    best: Drawn | None = None
    for attempt in range(attempts):
        structure, brain = draw(attempt)
        error = outline_error(structure, brain)
        if error <= limit:
            return Drawn(structure, brain, error, attempt + 1, accepted=True)
        if best is None or error < best.error:
            best = Drawn(structure, brain, error, attempts, accepted=False)
    if best is None:
        raise ConfigError(f"{attempts} attempts draw no map.", hint="Allow at least one.")
    return best
