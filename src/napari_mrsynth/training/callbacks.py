"""What is told and shown while a training runs: how far it is, when it will end, example slices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812  (Lightning's own convention)
import torch
from lightning.pytorch.callbacks import Callback

from napari_mrsynth.progress import ProgressCallback, Stopwatch
from napari_mrsynth.training.prepared import Prepared
from napari_mrsynth.training.samples import draw_sample


class ReportProgress(Callback):  # type: ignore[misc]
    """Tells a callback how far the training is, every `every` steps and at the end."""

    def __init__(self, report: ProgressCallback, every: int) -> None:
        self._report, self._every = report, every
        self._watch, self._first = Stopwatch(), 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Count the time left from where the run was resumed; the share that is done is of all steps."""
        self._watch, self._first = Stopwatch(), trainer.global_step

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any) -> None:
        """Report the step, the loss and the time left."""
        step, last = trainer.global_step, trainer.max_steps
        if not trainer.is_global_zero or (step % self._every and step < last):
            return
        loss = float(trainer.callback_metrics.get("loss", torch.tensor(float("nan"))))
        since = (step - self._first) / max(last - self._first, 1)
        progress = self._watch.at(since, f"step {step} of {last}, loss {loss:.4f}")
        self._report(replace(progress, fraction=step / max(last, 1)))


class DrawSamples(Callback):  # type: ignore[misc]
    """Draws a patient as the averaged network makes them, every `every` steps and at the end.

    Parameters
    ----------
    folder : Path
        Of the pictures, called ``step-000200.png`` and so on.
    system : str
        Whose network it is; one that synthesises.
    patient : Prepared
    said : str
        What the picture says of the patient.
    every : int
    """

    def __init__(self, folder: Path, system: str, patient: Prepared, said: str, every: int) -> None:
        self._folder, self._system, self._patient = folder, system, patient
        self._said, self._every = said, every

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any) -> None:
        """Draw where a picture is due."""
        step = trainer.global_step
        if not trainer.is_global_zero or (step % self._every and step < trainer.max_steps):
            return
        path = self._folder / f"step-{step:06d}.png"
        draw_sample(path, self._system, pl_module.best_network, self._patient, f"{self._said}, step {step}")
