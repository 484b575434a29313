"""A training watched on patients it does not learn from: error, best checkpoint, early stop, pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812  (Lightning's own convention)
import numpy as np
from lightning.pytorch.callbacks import Callback
from torch import nn

from napari_mrsynth.training.config import TrainConfig
from napari_mrsynth.training.curve import Curve
from napari_mrsynth.training.heldout import needs_all, pairs
from napari_mrsynth.training.measure import Pair, nmse_table
from napari_mrsynth.training.prepared import Prepared, SomeSlices
from napari_mrsynth.training.samples import draw_sample, picture_in


def thinned(patient: Prepared, every: int) -> SomeSlices:
    """Return a patient of whom only every `every`-th slice with brain counts."""
    brain = np.flatnonzero(patient.mask.any(axis=(1, 2)))
    return SomeSlices.of(patient, brain[len(brain) // 2 % every :: every])


def few_pairs(inputs: Sequence[str], outputs: Sequence[str], *, needs_all: bool = False) -> list[Pair]:
    """List what a check synthesises: every output from all other inputs, and from one of them alone.

    Where all inputs are needed, none is tried alone.
    """
    if needs_all:
        return pairs(inputs, outputs, needs_all=True)
    found: list[Pair] = []
    for place, target in enumerate(outputs):
        others = tuple(contrast for contrast in inputs if contrast != target)
        if others:
            alone = (others[place % len(others)],)
            found += [(others, target), (alone, target)] if len(others) > 1 else [(others, target)]
    return found


class HeldOutCheck(Callback):  # type: ignore[misc]
    """Measures the averaged network every so many steps; keeps the best checkpoint; may end the training.

    The training calls :meth:`after_step` itself, once the averaged weights have moved. What is known survives
    in the checkpoints, so that a resumed training stops where an uninterrupted one would have.

    Parameters
    ----------
    patients : sequence of Prepared
        Held out.
    config : TrainConfig
    folder : Path
        The run folder.

    Attributes
    ----------
    figure : str
        What the error is called in logs.
    """

    figure = "nmse"

    def __init__(self, patients: Sequence[Prepared], config: TrainConfig, folder: Path) -> None:
        self.config, self.folder = config, folder
        every = config.validation.slices
        self.patients = [thinned(patient, every) for patient in patients]
        self.best, self.since = float("inf"), 0
        self._curve: Curve | None = None

    @property
    def exhausted(self) -> bool:
        """Whether the error has not fallen for as many checks as the patience allows."""
        patience = self.config.validation.patience
        return 0 < patience <= self.since

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training must know."""
        return {"best": self.best, "since": self.since}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what an interrupted training knew."""
        self.best, self.since = float(state_dict["best"]), int(state_dict["since"])

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Open the table, and end at once where the patience was used up before."""
        if trainer.is_global_zero:
            self._curve = Curve(self.folder / "log" / "held_out.csv", trainer.global_step + 1)
        trainer.should_stop = trainer.should_stop or self.exhausted

    def after_step(self, trainer: L.Trainer, network: nn.Module) -> None:
        """Check where a check is due.

        Parameters
        ----------
        trainer : lightning.Trainer
        network : nn.Module
            To be measured, with ``inputs`` and ``outputs``; left as it is.
        """
        step = trainer.global_step
        if step % self.config.validation.every and step != trainer.max_steps:
            return
        error = float(trainer.strategy.broadcast(self._measure(trainer, network, step)))
        if error < self.best:
            self.best, self.since = error, 0
            trainer.save_checkpoint(self.folder / "checkpoints" / "best.ckpt")
        elif math.isfinite(error):  # else nothing was measured, which is no reason to end
            self.since += 1
        trainer.should_stop = trainer.should_stop or self.exhausted

    def _measure(self, trainer: L.Trainer, network: nn.Module, step: int) -> float:
        """Return the mean error over patients and pairs; NaN without one, and in helping processes."""
        if not trainer.is_global_zero:
            return float("nan")
        means = self.errors(network)
        error = float(np.mean(list(means.values()))) if means else math.nan
        if self._curve is not None:
            self._curve.add(step, {self.figure: error, **means})
        for logger in trainer.loggers[1:]:
            logger.log_metrics({f"held_out_{self.figure}": error}, step)
        if self.config.validation.images:
            self.draw(picture_in(self.folder, step), network, step, error)
        return error

    def errors(self, network: nn.Module) -> dict[str, float]:
        """Return the mean error over the patients of each thing that is measured, by its name."""
        whole = needs_all(network)
        wanted = few_pairs(network.inputs, network.outputs, needs_all=whole)  # type: ignore[arg-type]
        table = nmse_table(self.config.system, network, self.patients, wanted)
        return {name: float(np.mean(list(errors.values()))) for name, errors in table.items()}

    def draw(self, path: Path, network: nn.Module, step: int, error: float) -> None:
        """Draw what the network makes of the first patient."""
        draw_sample(path, self.config.system, network, self.patients[0], f"step {step}, NMSE {error:.4f}")
