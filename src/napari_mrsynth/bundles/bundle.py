"""A bundle: a folder of data only, with a card and the numbers it vouches for."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mrsynth.bundles.card import CARD_FILE, WEIGHTS_FILE, Card
from napari_mrsynth.bundles.readme import render_readme
from napari_mrsynth.bundles.weights import PICKLED, count_parameters, dump_state, load_state, read_header
from napari_mrsynth.errors import BundleError, OutputError

if TYPE_CHECKING:
    from torch import Tensor

README_FILE = "README.md"


@dataclass(frozen=True)
class Bundle:
    """A model on disk.

    Attributes
    ----------
    card : Card
        What it is.
    folder : Path
        Where ``card.yaml`` and ``model.safetensors`` are.
    """

    card: Card
    folder: Path

    @classmethod
    def open(cls, folder: str | Path) -> Bundle:
        """Open a bundle folder by its card; the numbers are read by :meth:`state`.

        Raises
        ------
        BundleError
            If it is a pickled file instead of a bundle, or its card is missing or not usable.
        """
        path = Path(folder)
        if path.suffix.lower() in PICKLED:
            raise BundleError(
                f"{path} is a pickled weights file; opening it could run any program hidden in it.",
                hint=f"A bundle is a folder with {CARD_FILE} and {WEIGHTS_FILE}; ask its maker for one.",
            )
        return cls(Card.load(path), path)

    def state(self) -> dict[str, Tensor]:
        """Return the trained tensors on the CPU, once the file's sha256 is what the card says.

        Raises
        ------
        BundleError
            If the weights are missing, pickled, damaged or not the ones the card speaks of.
        """
        return load_state(self.folder, self.card.weights_sha256)


def require_network(card: Card, known: Collection[str]) -> None:
    """Refuse a card whose network this version does not have.

    Parameters
    ----------
    card : Card
        Whose ``network.name`` is asked for.
    known : collection of str
        The registered networks' names.

    Raises
    ------
    BundleError
        Naming the known networks, the nearest first.
    """
    name = card.network["name"]
    if name in known:
        return
    near = get_close_matches(name, known, n=1)
    suggestion = f"Did you mean {near[0]}? " if near else ""
    raise BundleError(
        f"The model {card.id!r} asks for the network {name!r}, which this version does not have.",
        hint=f"{suggestion}Known: {', '.join(sorted(known))}. A newer version may know it.",
    )


def save_bundle(folder: str | Path, card: Card, state_dict: Mapping[str, Tensor]) -> Bundle:
    """Write a bundle: all of it, or nothing.

    The three files are written into a new folder beside the target, which then takes the target's place.

    Parameters
    ----------
    folder : path
        Where the bundle goes. An older bundle there is replaced; any other folder with files is not.
    card : Card
        `weights_sha256` and `parameters` are filled in from the tensors.
    state_dict : mapping of str to Tensor
        The trained tensors.

    Returns
    -------
    Bundle
        With the card as written.

    Raises
    ------
    OutputError
        If the folder holds something else, or cannot be written.
    BundleError
        If `state_dict` holds something else than tensors.
    """
    target = Path(folder)
    if target.exists() and not (target / CARD_FILE).is_file() and (target.is_file() or any(target.iterdir())):
        raise OutputError(f"{target} holds something else than a bundle.", hint="Choose another folder.")
    content = dump_state(state_dict)
    full = replace(
        card,
        weights_sha256=hashlib.sha256(content).hexdigest(),
        parameters=count_parameters(read_header(content, WEIGHTS_FILE)),
    )
    fresh: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        fresh.chmod(0o755)
        (fresh / WEIGHTS_FILE).write_bytes(content)
        (fresh / README_FILE).write_text(render_readme(full), encoding="utf-8")
        (fresh / CARD_FILE).write_text(full.to_yaml(), encoding="utf-8")
        _take_place(fresh, target)
    except OSError as error:
        raise OutputError(
            f"The bundle cannot be written to {target}: {error}.", hint="Choose another folder."
        ) from error
    finally:
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)
    return Bundle(full, target)


def _take_place(fresh: Path, target: Path) -> None:
    """Rename `fresh` to `target`; an older `target` is put back if that fails, removed if it succeeds."""
    if not target.exists():
        fresh.rename(target)
        return
    old = fresh.with_name(fresh.name + ".old")
    target.rename(old)
    try:
        fresh.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
