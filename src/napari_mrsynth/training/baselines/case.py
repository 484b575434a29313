"""A patient as the per-voxel methods see one: every contrast in units of its own foreground mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import ContrastError, GridError
from napari_mrsynth.evaluation.regions import box_of

if TYPE_CHECKING:
    from napari_mrsynth.training.prepared import Prepared

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Case:
    """Contrasts of one patient on one grid, cropped to the brain, ready to learn from or to predict.

    Invariant: every scan, the brain and the lesions have one shape, and the brain has a voxel.

    Parameters
    ----------
    name : str
        The patient's identifier.
    scans : mapping of str to ndarray, shape (S, A, R)
        By contrast; foreground mean 1, background 0 (see :meth:`cropped`).
    brain : ndarray of bool, shape (S, A, R)
        The voxels that are learnt from and predicted.
    lesions : ndarray of int, shape (S, A, R), optional
        Labels, 0 outside lesions.

    Raises
    ------
    GridError
        If shapes disagree or the brain is empty.
    """

    name: str
    scans: Mapping[str, FloatArray]
    brain: NDArray[np.bool_]
    lesions: NDArray[np.integer] | None = None
    _smoothed: dict[tuple[str, float], FloatArray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        others = dict(self.scans) if self.lesions is None else {**self.scans, "lesions": self.lesions}
        for name, array in others.items():
            if array.shape != self.brain.shape:
                raise GridError(
                    f"{name} of {self.name} has shape {array.shape}, its brain mask {self.brain.shape}."
                )
        if not self.brain.any():
            raise GridError(f"The brain mask of {self.name} is empty.", hint="Give another mask.")

    @classmethod
    def of(cls, patient: Prepared) -> Case:
        """Take a prepared patient as it is; it was normalised by its foreground mean."""
        scans = {contrast: patient.volume(contrast) for contrast in patient.contrasts}
        return cls(patient.subject, scans, patient.mask, patient.lesions)

    @classmethod
    def cropped(
        cls,
        name: str,
        scans: Mapping[str, NDArray[np.floating]],
        brain: NDArray[np.bool_],
        lesions: NDArray[np.integer] | None = None,
        *,
        margin: int = 2,
    ) -> Case:
        """Crop scans of any scale to the brain's box plus `margin` voxels and divide each by its mean.

        The mean is taken over the brain, so it does not depend on the field of view; voxels outside the
        brain become 0.

        Raises
        ------
        GridError
            If the brain is empty or a scan's mean over it is not positive.
        """
        if not brain.any():
            raise GridError(f"The brain mask of {name} is empty.", hint="Give another mask.")
        box = box_of(brain, margin)
        inside = brain[box]
        ready: dict[str, FloatArray] = {}
        for contrast, scan in scans.items():
            values = np.where(inside, scan[box], 0).astype(np.float32)
            mean = float(values[inside].mean(dtype=np.float64))
            if not mean > 0:
                raise GridError(f"{contrast} of {name} has the mean {mean:.4g} over the brain, not above 0.")
            ready[contrast] = values / np.float32(mean)
        return cls(name, ready, inside.copy(), None if lesions is None else lesions[box].copy())

    @cached_property
    def voxels(self) -> NDArray[np.intp]:
        """Flat indices of the brain's voxels, in memory order."""
        return np.flatnonzero(self.brain)

    def scan(self, contrast: str) -> FloatArray:
        """Return one contrast, shape (S, A, R).

        Raises
        ------
        ContrastError
            If the patient does not have it.
        """
        if contrast not in self.scans:
            raise ContrastError(f"{self.name} has no {contrast}, only {', '.join(self.scans)}.")
        return self.scans[contrast]

    def smoothed(self, contrast: str, sigma: float) -> FloatArray:
        """Return a contrast blurred by a Gaussian of `sigma` voxels, shape (S, A, R); kept for reuse."""
        key = (contrast, sigma)
        if key not in self._smoothed:
            from scipy.ndimage import gaussian_filter

            self._smoothed[key] = gaussian_filter(self.scan(contrast), sigma, mode="constant", truncate=3.0)
        return self._smoothed[key]

    @cached_property
    def moments(self) -> NDArray[np.float64]:
        """Sums over the brain of the products of every two contrasts, in `scans` order and then a constant 1.

        Shape (n + 1, n + 1): all that least squares needs to know of the patient, for any subset and target.
        """
        columns = [self.scans[contrast].flat[self.voxels] for contrast in self.scans]
        table = np.stack([*columns, np.ones(self.voxels.size, np.float32)]).astype(np.float64)
        products: NDArray[np.float64] = table @ table.T
        return products

    def filled(self, values: NDArray[np.floating], voxels: NDArray[np.intp]) -> FloatArray:
        """Put one value per flat index of `voxels` into a volume (S, A, R), 0 elsewhere."""
        volume = np.zeros(self.brain.shape, np.float32)
        volume.flat[voxels] = values
        return volume
