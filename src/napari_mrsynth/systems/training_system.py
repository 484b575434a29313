"""What the training module asks of a system: a network, what it wants to be fed, and what a batch costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_mrsynth.networks.registry import build_as
from napari_mrsynth.progress import ProgressCallback

N = TypeVar("N", bound=nn.Module)


class Scans(Protocol):
    """A prepared patient."""

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Brain, (S, A, R)."""
        ...

    def volume(self, contrast: str) -> NDArray[np.floating]:
        """Return a contrast, (S, A, R), 0 outside the brain."""
        ...


class TrainingSystem(nn.Module, Generic[N]):
    """A network and what it is trained for.

    Parameters
    ----------
    network : nn.Module
        What learns and is exported; whatever else learns stays behind.
    contrasts : sequence of str
        Order of the contrasts in a batch; where there are `classes`, an indicator of each follows them.

    Attributes
    ----------
    neighbours : int
        Slices wanted on each side.
    classes : tuple of int
        The lesion classes whose indicators are wanted after the contrasts.
    focus : float
        The share of crops wanted centred on a lesion.
    least : float
        The other crops are of slices that show at least this share of their patient's largest slice's brain.
    """

    focus: float = 0.0
    least: float = 0.0

    def __init__(self, network: N, contrasts: Sequence[str]) -> None:
        super().__init__()
        self.network, self.contrasts = network, tuple(contrasts)
        self.neighbours = int(getattr(network, "neighbours", 0))
        self.classes: tuple[int, ...] = tuple(getattr(network, "classes", ()))

    def begin(
        self,
        patients: Sequence[Scans],
        seed: int,
        report: ProgressCallback | None = None,
        *,
        new: Sequence[str] | None = None,
    ) -> None:
        """Do what comes before step 0 of a training; here, nothing.

        `new` names the tensors that the bundle it starts from lacks; None where there is no such bundle.
        """

    def cost(self, inputs: Tensor, truth: Tensor, mask: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Return the cost of one batch, ``loss``, and its terms by name; all scalars.

        Parameters
        ----------
        inputs : Tensor, (B, contrast + class, 1 + 2 neighbours, H, W)
            As the network sees them (augmented).
        truth : Tensor, (B, contrast + class, H, W)
            As it should make them: turned and mirrored, intensities as scanned.
        mask : Tensor of bool, (B, H, W)
            Brain.
        rng : torch.Generator
            For whatever is drawn.
        """
        raise NotImplementedError

    def placed(self, names: Sequence[str]) -> list[int]:
        """Return the channels of contrasts in a batch."""
        return [self.contrasts.index(name) for name in names]


class ConfiguredSystem(TrainingSystem[N]):
    """A training system as a configuration describes it: every one is built from the same four things.

    Parameters
    ----------
    network : mapping
        ``name`` and parameters, as on a card.
    contrasts : sequence of str
        As for :class:`TrainingSystem`.
    objective : mapping
        Settings of the cost; what there is to set, the system's own ``Objective`` says.
    spread : sequence of float
        Standard deviation of each contrast over the training patients; not every system needs it.

    Raises
    ------
    BundleError
        If there is no such network, or it does not know a parameter.
    TypeError
        If the network is of another system, or `objective` has an unknown setting.
    """

    kind: ClassVar[type[nn.Module]]

    def __init__(
        self,
        network: Mapping[str, Any],
        contrasts: Sequence[str],
        objective: Mapping[str, Any],
        spread: Sequence[float],
    ) -> None:
        built: Any = build_as(network, self.kind)
        super().__init__(built, contrasts)
        self.set_objective(objective, spread)

    def set_objective(self, objective: Mapping[str, Any], spread: Sequence[float]) -> None:
        """Take the settings of the cost; called once, when the network is there."""
        raise NotImplementedError
