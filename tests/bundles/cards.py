"""A small sound card and bundle for the tests beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from napari_mrsynth.bundles import Bundle, Card, save_bundle


def a_card(**changes: Any) -> Card:
    values: dict[str, Any] = {
        "id": "tiny",
        "title": "A tiny model",
        "summary": "Makes T1w and T2w.",
        "system": "anysubset",
        "network": {"name": "anysubset", "latent": 2},
        "inputs": ("T1w", "T2w", "FLAIR"),
        "outputs": ("T1w", "T2w"),
        "spacing_mm": 1.0,
        "neighbours": 1,
        "normalisation": {"method": "foreground-mean"},
        "training": {"seed": 3, "subjects": [{"id": "a", "sha256": "0" * 64}]},
        "results": {"T1w": {"mse": 0.123456, "ssim": 0.9}, "T2w": {"mse": 0.2, "ssim": 0.8}},
        "licence": "CC BY 4.0",
        "data_licences": ("CC BY 4.0, somebody",),
        "limits": "Fails on children.",
    }
    return Card(**{**values, **changes})


def a_state(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"a.weight": torch.randn(3, 2, generator=generator), "a.bias": torch.randn(3, generator=generator)}


def a_bundle(root: Path, **changes: Any) -> Bundle:
    card = a_card(**changes)
    return save_bundle(root / card.id, card, a_state())
