"""A loop run by Lightning to its last step: loggers, checkpoints, devices, and how it may end."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import lightning as L  # noqa: N812  (Lightning's own convention)
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger

from napari_mrsynth.errors import OutputError
from napari_mrsynth.progress import ProgressCallback
from napari_mrsynth.training.callbacks import ReportProgress
from napari_mrsynth.training.checkpoints import WholeCheckpointIO, kept, step_of
from napari_mrsynth.training.curve import CurveLogger
from napari_mrsynth.training.module import Loop
from napari_mrsynth.training.precision import precision_here
from napari_mrsynth.training.prepared import Prepared
from napari_mrsynth.training.registry import PREDICTORS
from napari_mrsynth.training.samples import DrawSamples

__all__ = ["Loop", "fit"]


def fit(
    loop: Loop,
    folder: Path,
    report: ProgressCallback | None = None,
    *,
    held_out: Sequence[Prepared] = (),
    resume: bool = True,
) -> bool:
    """Run the loop to its last step, from the last checkpoint in `folder` where there is one.

    Parameters
    ----------
    loop : Loop
    folder : Path
        The run folder.
    report : callable, optional
        Told the progress.
    held_out : sequence of Prepared
        Watched where the configuration asks for it.
    resume : bool
        Whether an earlier checkpoint is gone on from.

    Returns
    -------
    bool
        Whether this process is the first of those that train together.

    Raises
    ------
    DivergedError
        If the loss becomes NaN or infinite.
    OutputError
        If the run folder cannot be written.
    KeyboardInterrupt
        If the user ends it.
    """
    config = loop.config
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    last = folder / "checkpoints" / "last.ckpt"
    resumed = resume and last.is_file()
    first = step_of(last) if resumed else 0
    callbacks: list[Callback] = [
        ModelCheckpoint(
            folder / "checkpoints",
            filename="last",
            every_n_epochs=1,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        ),
        *([ReportProgress(report, config.run.log_every)] if report else []),
    ]
    if config.validation.every and held_out:
        loop.watch = loop.check(held_out, folder)
        callbacks.append(loop.watch)
    elif config.run.samples_every and config.system in PREDICTORS:
        shown, said = (held_out[0], "held out") if held_out else (loop.patients[0], "learnt from")
        every = config.run.samples_every
        loop.watch = DrawSamples(folder, config.system, shown, said, every)
    with _said_plainly(last):
        trainer = L.Trainer(
            accelerator=config.run.accelerator,
            devices=config.run.devices,
            num_nodes=config.run.nodes,
            precision=precision_here(config)[0],
            max_steps=config.optim.steps,
            gradient_clip_val=config.optim.clip or None,
            reload_dataloaders_every_n_epochs=1,
            log_every_n_steps=config.run.log_every,
            logger=[
                CurveLogger(folder / "log" / "metrics.csv", first),
                TensorBoardLogger(folder, name="tensorboard", purge_step=first or None),
            ],
            callbacks=callbacks,
            plugins=[WholeCheckpointIO()],
            default_root_dir=folder,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        trainer.fit(loop, ckpt_path=str(last) if resumed else None, weights_only=True)
    return bool(trainer.is_global_zero)


@contextmanager
def _said_plainly(last: Path) -> Iterator[None]:
    """Turn what Lightning makes of an interrupt, and a disk that refuses, into the project's own ends."""
    interrupts = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as ended:
        if not isinstance(ended.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, interrupts)
        raise KeyboardInterrupt from ended
    except OSError as error:
        raise OutputError(
            f"The run folder “{last.parents[1]}” cannot be written: {error.strerror or error}.",
            hint=f"Free some space, or look whether the disk is well. {kept(last)}",
        ) from error
