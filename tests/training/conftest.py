"""A cohort of phantoms on disk and a configuration that trains a tiny network on it in a moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from phantoms import affine_of, nifti_file, phantom

SHAPE = (30, 36, 26)
AFFINE = affine_of(SHAPE, (5.0, 5.0, 5.0), "LPS")


def add_scan(root: Path, patient: str, contrast: str, seed: int) -> Path:
    """Write one contrast of a made-up patient; another seed is another patient."""
    scan = phantom(SHAPE, AFFINE, contrast, noise=0.05, seed=seed, scale=300 * (seed + 1))
    return nifti_file(root / patient / f"{patient}_{contrast}.nii.gz", scan.array, AFFINE)


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three patients, p0 to p2, with T1w and T2w; not to be changed."""
    root = tmp_path_factory.mktemp("cohort")
    for index in range(3):
        for contrast in ("T1w", "T2w"):
            add_scan(root, f"p{index}", contrast, index)
    return root


@pytest.fixture
def settings(cohort: Path, tmp_path: Path) -> dict[str, Any]:
    """Settings of a training of 6 steps with p2 held out."""
    return {
        "system": "anysubset",
        "seed": 5,
        "data": {
            "root": str(cohort),
            "contrasts": ["T1w", "T2w"],
            "spacing_mm": 5.0,
            "cache": str(cohort.parent / "prepared"),
            "held_out": ["p2"],
        },
        "network": {
            "name": "anysubset",
            "inputs": ["T1w", "T2w"],
            "outputs": ["T1w", "T2w"],
            "neighbours": 1,
            "encoder": "residual",
            "decoder": "residual",
            "fusion": "max-mean-spread",
            "latent": 2,
            "encoder_widths": [4, 4],
            "decoder_widths": [4, 4],
        },
        "objective": {"squared": 1.0, "subsets": "random", "brain_only": True, "balanced": True},
        "optim": {"steps": 6, "batch": 2, "crop": 24, "ema": 0.9, "warmup": 2},
        "run": {"folder": str(tmp_path / "run"), "checkpoint_every": 2, "log_every": 1, "accelerator": "cpu"},
        "card": {"id": "tiny", "title": "A tiny model", "name_patients": True},
    }


@pytest.fixture
def config(settings: dict[str, Any], tmp_path: Path) -> Path:
    """The settings as a file."""
    return write(settings, tmp_path / "config.yaml")


@pytest.fixture
def written(settings: dict[str, Any], tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the settings with some sections updated."""

    def with_changes(**sections: dict[str, Any]) -> Path:
        for section, values in sections.items():
            settings.setdefault(section, {}).update(values)
        return write(settings, tmp_path / "config.yaml")

    return with_changes


def write(settings: dict[str, Any], path: Path) -> Path:
    """Write settings as YAML."""
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path
