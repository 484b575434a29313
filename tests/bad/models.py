"""Models that are wrong in one way each. Every function makes ``models/tiny`` in a folder and breaks it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
import yaml

from napari_mrsynth.bundles import Card, save_bundle
from napari_mrsynth.networks.registry import build
from napari_mrsynth.systems import load_predictor

CONTRASTS = ("T1w", "T1ce", "T2w", "FLAIR")
WEIGHTS = "model.safetensors"
assert load_predictor  # importing the systems registers their networks


def tiny_model(folder: Path, contrasts: tuple[str, ...] = CONTRASTS) -> Path:
    """A sound model (untrained) in ``models/tiny``; returns its folder."""
    target = folder / "models" / "tiny"
    if not target.exists():
        shutil.copytree(_made_once(contrasts), target)
    return target


def with_card(folder: Path, changes: Mapping[str, Any], *, without: str = "") -> Path:
    """A model whose card has other values for some keys, or lacks one."""
    target = tiny_model(folder)
    data = yaml.safe_load((target / "card.yaml").read_text())
    data.update(changes)
    data.pop(without, None)
    (target / "card.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return target


def with_card_text(folder: Path, text: str, *, added: bool = False) -> Path:
    """A model whose card is this text, or ends in it."""
    card = tiny_model(folder) / "card.yaml"
    card.write_text(card.read_text() + text if added else text)
    return card.parent


def with_weights(folder: Path, content: bytes | None, *, vouched: bool = False) -> Path:
    """A model with other bytes for weights (None: no file); `vouched` puts their sha256 on the card."""
    target = tiny_model(folder)
    if content is None:
        (target / WEIGHTS).unlink()
        return target
    (target / WEIGHTS).write_bytes(content)
    if vouched:
        with_card(folder, {"weights_sha256": hashlib.sha256(content).hexdigest()})
    return target


def damaged(folder: Path) -> Path:
    """A model with one byte of its weights changed."""
    content = bytearray((tiny_model(folder) / WEIGHTS).read_bytes())
    content[-5] ^= 1
    return with_weights(folder, bytes(content))


def shortened(folder: Path) -> Path:
    """A model whose weights file ends early."""
    content = (tiny_model(folder) / WEIGHTS).read_bytes()
    return with_weights(folder, content[: len(content) // 2])


def pickled(folder: Path) -> Path:
    """A model whose weights are pickled; unpickling them would leave a file called ``executed``."""
    import pickle

    target = with_weights(folder, None)

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (Path(folder.parent / "executed"),))  # type: ignore[return-value]

    (target / "model.pt").write_bytes(pickle.dumps(Trap()))
    return target


def of_another_network(folder: Path) -> Path:
    """A model whose card describes a wider network than its weights are of."""
    target = tiny_model(folder)
    network = yaml.safe_load((target / "card.yaml").read_text())["network"]
    return with_card(folder, {"network": {**network, "encoder_widths": [8]}})


@lru_cache(maxsize=1)
def _made_once(contrasts: tuple[str, ...]) -> Path:
    torch.manual_seed(0)  # an untrained network may rectify half the brain away; this one does not
    network = {
        "name": "anysubset",
        "inputs": list(contrasts),
        "outputs": list(contrasts),
        "latent": 4,
        "encoder_widths": [4],
        "decoder_widths": [4],
    }
    card = Card(
        id="tiny",
        title="Tiny",
        summary="An untrained network.",
        system="anysubset",
        network=network,
        inputs=contrasts,
        outputs=contrasts,
        spacing_mm=4.0,
        neighbours=0,
        normalisation={"method": "foreground-mean"},
    )
    parameters = {key: value for key, value in network.items() if key != "name"}
    folder = Path(mkdtemp(prefix="mrsynth-tiny-")) / "tiny"
    save_bundle(folder, card, build("anysubset", parameters).state_dict())
    return folder
