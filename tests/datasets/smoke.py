"""Tiny models, lesion maps and patients for data sets: what the tests here have in common."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from napari_mrsynth.bundles import BundleStore, Card, save_bundle
from napari_mrsynth.imaging import Grid, LabelVolume
from napari_mrsynth.networks.registry import build as build_network
from napari_mrsynth.systems.lesiongan.anatomy.network import AnatomyNetwork
from phantoms import affine_of, points_of, save

SPACING = 4.0
SIDE = 40
CONTRASTS = ("T1w", "FLAIR")
CLASSES = [1, 2, 4]
SUBJECT = {"id": "tumour/p9", "sha256": "9" * 64, "volumes": {"T1w": "abc"}}


def write_models(folder: Path) -> BundleStore:
    """Write a generator, a segmenter (both untrained) and a model of one round brain; return their store."""
    torch.manual_seed(1)
    scans = {"name": "lesion-scans", "contrasts": [*CONTRASTS], "classes": CLASSES, "widths": [8, 8]}
    segmenter = {"name": "segmenter", "inputs": [*CONTRASTS], "classes": CLASSES, "widths": [8, 8]}
    anatomy = {
        "name": "anatomy",
        "inputs": ["T1w"],
        "size": [SIDE, SIDE],
        "code": 4,
        "widths": [8, 8, 8],
        "mask_widths": [8, 8, 8],
        "squeeze": 4,
    }
    for identity, spec in (("tiny-scans", scans), ("tiny-judge", segmenter), ("tiny-anatomy", anatomy)):
        network = build_network(str(spec["name"]), {k: v for k, v in spec.items() if k != "name"})
        if isinstance(network, AnatomyNetwork):
            _round(network)
        _save(folder / identity, identity, spec, network)
    return BundleStore([folder])


def _save(folder: Path, identity: str, spec: dict[str, object], network: nn.Module) -> None:
    card = Card(
        id=identity,
        title="A tiny model",
        summary="",
        system=str(spec["name"]),
        network=spec,
        inputs=tuple(network.inputs),
        outputs=tuple(network.outputs),
        spacing_mm=SPACING,
        neighbours=int(network.neighbours),
        normalisation={"method": "foreground-mean"},
        training={"subjects": [SUBJECT]},
    )
    save_bundle(folder, card, network.state_dict())


def _round(network: AnatomyNetwork) -> None:
    """Teach a network to draw one brain: an ellipse with a rim and a middle line, whatever the code."""
    rows, columns = torch.meshgrid(torch.arange(float(SIDE)), torch.arange(float(SIDE)), indexing="ij")
    apart = ((rows - 19) / 17) ** 2 + ((columns - 20) / 14) ** 2
    rim = ((apart < 1) & (apart > 0.8)).float()[None, None].expand(4, -1, -1, -1)
    outside = (apart >= 1).float()[None, None].expand(4, -1, -1, -1)
    nn.init.zeros_(network.from_code[0].weight[:, 1:])  # little of the code is seen in the map
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(120):
        made = network.decode(torch.randn(4, network.code))
        loss = nn.functional.binary_cross_entropy(made, rim)
        loss = loss + nn.functional.binary_cross_entropy(network.mask(rim), outside)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def write_library(folder: Path) -> Path:
    """Write three tumours of nested classes, none of them symmetric."""
    shape = (60, 60, 60)
    place = Grid(shape, affine_of(shape, (1, 1, 1), "RAS", centre_mm=(20, 10, 15)))
    for name, size in (("one", 20.0), ("two", 15.0), ("three", 11.0)):
        apart = (points_of(place) - (20, 10, 15)) / (size, 0.8 * size, 0.7 * size)
        radius = np.linalg.norm(apart - 0.2 * (apart[..., :1] > 0), axis=-1)
        array = np.zeros(shape, np.uint8)
        for step, value in enumerate((2, 4, 1)):
            array[radius < 1 - 0.3 * step] = value
        save(LabelVolume(array, place, name), folder / f"{name}_seg.nii.gz")
    return folder
