"""Tiny untrained bundles of the systems of generation: `scans-tumour`, `segmenter-tumour`, `anatomy`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from napari_mrsynth.bundles import BundleStore, Card, save_bundle
from napari_mrsynth.networks.registry import build
from napari_mrsynth.systems import load_predictor

CONTRASTS = ("T1w", "T1ce", "T2w", "FLAIR")
CLASSES = (1, 2, 4)
SPACING_MM = 4.0
assert load_predictor  # importing the systems registers their networks


def lesion_models(root: Path, *kinds: str, spacing_mm: float = SPACING_MM) -> BundleStore:
    """Write the bundles of some kinds (`scans`, `segmenter`, `anatomy`; all by default) into a folder."""
    networks: dict[str, tuple[str, dict[str, Any]]] = {
        "scans": (
            "lesion-scans",
            {
                "name": "lesion-scans",
                "contrasts": [*CONTRASTS],
                "classes": [*CLASSES],
                "widths": [8, 16],
            },
        ),
        "segmenter": (
            "segmenter",
            {
                "name": "segmenter",
                "inputs": [*CONTRASTS],
                "classes": [*CLASSES],
                "widths": [8, 8],
                "any_subset": True,
            },
        ),
        "anatomy": (
            "anatomy",
            {
                "name": "anatomy",
                "inputs": [*CONTRASTS],
                "size": [48, 48],
                "code": 8,
                "widths": [8, 8],
                "mask_widths": [8, 8],
            },
        ),
    }
    for kind in kinds or tuple(networks):
        system, network = networks[kind]
        torch.manual_seed(3)
        model = build(str(network["name"]), {key: value for key, value in network.items() if key != "name"})
        card = Card(
            id=kind if kind == "anatomy" else f"{kind}-tumour",
            title=f"Tiny {kind}",
            summary="Random weights, for tests.",
            system=system,
            network=network,
            inputs=tuple(model.inputs),
            outputs=tuple(model.outputs),
            spacing_mm=spacing_mm,
            neighbours=int(model.neighbours),
            normalisation={"method": "foreground-mean"},
        )
        save_bundle(root / card.id, card, model.state_dict())
    return BundleStore([root])
