"""Random axial crops of prepared patients, each the same whenever its number is drawn again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from napari_mrsynth.training.prepared import Prepared

SMALLEST_SLICE = 400
"""Brain voxels that a slice must hold to be drawn, or a tenth of the largest slice's where that is less."""


class Crops(Dataset[dict[str, Tensor]]):
    """Crop number `i` of a training, a function of the seed and `i` alone.

    Patients are drawn evenly, slices evenly among those with enough brain, places by a random brain voxel.
    Because nothing else enters, a resumed training sees exactly what an uninterrupted one would have.

    Parameters
    ----------
    patients : sequence of Prepared
    count : int
        How many crops the training takes.
    crop : int
        Side in voxels.
    neighbours : int
        Slices on each side, repeated at the volume's ends.
    seed : int
    """

    def __init__(
        self, patients: Sequence[Prepared], count: int, crop: int, neighbours: int, seed: int
    ) -> None:
        self.patients, self.count, self.crop = list(patients), count, crop
        self.neighbours, self.seed = neighbours, seed
        self._slices = [_usable_slices(patient) for patient in self.patients]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return ``slices`` (contrast, 1 + 2 neighbours, H, W) float32 and ``mask`` (H, W) bool."""
        rng = np.random.default_rng((self.seed, index))
        which = int(rng.integers(len(self.patients)))
        patient = self.patients[which]
        plane = int(rng.choice(self._slices[which]))
        brain = np.argwhere(patient.mask[plane])
        centre = brain[int(rng.integers(len(brain)))]
        (a0, a1, a_pad), (r0, r1, r_pad) = (
            _window(int(c), n, self.crop) for c, n in zip(centre, patient.mask.shape[1:], strict=True)
        )
        planes = np.clip(
            np.arange(plane - self.neighbours, plane + self.neighbours + 1), 0, len(patient.mask) - 1
        )
        slices = np.asarray(patient.volumes[:, planes, a0:a1, r0:r1], dtype=np.float32)
        mask = patient.mask[plane, a0:a1, r0:r1]
        return {
            "slices": torch.from_numpy(np.pad(slices, ((0, 0), (0, 0), a_pad, r_pad))),
            "mask": torch.from_numpy(np.pad(mask, (a_pad, r_pad))),
            "index": torch.tensor(index),
        }


def _usable_slices(patient: Prepared) -> NDArray[np.intp]:
    areas = patient.mask.sum(axis=(1, 2))
    return np.flatnonzero(areas >= max(1, min(SMALLEST_SLICE, areas.max() // 10)))


def _window(centre: int, size: int, crop: int) -> tuple[int, int, tuple[int, int]]:
    """Return where a crop about `centre` begins and ends within `size`, and the padding it needs."""
    if size <= crop:
        before = (crop - size) // 2
        return 0, size, (before, crop - size - before)
    start = min(max(centre - crop // 2, 0), size - crop)
    return start, start + crop, (0, 0)
