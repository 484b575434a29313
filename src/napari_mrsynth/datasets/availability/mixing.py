"""Crops drawn from real, synthetic and augmented patients in given shares, in a given order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from napari_mrsynth.datasets.availability.arms import Arm, Mixing
from napari_mrsynth.systems.training_system import TrainingSystem
from napari_mrsynth.training.augment import move
from napari_mrsynth.training.config import AugmentConfig, TrainConfig
from napari_mrsynth.training.crops import Crops
from napari_mrsynth.training.labelled import LabelledLoop
from napari_mrsynth.training.prepared import Prepared

CLASSICAL = AugmentConfig(flip=0.5, turn=1.0, degrees=30.0, zoom=0.2, intensity=0.0)
"""Random mirroring, rotation and scaling, as in the paper's control; crops lie at random places anyway."""

PRE_TRAINING = 0.5
"""Share of the steps before the change, where one source comes before the other."""

_POOL, _AUGMENTED = 1, 2  # so that what is drawn here does not repeat what the crops draw


@dataclass(frozen=True)
class Pool:
    """Patients of one kind, and how much of what is learnt comes from them.

    Attributes
    ----------
    kind : ``real``, ``synthetic`` or ``enhanced``
    patients : tuple of Prepared
    amount : float
        In the arm's units; only ratios count.
    """

    kind: str
    patients: tuple[Prepared, ...]
    amount: float


def shares_of(arm: Arm, pools: Sequence[Pool]) -> tuple[tuple[float, tuple[float, ...]], ...]:
    """Return the phases of an arm: until which share of the steps, each pool's share of the crops."""
    amounts = np.array([pool.amount for pool in pools])
    if arm.mixing in (Mixing.ALONE, Mixing.RANDOM):
        return ((1.0, tuple((amounts / amounts.sum()).tolist())),)
    first = "synthetic" if arm.mixing is Mixing.SYNTHETIC_FIRST else "real"
    begin = tuple(float(pool.kind == first) for pool in pools)
    return (PRE_TRAINING, begin), (1.0, tuple(1 - value for value in begin))


class MixedCrops(Dataset[dict[str, Tensor]]):
    """Crops of several pools; which pool crop `i` comes from is a function of the seed and `i` alone.

    Parameters
    ----------
    pools : sequence of Pool
    crops : sequence of Crops
        Of each pool.
    phases : sequence of (int, shares)
        Up to which crop, and each pool's share.
    seed : int
    """

    def __init__(
        self,
        pools: Sequence[Pool],
        crops: Sequence[Crops],
        phases: Sequence[tuple[int, Sequence[float]]],
        seed: int,
    ) -> None:
        self.pools, self.crops, self.phases, self.seed = tuple(pools), tuple(crops), tuple(phases), seed

    def __len__(self) -> int:
        return len(self.crops[0])

    def pool_of(self, index: int) -> int:
        """Return which pool a crop comes from."""
        shares = next((shares for end, shares in self.phases if index < end), self.phases[-1][1])
        return int(np.random.default_rng((self.seed, index, _POOL)).choice(len(shares), p=shares))

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return a crop as :class:`Crops` does, turned, scaled and mirrored where its pool is `enhanced`."""
        chosen = self.pool_of(index)
        item = self.crops[chosen][index]
        if self.pools[chosen].kind != "enhanced":
            return item
        seed = int(np.random.default_rng((self.seed, index, _AUGMENTED)).integers(2**62))
        rng = torch.Generator().manual_seed(seed)
        slices, mask = move(item["slices"][None], item["mask"][None], CLASSICAL, rng)
        return {**item, "slices": slices[0], "mask": mask[0]}


class MixedLoop(LabelledLoop):
    """A loop over the pools of an arm.

    Parameters
    ----------
    system : TrainingSystem
    config : TrainConfig
    pools : sequence of Pool
    arm : Arm
    """

    def __init__(
        self, system: TrainingSystem[Any], config: TrainConfig, pools: Sequence[Pool], arm: Arm
    ) -> None:
        everyone = {id(p): p for pool in pools for p in pool.patients}
        super().__init__(system, config, list(everyone.values()))
        self.pools = tuple(pools)
        optim = config.optim
        self.phases = [
            (round(end * optim.steps) * optim.batch, shares) for end, shares in shares_of(arm, self.pools)
        ]

    def crops(self, count: int) -> MixedCrops:  # type: ignore[override]
        """Return the first `count` crops of the training."""
        made = [self.crops_of(pool.patients, count) for pool in self.pools]
        return MixedCrops(self.pools, made, self.phases, self.config.seed)
