"""A predictor whose answers can be computed by hand, and an engine around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_mrsynth.bundles import BundleStore, Card, save_bundle
from napari_mrsynth.synthesis import DevicePlan, Engine

WEIGHT = {"T1w": 1.0, "T1ce": 0.5, "T2w": 0.8, "FLAIR": 1.2}
FACTOR = {"T1w": 2.0, "T1ce": 3.0, "T2w": 0.5, "FLAIR": 1.5}


class FakePredictor:
    """Weights each input's own slice, takes the maximum, multiplies by the output's factor.

    Every encoding is counted, and its shape kept.
    """

    inputs = outputs = tuple(WEIGHT)
    neighbours, multiple, margin = 1, 4, 4

    def __init__(self, fails: Callable[[int], Exception | None] = lambda batch: None) -> None:
        self.encoded: list[tuple[str, tuple[int, ...]]] = []
        self.decoded = 0
        self.fails = fails

    def encode(self, contrast: str, slices: Tensor) -> Tensor:
        error = self.fails(len(slices))
        if error is not None:
            raise error
        assert slices.shape[1] == 3
        assert slices.shape[2] % 4 == slices.shape[3] % 4 == 0
        self.encoded.append((contrast, tuple(slices.shape)))
        return slices[:, 1:2] * WEIGHT[contrast]

    def decode(self, latents: Mapping[str, Tensor], wanted: Sequence[str]) -> dict[str, Tensor]:
        self.decoded += 1
        fused = torch.stack(list(latents.values())).float().amax(dim=0)[:, 0]
        return {contrast: fused * FACTOR[contrast] for contrast in wanted}

    def sources(self, latents: Mapping[str, Tensor]) -> Tensor:
        return torch.stack(list(latents.values()))[:, :, 0].argmax(dim=0).to(torch.uint8)


def fake_store(root: Path, **changes: Any) -> BundleStore:
    values: dict[str, Any] = {
        "id": "fake",
        "title": "Fake",
        "summary": "For tests.",
        "system": "anysubset",
        "network": {"name": "anysubset"},
        "inputs": tuple(WEIGHT),
        "outputs": tuple(WEIGHT),
        "spacing_mm": 4.0,
        "neighbours": 1,
        "normalisation": {"method": "foreground-mean"},
        "licence": "none",
        "citation": "Nobody 2020",
    }
    save_bundle(root / "fake", Card(**{**values, **changes}), {"a": torch.ones(1)})
    return BundleStore([root])


def plan(workers: int = 1, batch: int = 1, device: str = "cpu") -> DevicePlan:
    return DevicePlan(device, "fp32", "for a test", batch=batch, workers=workers)


def fake_engine(
    root: Path,
    predictor: FakePredictor,
    *,
    cache_bytes: int = 2**26,
    used: DevicePlan | None = None,
    **card: Any,
) -> Engine:
    chosen = plan() if used is None else used
    return Engine(
        fake_store(root, **card),
        cache_bytes,
        load_predictor=lambda bundle, device, precision: predictor,
        choose_device=lambda device, precision: chosen,
    )
