"""A made-up glioma for the digital brain: necrotic centre, solid tumour, oedema along the white matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_mrsynth.samples.anatomy import Anatomy
from napari_mrsynth.samples.relaxation import NECROSIS, OEDEMA, TUMOUR, FloatArray, Tissue

LABELS = {1: "necrotic core", 2: "oedema", 3: "solid tumour"}
"""Numbered as in BraTS 2023, except that nothing is known to enhance here."""

TISSUES: dict[int, Tissue] = {1: NECROSIS, 2: OEDEMA, 3: TUMOUR}

CENTRE_MM = (30.0, 28.0, 20.0)
"""Where it sits, MNI mm: right frontal white matter."""


@dataclass(frozen=True, eq=False)
class Lesion:
    """Shares of the brain's voxels that are lesion.

    Attributes
    ----------
    shares : mapping of int to ndarray of float32, shape (n,)
        By label; their sum is at most 1 and leaves room for the fluid that was there.
    """

    shares: dict[int, FloatArray]

    @property
    def total(self) -> FloatArray:
        """The lesion's whole share of each voxel, shape (n,)."""
        total: FloatArray = np.sum(list(self.shares.values()), axis=0, dtype=np.float32)
        return total

    def spared(self, anatomy: Anatomy) -> FloatArray:
        """Return the part of white and grey matter that is left, 0 to 1, shape (n,)."""
        tissue = np.maximum(1 - anatomy.fluid, np.float32(1e-6))
        left: FloatArray = np.clip(1 - self.total / tissue, 0, 1)
        return left

    def labels(self, anatomy: Anatomy) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        """Return the label map, shape (i, j, k): the largest part where at least half is lesion."""
        numbers = np.array(list(self.shares), dtype=np.uint8)
        largest = numbers[np.argmax(np.stack(list(self.shares.values())), axis=0)]
        array = np.zeros(anatomy.grid.shape, dtype=np.uint8)
        array[anatomy.mask] = np.where(self.total >= 0.5, largest, 0)
        return array


def glioma(anatomy: Anatomy) -> Lesion:
    """Grow the lesion: lobulated, longer towards the back, without mass effect.

    The oedema follows the white matter and spares cortex and fluid, as vasogenic oedema does.
    """
    x, y, z = np.ascontiguousarray((anatomy.points_mm - np.array(CENTRE_MM, np.float32)).T)
    lobes = 2.2 * np.sin(0.31 * x + 0.9) * np.cos(0.27 * y) + 1.8 * np.sin(0.36 * z + 0.22 * y)
    tissue = 1 - anatomy.fluid
    from_centre = np.sqrt((x / 1.0) ** 2 + (y / 1.25) ** 2 + (z / 0.95) ** 2)
    solid = _within(from_centre + lobes, 12.0, 2.5) * tissue
    inner = np.sqrt((x + 1) ** 2 + ((y - 2) / 1.2) ** 2 + (z - 1) ** 2)
    necrosis = _within(inner + lobes, 6.5, 2.0) * solid
    behind = np.where(y < 0, 1.55, 1.15)
    fingers = 3.0 * np.sin(0.21 * x - 0.4) * np.sin(0.19 * y + 0.5) + 2.0 * np.cos(0.24 * z)
    reach = np.sqrt((x / 0.95) ** 2 + (y / behind) ** 2 + (z / 1.05) ** 2) + fingers
    spread = np.clip(1.4 * anatomy.white - 0.15, 0, 1)
    oedema = _within(reach, 23.0, 7.0) * spread * tissue * (1 - solid)
    return Lesion({1: necrosis, 2: oedema, 3: solid - necrosis})


def _within(distance: FloatArray, radius: float, edge: float) -> FloatArray:
    """Return 1 inside `radius` mm, 0 outside, smooth over `edge` mm on either side."""
    ramp = np.clip((radius + edge - distance) / (2 * edge), 0, 1)
    smooth: FloatArray = (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
    return smooth
