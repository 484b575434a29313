"""What Lightning trains: batches, schedule and averaged weights, each a function of the steps taken alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812  (Lightning's own convention)
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from napari_mrsynth.networks.blocks import hold_norms
from napari_mrsynth.systems.training_system import TrainingSystem
from napari_mrsynth.training.artefacts import Artefacts
from napari_mrsynth.training.augment import move, repaint
from napari_mrsynth.training.checkpoints import loss_diverged, require_finite
from napari_mrsynth.training.config import TrainConfig
from napari_mrsynth.training.crops import Crops, share
from napari_mrsynth.training.prepared import Prepared
from napari_mrsynth.training.samples import DrawSamples
from napari_mrsynth.training.validation import HeldOutCheck


class Loop(L.LightningModule):  # type: ignore[misc]
    """Draws crops, augments them, and minimises a system's cost.

    Parameters
    ----------
    system : TrainingSystem
    config : TrainConfig
    patients : sequence of Prepared
        To learn from.

    Attributes
    ----------
    watch : HeldOutCheck, DrawSamples or None
        Asked after every step, once the averaged weights have moved.
    """

    watch: HeldOutCheck | DrawSamples | None = None

    def __init__(
        self, system: TrainingSystem[Any], config: TrainConfig, patients: Sequence[Prepared]
    ) -> None:
        super().__init__()
        self.system, self.config, self.patients = system, config, list(patients)
        optim = config.optim
        self.train()
        self.averaged = AveragedModel(system.network, use_buffers=True) if optim.ema else None
        if self.averaged is not None:
            self.averaged.requires_grad_(False)
        artefacts = config.augment.artefacts
        self.artefacts = Artefacts(artefacts) if artefacts.any else None

    def train(self, mode: bool = True) -> Loop:
        """Switch to training, batch normalisations as they are where they are to keep their statistics."""
        super().train(mode)
        if self.config.optim.freeze_norms:
            hold_norms(self.system.network)
        return self

    @property
    def last_checkpoint(self) -> Path:
        """Where the newest checkpoint is."""
        return Path(self.config.run.folder) / "checkpoints" / "last.ckpt"

    @property
    def steps_per_epoch(self) -> int:
        """Steps between checkpoints; a Lightning epoch is no more than that."""
        return min(self.config.run.checkpoint_every, self.config.optim.steps)

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Return the crops up to the next checkpoint, numbered from the steps taken.

        Lightning's own count of epochs is not used: after resuming it may lag behind by one.
        """
        optim, run = self.config.optim, self.config.run
        rank, world = self.trainer.global_rank, self.trainer.world_size
        first = self.global_step * optim.batch
        steps = min(self.steps_per_epoch, optim.steps - self.global_step)
        numbers = share(first, steps, optim.batch, rank, world)
        return DataLoader(
            self.crops(first + steps * optim.batch),
            batch_size=optim.batch // world,
            sampler=numbers,
            num_workers=run.workers,
            pin_memory=self.on_gpu,
        )

    def crops(self, count: int) -> Crops:
        """Return the first `count` crops of the training."""
        return Crops(
            self.patients,
            count,
            self.config.optim.crop,
            self.system.neighbours,
            self.config.seed,
            self.artefacts,
        )

    def check(self, patients: Sequence[Prepared], folder: Path) -> HeldOutCheck:
        """Return what watches the training on held-out patients."""
        return HeldOutCheck(patients, self.config, folder)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the cost of one augmented batch."""
        rng = torch.Generator().manual_seed(hash((self.config.seed, int(batch["index"][0]))) % 2**63)
        augment = self.config.augment
        clean = batch["slices"]
        count = clean.shape[1]
        both = torch.cat([clean, batch["inputs"]], dim=1) if "inputs" in batch else clean
        both, mask = move(both, batch["mask"], augment, rng)
        truth = both[:, :count, both.shape[2] // 2]
        seen = both[:, -count:]
        inputs = torch.stack([repaint(x, augment, rng) for x in seen.unbind(1)], dim=1)
        terms = self.system.cost(inputs, truth, mask, rng)
        loss: Tensor = terms["loss"]
        if not bool(torch.isfinite(loss)):
            raise loss_diverged(float(loss.detach()), self.global_step, self.last_checkpoint)
        several = self.trainer.world_size > 1
        self.log_dict({name: value.detach() for name, value in terms.items()}, sync_dist=several)
        return loss

    def on_train_batch_end(self, *args: Any) -> None:
        """Move the averaged weights, slowly at first; then let them be checked."""
        if self.averaged is not None:
            warm = 1 - 1 / (self.global_step + 1)
            decay = min(self.config.optim.ema, warm)
            average(self.averaged, self.system.network, decay)
        if self.watch is not None:
            self.watch.after_step(self.trainer, self.best_network)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep no checkpoint of weights that have gone wrong."""
        require_finite(checkpoint["state_dict"], self.global_step, self.last_checkpoint)

    def configure_optimizers(self) -> dict[str, Any]:
        """AdamW with warm-up and, where asked for, a cosine to zero; in one pass over memory where it can."""
        optim = self.config.optim
        scaled = optim.precision == "16-mixed"  # a fused optimiser would get the scaled gradients, unclipped
        optimiser = torch.optim.AdamW(
            self.system.parameters(),
            lr=optim.lr,
            weight_decay=optim.weight_decay,
            fused=not scaled and self.device.type in ("cpu", "cuda"),
        )

        def rate(step: int) -> float:
            warm = min(1.0, (step + 1) / max(optim.warmup, 1))
            done = step / max(optim.steps, 1)
            return warm * (0.5 * (1 + math.cos(math.pi * min(done, 1.0))) if optim.cosine else 1.0)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the gradients of every side by their norm; Lightning refuses to with a fused optimiser."""
        if gradient_clip_val:
            for side in self.sides:
                nn.utils.clip_grad_norm_(side.parameters(), gradient_clip_val)

    @property
    def sides(self) -> tuple[nn.Module, ...]:
        """What learns against each other, each with gradients of its own size: here the one system."""
        return (self.system,)

    @property
    def best_network(self) -> nn.Module:
        """The network to export: the averaged one where there is one."""
        return self.averaged.module if self.averaged is not None else self.system.network


@torch.no_grad()
def average(averaged: AveragedModel, network: nn.Module, decay: float) -> None:
    """Move averaged weights and buffers towards a network's, in place; what are no fractions is copied.

    Parameters
    ----------
    averaged : AveragedModel
        Of `network`; takes it over the first time.
    network : nn.Module
    decay : float
        What stays of the average, 0 to 1.
    """
    olds = [*averaged.module.parameters(), *averaged.module.buffers()]
    news = [*network.parameters(), *network.buffers()]
    moved = [(old, new) for old, new in zip(olds, news, strict=True) if old.is_floating_point()]
    for old, new in zip(olds, news, strict=True):
        if not old.is_floating_point():
            old.copy_(new)
    weight = 1 - decay if averaged.n_averaged else 1.0
    torch._foreach_lerp_([old for old, _ in moved], [new for _, new in moved], weight)
    averaged.n_averaged += 1
