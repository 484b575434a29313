"""Checkpoints: written whole or not at all, and never of weights that have gone wrong."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from torch import Tensor

from napari_mrsynth.errors import InputError, MrsynthError, OutputError
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
    return f"{_named(path)}; the training can go on from it." if path.is_file() else _NONE


def _of_use(path: Path) -> str:
    """Say what is left of a training that must not go on as it was."""
    if not path.is_file():
        return _NONE
    return f"{_named(path)}: `mrsynth export` makes a model of it, which another run can start from."


def _named(path: Path) -> str:
    return f"The checkpoint of step {step_of(path)} is kept at {path}"


def step_of(path: Path) -> int:
    """Return how many steps a checkpoint had taken (errors as for :func:`opened`)."""
    return int(opened(path, mmap=True)["global_step"])


def opened(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """Return what a checkpoint holds, on the processor.

    Raises
    ------
    InputError
        If it is damaged.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except (RuntimeError, EOFError, ValueError, UnpicklingError) as error:
        raise InputError(
            f"The checkpoint {path} is damaged.",
            hint="Put it back from a copy, or remove it: the training then begins anew.",
        ) from error
    return content


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
                f"The weights {name!r} are no longer finite after step {step}.",
                hint=f"{_MEND} {_of_use(last)}",
            )


def loss_diverged(loss: float, step: int, last: Path) -> DivergedError:
    """Return the error of a loss that is not a number."""
    return DivergedError(f"The loss is {loss} at step {step}.", hint=f"{_MEND} {_of_use(last)}")


_NONE = "There is no checkpoint yet."
_MEND = "Train anew in another run.folder with a lower optim.lr, or look for a damaged scan."
