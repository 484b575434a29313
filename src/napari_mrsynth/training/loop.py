"""The training loop on Lightning: batches, schedule, averaged weights, checkpoints that resume exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812  (Lightning's own convention)
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from napari_mrsynth.errors import MrsynthError
from napari_mrsynth.progress import ProgressCallback, Stopwatch
from napari_mrsynth.training.augment import move, repaint
from napari_mrsynth.training.config import TrainConfig
from napari_mrsynth.training.crops import Crops
from napari_mrsynth.training.prepared import Prepared


class DivergedError(MrsynthError):
    """The loss became NaN or infinite; the last good checkpoint is kept."""


class Loop(L.LightningModule):  # type: ignore[misc]
    """Draws crops, augments them, and minimises a system's cost.

    Parameters
    ----------
    system : nn.Module
        With ``network``, ``neighbours`` and ``cost(inputs, truth, mask, rng)``.
    config : TrainConfig
    patients : sequence of Prepared
        To learn from.
    """

    def __init__(self, system: nn.Module, config: TrainConfig, patients: Sequence[Prepared]) -> None:
        super().__init__()
        self.system, self.config, self.patients = system, config, list(patients)
        optim = config.optim
        self.averaged = (
            AveragedModel(system.network, multi_avg_fn=get_ema_multi_avg_fn(optim.ema), use_buffers=True)  # type: ignore[arg-type]
            if optim.ema
            else None
        )

    @property
    def steps_per_epoch(self) -> int:
        """Steps between checkpoints; a Lightning epoch is no more than that."""
        return min(self.config.run.checkpoint_every, self.config.optim.steps)

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Return the crops up to the next checkpoint, numbered from the steps taken.

        Lightning's own count of epochs is not used: after resuming it may lag behind by one.
        """
        optim = self.config.optim
        first = self.global_step * optim.batch
        count = min(self.steps_per_epoch, optim.steps - self.global_step) * optim.batch
        neighbours = int(self.system.neighbours)  # type: ignore[arg-type]
        crops = Crops(self.patients, first + count, optim.crop, neighbours, self.config.seed)
        return DataLoader(crops, batch_size=optim.batch, sampler=range(first, first + count))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the cost of one augmented batch."""
        rng = torch.Generator().manual_seed(hash((self.config.seed, int(batch["index"][0]))) % 2**63)
        slices, mask = move(batch["slices"], batch["mask"], self.config.augment, rng)
        truth = slices[:, :, slices.shape[2] // 2]
        inputs = torch.stack([repaint(x, self.config.augment, rng) for x in slices.unbind(1)], dim=1)
        terms = self.system.cost(inputs, truth, mask, rng)  # type: ignore[operator]
        loss: Tensor = terms["loss"]
        if not bool(torch.isfinite(loss)):
            raise DivergedError(
                f"The loss is {float(loss)} at step {self.global_step}.",
                hint="Lower optim.lr, or look for a damaged scan; the last checkpoint is kept.",
            )
        self.log_dict({name: value.detach() for name, value in terms.items()})
        return loss

    def on_train_batch_end(self, *args: Any) -> None:
        """Move the averaged weights, slowly at first."""
        if self.averaged is not None:
            warm = 1 - 1 / (self.global_step + 1)
            decay = min(self.config.optim.ema, warm)
            self.averaged.multi_avg_fn = get_ema_multi_avg_fn(decay)
            self.averaged.update_parameters(self.system.network)  # type: ignore[arg-type]

    def configure_optimizers(self) -> dict[str, Any]:
        """AdamW with warm-up and, where asked for, a cosine to zero."""
        optim = self.config.optim
        optimiser = torch.optim.AdamW(self.system.parameters(), lr=optim.lr, weight_decay=optim.weight_decay)

        def rate(step: int) -> float:
            warm = min(1.0, (step + 1) / max(optim.warmup, 1))
            done = step / max(optim.steps, 1)
            return warm * (0.5 * (1 + math.cos(math.pi * min(done, 1.0))) if optim.cosine else 1.0)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    @property
    def best_network(self) -> nn.Module:
        """The network to export: the averaged one where there is one."""
        return self.averaged.module if self.averaged is not None else self.system.network  # type: ignore[return-value]


class ReportProgress(Callback):  # type: ignore[misc]
    """Tells a callback how far the training is, every `every` steps and at the end."""

    def __init__(self, report: ProgressCallback, every: int) -> None:
        self._report, self._every = report, every
        self._watch, self._first = Stopwatch(), 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start counting from where the run was resumed."""
        self._watch, self._first = Stopwatch(), trainer.global_step

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any) -> None:
        """Report the step, the loss and the time left."""
        step, last = trainer.global_step, trainer.max_steps
        if step % self._every and step < last:
            return
        loss = float(trainer.callback_metrics.get("loss", torch.tensor(float("nan"))))
        fraction = (step - self._first) / max(last - self._first, 1)
        self._report(self._watch.at(fraction, f"step {step} of {last}, loss {loss:.4f}"))


def fit(loop: Loop, folder: Path, report: ProgressCallback | None = None, *, resume: bool = True) -> None:
    """Run the loop to its last step, from the last checkpoint in `folder` where there is one.

    Raises
    ------
    DivergedError
        If the loss becomes NaN or infinite.
    """
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

    config = loop.config
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    checkpoint = ModelCheckpoint(
        folder / "checkpoints",
        filename="last",
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    callbacks: list[Callback] = [
        checkpoint,
        *([ReportProgress(report, config.run.log_every)] if report else []),
    ]
    last = folder / "checkpoints" / "last.ckpt"
    trainer = L.Trainer(
        accelerator=config.run.accelerator,
        devices=config.run.devices,
        num_nodes=config.run.nodes,
        precision=config.optim.precision,
        max_steps=config.optim.steps,
        gradient_clip_val=config.optim.clip or None,
        reload_dataloaders_every_n_epochs=1,
        log_every_n_steps=config.run.log_every,
        logger=[CSVLogger(folder, name="log", version=""), TensorBoardLogger(folder, name="tensorboard")],
        callbacks=callbacks,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(loop, ckpt_path=str(last) if resume and last.is_file() else None, weights_only=True)
