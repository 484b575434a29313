"""What is told while a training runs: how far it is, and when it will end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import lightning as L  # noqa: N812  (Lightning's own convention)
import torch
from lightning.pytorch.callbacks import Callback

from napari_mrsynth.progress import ProgressCallback, Stopwatch


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
