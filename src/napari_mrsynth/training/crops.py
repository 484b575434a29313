"""Random axial crops of prepared patients, each the same whenever its number is drawn again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from napari_mrsynth.errors import ConfigError
from napari_mrsynth.training.artefacts import Artefacts
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
    artefacts : Artefacts, optional
        Spoil the inputs.
    """

    def __init__(
        self,
        patients: Sequence[Prepared],
        count: int,
        crop: int,
        neighbours: int,
        seed: int,
        artefacts: Artefacts | None = None,
    ) -> None:
        self.patients, self.count, self.crop = list(patients), count, crop
        self.neighbours, self.seed, self.artefacts = neighbours, seed, artefacts
        self._slices = [usable_slices(patient) for patient in self.patients]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return ``slices`` (contrast, 1 + 2 neighbours, H, W) float32 and ``mask`` (H, W) bool.

        With artefacts there are ``inputs`` too, of the shape of ``slices``.
        """
        rng = np.random.default_rng((self.seed, index))
        which = int(rng.integers(len(self.patients)))
        patient = self.patients[which]
        plane, centre = self.place(rng, which)
        (a0, a1, a_pad), (r0, r1, r_pad) = (
            _window(int(c), n, self.crop) for c, n in zip(centre, patient.mask.shape[1:], strict=True)
        )
        planes = np.clip(
            np.arange(plane - self.neighbours, plane + self.neighbours + 1), 0, len(patient.mask) - 1
        )
        slices = self.channels(which, (planes, slice(a0, a1), slice(r0, r1)))
        mask = patient.mask[plane, a0:a1, r0:r1]
        item = {
            "slices": torch.from_numpy(np.pad(slices, ((0, 0), (0, 0), a_pad, r_pad))),
            "mask": torch.from_numpy(np.pad(mask, (a_pad, r_pad))),
            "index": torch.tensor(index),
        }
        if self.artefacts is not None:
            item["inputs"] = self.artefacts(item["slices"], (self.seed, index))
        return item

    def place(self, rng: np.random.Generator, which: int) -> tuple[int, NDArray[np.intp]]:
        """Draw an axial slice of a patient, by its number, and the voxel (A, R) in it to centre a crop on."""
        plane = int(rng.choice(self._slices[which]))
        brain = np.argwhere(self.patients[which].mask[plane])
        return plane, brain[int(rng.integers(len(brain)))]

    def channels(self, which: int, where: tuple[NDArray[np.intp], slice, slice]) -> NDArray[np.float32]:
        """Return what a crop of a patient holds: every contrast, (contrast, planes, H, W)."""
        return np.asarray(self.patients[which].volumes[:, *where], dtype=np.float32)


def usable_slices(patient: Prepared, least: float = 0.0) -> NDArray[np.intp]:
    """Return the axial slices that show enough brain to be drawn, and `least` of the largest slice's."""
    areas = patient.mask.sum(axis=(1, 2))
    return np.flatnonzero(areas >= max(1, min(SMALLEST_SLICE, areas.max() // 10), least * areas.max()))


def _window(centre: int, size: int, crop: int) -> tuple[int, int, tuple[int, int]]:
    """Return where a crop about `centre` begins and ends within `size`, and the padding it needs."""
    if size <= crop:
        before = (crop - size) // 2
        return 0, size, (before, crop - size - before)
    start = min(max(centre - crop // 2, 0), size - crop)
    return start, start + crop, (0, 0)


def share(first: int, steps: int, batch: int, rank: int = 0, world: int = 1) -> list[int]:
    """Return the numbers of the crops that one of several processes draws, in order.

    Step `s` takes the crops from ``first + s batch``; every process gets an equal run of them, so that
    together they learn from what one process alone would have.

    Parameters
    ----------
    first : int
        Number of the first crop.
    steps, batch : int
        How many steps, and crops per step over all processes.
    rank, world : int
        Which process, of how many.

    Raises
    ------
    ConfigError
        If the processes do not divide a batch evenly.
    """
    if batch % world:
        raise ConfigError(
            f"optim.batch is {batch}, which {world} processes cannot share evenly.",
            hint=f"Set it to a multiple of {world}.",
        )
    each = batch // world
    starts = range(first + rank * each, first + steps * batch, batch)
    return [start + offset for start in starts for offset in range(each)]
