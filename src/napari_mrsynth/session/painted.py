"""A brain mask on which somebody may still paint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from napari_mrsynth.imaging.volume import LabelVolume


@dataclass(frozen=True, eq=False)
class PaintedMask:
    """A label map as it was when it was looked at, and how to look at it again.

    Attributes
    ----------
    look : callable
        Returns the label map as it is now.
    labels : LabelVolume
        A copy of what it was: 1 where any class but 0 was.
    """

    look: Callable[[], LabelVolume]
    labels: LabelVolume

    @classmethod
    def seen(cls, look: Callable[[], LabelVolume]) -> Self:
        """Look at a label map."""
        now = look()
        return cls(look, replace(now, array=(now.array > 0).view(np.uint8)))

    def seen_again(self) -> Self:
        """Look again; this very object where nothing has changed (about 15 ms for nine million voxels)."""
        inside = self.look().array > 0
        return self if np.array_equal(inside, self.labels.array) else self.seen(self.look)
