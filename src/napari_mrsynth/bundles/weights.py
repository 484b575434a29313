"""A model's numbers: safetensors only, and only after the file's sha256 is what the card says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mrsynth.bundles.card import WEIGHTS_FILE
from napari_mrsynth.errors import BundleError

if TYPE_CHECKING:
    from torch import Tensor

PICKLED = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")


def read_verified(folder: Path, sha256: str) -> bytes:
    """Return the bytes of a bundle's weights once their sha256 is proven.

    The bytes that are hashed are the bytes that are used: the file is read once.

    Parameters
    ----------
    folder : Path
        The bundle.
    sha256 : str
        What the card says, lower-case hex.

    Raises
    ------
    BundleError
        If the file is missing, pickled, or not the one the card speaks of.
    """
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise BundleError(f"{folder} has no {WEIGHTS_FILE}.", hint=_missing_hint(folder))
    content = path.read_bytes()
    if not sha256:
        raise BundleError(
            f"The card in {folder} gives no sha256 for its weights.",
            hint="Weights that nobody vouches for are not loaded; save the bundle again.",
        )
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise BundleError(
            f"{path} is damaged or not the file its card speaks of: "
            f"sha256 {found[:12]}…, the card says {sha256[:12]}….",
            hint="Fetch the bundle again.",
        )
    return content


def read_header(content: bytes, where: str) -> dict[str, tuple[int, ...]]:
    """Return name -> shape of the tensors in safetensors `content`, without torch.

    Raises
    ------
    BundleError
        If it is not a safetensors file.
    """
    try:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        return {
            name: tuple(int(n) for n in entry["shape"])
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{where} is not a safetensors file.", hint="Fetch the bundle again.") from error


def count_parameters(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Return how many numbers tensors of these shapes hold together."""
    return sum(prod(shape) for shape in shapes.values())


def load_state(folder: Path, sha256: str) -> dict[str, Tensor]:
    """Return a bundle's tensors (CPU), verified first (errors as for :func:`read_verified`)."""
    content = read_verified(folder, sha256)
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        state: dict[str, Tensor] = load(content)
    except SafetensorError as error:
        raise BundleError(
            f"{folder / WEIGHTS_FILE} is not a safetensors file: {error}.", hint="Fetch the bundle again."
        ) from error
    return state


def dump_state(state: Mapping[str, Tensor]) -> bytes:
    """Return a state dict as safetensors bytes.

    Raises
    ------
    BundleError
        If it holds something else than tensors.
    """
    import torch
    from safetensors.torch import save

    other = [name for name, value in state.items() if not isinstance(value, torch.Tensor)]
    if other:
        raise BundleError(f"Only tensors can be saved in a bundle, not {', '.join(other)}.")
    content: bytes = save({name: value.detach().cpu().contiguous() for name, value in state.items()})
    return content


def _missing_hint(folder: Path) -> str:
    pickled = [item.name for item in _listing(folder) if item.suffix.lower() in PICKLED]
    if pickled:
        return (
            f"{', '.join(pickled)} beside it is pickled and never loaded: opening it could run any program "
            "hidden in it. Ask its maker for safetensors."
        )
    return "Fetch the bundle again."


def _listing(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
