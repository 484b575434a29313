"""Three plain methods every network has to beat: the mean image, linear regression and a random forest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import ContrastError
from napari_mrsynth.training.baselines.case import Case, FloatArray
from napari_mrsynth.training.baselines.features import SIGMAS, patch_features

T = TypeVar("T")
Voxels = NDArray[np.intp]

BLOCK = 200_000
"""Voxels whose features the forest holds at once."""


class Baseline(Protocol):
    """A method that learns one (subset, target) pair at a time."""

    name: str

    def fit(self, patients: Sequence[Case], subset: Sequence[str], target: str) -> Self:
        """Learn to make `target` from `subset`; forgets what was learnt before.

        Raises
        ------
        ContrastError
            If there is no patient or no input, the target is among the inputs, or a patient lacks a contrast.
        """
        ...

    def predict(self, patient: Case, voxels: Voxels | None = None) -> FloatArray:
        """Make the target for a patient.

        Parameters
        ----------
        patient : Case
            With the contrasts of the subset.
        voxels : ndarray of int, shape (n,), optional
            Flat indices to predict; by default the whole brain.

        Returns
        -------
        ndarray of float32, shape (S, A, R)
            In foreground means; 0 at all other voxels.
        """
        ...


class MeanImage:
    """The constant that is best without looking at the inputs' values: the target's mean over the brain.

    With every volume divided by its own foreground mean this constant is 1, and the error of this method
    is the target's own variance: what any method has to beat to have learnt something.
    """

    name = "mean"

    def __init__(self) -> None:
        self.level: float | None = None

    def fit(self, patients: Sequence[Case], subset: Sequence[str], target: str) -> Self:
        """Take the mean of the patients' means over the brain."""
        _require_patients(patients, subset, target)
        means = [case.scan(target).flat[case.voxels].mean(dtype=np.float64) for case in patients]
        self.level = float(np.mean(means))
        return self

    def predict(self, patient: Case, voxels: Voxels | None = None) -> FloatArray:
        """Return the same value everywhere."""
        voxels = patient.voxels if voxels is None else voxels
        level = _fitted(self.level, self.name)
        return patient.filled(np.full(voxels.size, level, np.float32), voxels)


class LinearRegression:
    """Least squares per voxel: the present contrasts' intensities and an intercept.

    Every brain voxel of every training patient counts once: exact normal equations in float64, no sampling.
    """

    name = "linear"

    def __init__(self) -> None:
        self.subset: tuple[str, ...] = ()
        self.weights: NDArray[np.float64] | None = None

    def fit(self, patients: Sequence[Case], subset: Sequence[str], target: str) -> Self:
        """Solve the normal equations summed over the patients."""
        _require_patients(patients, subset, target)
        self.subset = tuple(subset)
        size = len(self.subset) + 1
        gram, moment = np.zeros((size, size)), np.zeros(size)
        for case in patients:
            order = [_column(case, contrast) for contrast in self.subset] + [len(case.scans)]
            gram += case.moments[np.ix_(order, order)]
            moment += case.moments[order, _column(case, target)]
        self.weights = np.asarray(np.linalg.lstsq(gram, moment, rcond=None)[0], np.float64)
        return self

    def predict(self, patient: Case, voxels: Voxels | None = None) -> FloatArray:
        """Apply the weights voxel by voxel."""
        voxels = patient.voxels if voxels is None else voxels
        *slopes, intercept = _fitted(self.weights, self.name)
        values = np.full(voxels.size, intercept)
        for contrast, slope in zip(self.subset, slopes, strict=True):
            values += slope * patient.scan(contrast).flat[voxels]
        return patient.filled(values, voxels)


class RandomForest:
    """Regression forest on patch features, in the manner of REPLICA (Jog et al. 2017).

    Per present contrast the voxel, its six face neighbours and two Gaussian scales
    (:func:`~napari_mrsynth.training.baselines.features.patch_features`).

    Parameters
    ----------
    trees : int
        Trees in the forest.
    samples : int
        Training voxels in all, drawn without replacement, the same number from each patient's brain.
    min_samples_leaf : int
        Fewest training voxels in a leaf.
    max_features : float
        Share of the features tried at each split.
    sigmas : sequence of float
        Gaussian scales in voxels.
    seed : int
        Fixes the drawn voxels and the trees.
    n_jobs : int
        Threads for fitting and predicting; does not change the result.
    """

    name = "forest"

    def __init__(
        self,
        *,
        trees: int = 60,
        samples: int = 44_000,
        min_samples_leaf: int = 5,
        max_features: float = 1 / 3,
        sigmas: Sequence[float] = SIGMAS,
        seed: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.trees = trees
        self.samples = samples
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.sigmas = tuple(sigmas)
        self.seed = seed
        self.n_jobs = n_jobs
        self.subset: tuple[str, ...] = ()
        self._forest: Any = None

    @property
    def settings(self) -> dict[str, Any]:
        """All that the result depends on beside the patients, as plain data."""
        return {
            "trees": self.trees,
            "samples": self.samples,
            "min_samples_leaf": self.min_samples_leaf,
            "max_features": round(self.max_features, 4),
            "sigmas": list(self.sigmas),
            "seed": self.seed,
        }

    def fit(self, patients: Sequence[Case], subset: Sequence[str], target: str) -> Self:
        """Grow the trees on a random sample of brain voxels."""
        from sklearn.ensemble import RandomForestRegressor

        _require_patients(patients, subset, target)
        self.subset = tuple(subset)
        generator = np.random.default_rng(self.seed)
        share = -(-self.samples // len(patients))
        tables, values = [], []
        for case in patients:
            chosen = generator.choice(case.voxels, min(share, case.voxels.size), replace=False)
            chosen.sort()
            tables.append(patch_features(case, self.subset, chosen, sigmas=self.sigmas))
            values.append(case.scan(target).flat[chosen])
        forest = RandomForestRegressor(
            n_estimators=self.trees,
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,
            random_state=self.seed,
            n_jobs=self.n_jobs,
        )
        self._forest = forest.fit(np.concatenate(tables), np.concatenate(values))
        return self

    def predict(self, patient: Case, voxels: Voxels | None = None) -> FloatArray:
        """Average the trees' answers, a block of voxels at a time."""
        forest = _fitted(self._forest, self.name)
        voxels = patient.voxels if voxels is None else voxels
        values = np.empty(voxels.size, np.float32)
        for start in range(0, voxels.size, BLOCK):
            part = voxels[start : start + BLOCK]
            features = patch_features(patient, self.subset, part, sigmas=self.sigmas)
            values[start : start + BLOCK] = forest.predict(features)
        return patient.filled(values, voxels)


def _column(case: Case, contrast: str) -> int:
    case.scan(contrast)  # raises where the patient does not have it
    return list(case.scans).index(contrast)


def _require_patients(patients: Sequence[Case], subset: Sequence[str], target: str) -> None:
    if not patients:
        raise ContrastError("There is no patient to learn from.")
    if not subset or target in subset:
        raise ContrastError(
            f"Cannot learn {target} from {', '.join(subset) or 'nothing'}.",
            hint="Give at least one input that is not the target.",
        )


def _fitted(learnt: T | None, name: str) -> T:
    if learnt is None:
        raise RuntimeError(f"The {name} baseline has not been fitted.")
    return learnt
