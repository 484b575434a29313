"""Checkpoints: written whole or not at all, and never of weights that have gone wrong."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from torch import Tensor

from napari_mrsynth.errors import MrsynthError, OutputError
from napari_mrsynth.io.atomic import replacing


class DivergedError(MrsynthError):
    """The loss or the weights became NaN or infinite; the last good checkpoint is kept."""


class WholeCheckpointIO(TorchCheckpointIO):  # type: ignore[misc]
    """Replaces a checkpoint only once the new one is on the disk, whatever happens in between."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write `checkpoint` to `path`.

        Raises
        ------
        OutputError
            If the disk is full or refuses; an older checkpoint at `path` is kept.
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        try:
            with replacing(path) as temporary:
                Path(temporary).write_bytes(content.getbuffer())
        except OutputError as error:
            raise OutputError(error.message, hint=f"{error.hint} {kept(Path(path))}") from error


def kept(path: Path) -> str:
    """Say which checkpoint a training that ended with an error can go on from."""
    if not path.is_file():
        return "There is no checkpoint yet."
    return f"The checkpoint of step {step_of(path)} is kept at {path}; the training can go on from it."


def step_of(path: Path) -> int:
    """Return how many steps a checkpoint had taken."""
    return int(torch.load(path, map_location="cpu", weights_only=True, mmap=True)["global_step"])


def require_finite(state: Mapping[str, Tensor], step: int, last: Path) -> None:
    """Refuse to keep weights that are NaN or infinite.

    Raises
    ------
    DivergedError
        Naming the first tensor that is, and the checkpoint that is kept.
    """
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise DivergedError(
                f"The weights {name!r} are no longer finite after step {step}.", hint=f"{_MEND} {kept(last)}"
            )


def loss_diverged(loss: float, step: int, last: Path) -> DivergedError:
    """Return the error of a loss that is not a number."""
    return DivergedError(f"The loss is {loss} at step {step}.", hint=f"{_MEND} {kept(last)}")


_MEND = "Lower optim.lr, or look for a damaged scan."
