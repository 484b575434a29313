"""A synthetic layer and its truth shown alike: their display limits move together.

The two may be in different units (a synthetic scan takes the scale of the inputs it was made from), so the
limits are linked in proportion: the same fraction of each one's own brain mean is black, and white.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.layers import Image


def proportion(synthetic: NDArray[Any], truth: NDArray[Any], mask: NDArray[np.bool_] | None) -> float:
    """Return the brain mean of `synthetic` over that of `truth`, each of shape (i, j, k).

    The brain is `mask` where one is given, else where both are non-zero. Every second voxel is looked at.
    """
    every_second = (slice(None, None, 2),) * 3
    made, real = np.asarray(synthetic[every_second]), np.asarray(truth[every_second])
    inside = (made != 0) & (real != 0) if mask is None else mask[every_second]
    if not inside.any():
        return 1.0
    above, below = float(made[inside].mean()), float(real[inside].mean())
    return above / below if above > 0 and below > 0 else 1.0


def link_limits(synthetic: Image, truth: Image, ratio: float) -> Callable[[], None]:
    """Make the limits of `synthetic` be `ratio` times those of `truth`, whichever is changed.

    Returns
    -------
    callable
        Takes the link away.
    """
    busy = False

    def move(target: Image, low: float, high: float) -> None:
        nonlocal busy
        if busy:
            return
        busy = True
        try:
            below, above = target.contrast_limits_range
            target.contrast_limits_range = (min(below, low), max(above, high))
            target.contrast_limits = (low, high)
        finally:
            busy = False

    def follow_truth(event: object = None) -> None:
        low, high = truth.contrast_limits
        move(synthetic, low * ratio, high * ratio)

    def follow_synthetic(event: object = None) -> None:
        low, high = synthetic.contrast_limits
        move(truth, low / ratio, high / ratio)

    def unlink() -> None:
        truth.events.contrast_limits.disconnect(follow_truth)
        synthetic.events.contrast_limits.disconnect(follow_synthetic)

    truth.events.contrast_limits.connect(follow_truth)
    synthetic.events.contrast_limits.connect(follow_synthetic)
    follow_truth()
    return unlink
