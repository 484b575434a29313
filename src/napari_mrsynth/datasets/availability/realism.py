"""How varied synthetic slices are, and how like real ones: each figure beside that of real slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mrsynth.evaluation.frechet import frechet_distance
from napari_mrsynth.evaluation.multiscale import SMALLEST, ms_ssim
from napari_mrsynth.systems.segmenter.predictor import SegmenterPredictor
from napari_mrsynth.training.crops import usable_slices
from napari_mrsynth.training.prepared import Prepared

if TYPE_CHECKING:
    from torch import Tensor, nn

PAIRS = 200
SLICES = 200

Place = tuple[Prepared, int]


@dataclass(frozen=True)
class Realism:
    """Figures of synthetic and of real slices.

    Attributes
    ----------
    ms_ssim : mapping of contrast to mapping
        ``synthetic`` and ``real``: mean over pairs of slices of different patients, None where there are no
        two patients. Lower is more varied.
    frechet : mapping
        ``synthetic_to_real`` and ``real_to_real`` (two halves of the real patients), on the segmenter's
        features; None where there are too few slices.
    pairs, slices : int
        How many pairs, and slices on each side of a distance.
    """

    ms_ssim: dict[str, dict[str, float | None]]
    frechet: dict[str, float | None]
    pairs: int
    slices: int


def compare(
    real: Sequence[Prepared],
    synthetic: Sequence[Prepared],
    network: nn.Module,
    *,
    pairs: int = PAIRS,
    slices: int = SLICES,
    seed: int = 0,
) -> Realism:
    """Compare slices drawn at random.

    Parameters
    ----------
    real, synthetic : sequence of Prepared
    network : SegmenterNetwork
        Whose features are taken; left as it is.
    pairs : int
        Pairs of slices per contrast.
    slices : int
        Of each kind, for the distances; fewer where there are not so many.
    seed : int
    """
    rng = np.random.default_rng(seed)
    contrasts = real[0].contrasts
    tops = {name: _top(real, name) for name in contrasts}
    drawn = {kind: _pairs(who, pairs, rng) for kind, who in (("synthetic", synthetic), ("real", real))}
    similar: dict[str, dict[str, float | None]] = {
        name: {kind: _similarity(found, name, tops[name]) for kind, found in drawn.items()}
        for name in contrasts
    }
    order = rng.permutation(len(real))
    halves = [[real[int(i)] for i in order[part::2]] for part in (0, 1)]
    clouds = [list(_places(who)) for who in (synthetic, *halves)]
    count = min(slices, *map(len, clouds))
    if count < 2:
        return Realism(similar, {"synthetic_to_real": None, "real_to_real": None}, pairs, 0)
    copied = deepcopy(network).float()
    predictor = SegmenterPredictor(copied, str(next(copied.parameters()).device))  # type: ignore[arg-type]
    made, one, other = (_features(predictor, _few(places, count, rng)) for places in clouds)
    distances: dict[str, float | None] = {
        "synthetic_to_real": frechet_distance(made, other),
        "real_to_real": frechet_distance(one, other),
    }
    return Realism(similar, distances, pairs, count)


def _places(patients: Sequence[Prepared]) -> Iterator[Place]:
    """Return every slice with enough brain."""
    for patient in patients:
        for plane in usable_slices(patient):
            yield patient, int(plane)


def _few(places: list[Place], count: int, rng: np.random.Generator) -> list[Place]:
    return [places[int(index)] for index in rng.permutation(len(places))[:count]]


def _pairs(patients: Sequence[Prepared], count: int, rng: np.random.Generator) -> list[tuple[Place, Place]]:
    """Draw pairs of slices of two patients each."""
    found: list[tuple[Place, Place]] = []
    if len(patients) < 2:
        return found
    planes = [usable_slices(patient) for patient in patients]
    for _ in range(count):
        one, other = (int(which) for which in rng.choice(len(patients), 2, replace=False))
        found.append(
            (
                (patients[one], int(rng.choice(planes[one]))),
                (patients[other], int(rng.choice(planes[other]))),
            )
        )
    return found


def _similarity(found: list[tuple[Place, Place]], contrast: str, top: float) -> float | None:
    if not found:
        return None
    values = [ms_ssim(*_laid_together(_slice(a, contrast), _slice(b, contrast)), top) for a, b in found]
    return float(np.mean(values))


def _slice(place: Place, contrast: str) -> NDArray[np.float32]:
    patient, plane = place
    image = patient.volumes[patient.contrasts.index(contrast), plane].astype(np.float32)
    masked: NDArray[np.float32] = image * patient.mask[plane]
    return masked


def _laid_together(
    one: NDArray[np.float32], other: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pad two slices to one shape, middle on middle."""
    shape = [max(a, b, SMALLEST) for a, b in zip(one.shape, other.shape, strict=True)]
    return _padded(one, shape), _padded(other, shape)


def _padded(image: NDArray[np.float32], shape: Sequence[int]) -> NDArray[np.float32]:
    missing = [wanted - size for wanted, size in zip(shape, image.shape, strict=True)]
    return np.pad(image, [(gap // 2, gap - gap // 2) for gap in missing])


def _top(patients: Sequence[Prepared], contrast: str) -> float:
    """Return the full scale of a contrast: what all but the brightest of real voxels stay below."""
    tops = [float(np.percentile(p.volume(contrast)[p.mask], 99.5)) for p in patients]
    return float(np.mean(tops))


def _features(predictor: SegmenterPredictor, places: Sequence[Place]) -> NDArray[np.float64]:
    """Return the mean over the brain of what the segmenter's trunk says of each slice, (slices, features)."""
    kept: list[Tensor] = []
    hook = predictor.network.act.register_forward_hook(lambda module, given, made: kept.append(made))
    rows = []
    try:
        for patient, plane in places:
            around = np.clip(
                np.arange(plane - predictor.neighbours, plane + predictor.neighbours + 1),
                0,
                len(patient.mask) - 1,
            )
            pads = [(0, -size % predictor.multiple) for size in patient.mask.shape[1:]]
            stacks: dict[str, Tensor] = {}
            for name in predictor.inputs:
                planes = patient.volumes[patient.contrasts.index(name), around].astype(np.float32)
                stacks[name] = torch.from_numpy(np.pad(planes, ((0, 0), *pads)))[None]
            kept.clear()
            predictor.probabilities(stacks)
            brain = kept[0].abs().sum(dim=1, keepdim=True) > 0
            rows.append((kept[0].sum((0, 2, 3)) / brain.sum().clamp(min=1)).double().cpu().numpy())
    finally:
        hook.remove()
    return np.stack(rows)
