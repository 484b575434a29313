"""Phantom patients with drawn lesions, in folders, and what trainings on them have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from napari_mrsynth.training.run import RunResult, train
from phantoms import affine_of, lesion_labels, nifti_file, phantom

SHAPE = (30, 36, 26)
AFFINE = affine_of(SHAPE, (5.0, 5.0, 5.0), "LPS")


def write_cohort(root: Path, patients: int = 3, unlabelled: int = 0) -> Path:
    """Write patients p0, p1 ... with T1w and FLAIR; the first ones with lesion labels 1 and 2."""
    for index in range(patients + unlabelled):
        for contrast in ("T1w", "FLAIR"):
            scan = phantom(SHAPE, AFFINE, contrast, lesion=True, noise=0.05, seed=index, scale=300)
            nifti_file(root / f"p{index}" / f"p{index}_{contrast}.nii.gz", scan.array, AFFINE)
        if index < patients:
            labels = lesion_labels(SHAPE, AFFINE).array
            nifti_file(root / f"p{index}" / f"p{index}_seg.nii.gz", labels, AFFINE)
    return root


def settings(system: str, cohort: Path, run: Path, **sections: Any) -> dict[str, Any]:
    """Return a configuration of a short training with p2 held out."""
    return {
        "system": system,
        "seed": 5,
        "data": {
            "root": str(cohort),
            "contrasts": ["T1w", "FLAIR"],
            "spacing_mm": 5.0,
            "cache": str(cohort.parent / "prepared"),
            "held_out": ["p2"],
        },
        "run": {"folder": str(run), "checkpoint_every": 2, "log_every": 1, "accelerator": "cpu"},
        "card": {"id": "tiny", "title": "A tiny model", "name_patients": True},
        **sections,
    }


def write_settings(system: str, cohort: Path, folder: Path, optim: dict[str, Any], **sections: Any) -> Path:
    """Write the configuration of such a training into a folder, its run folder there too."""
    plain = settings(system, cohort, folder / "run", **sections)
    plain["optim"] = {"batch": 2, "ema": 0.9, "warmup": 2, **optim}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(plain), encoding="utf-8")
    return path


class StopError(Exception):
    """Ends a training from outside."""


def whole_and_in_parts(config: Path, folder: Path, last_step: int) -> tuple[RunResult, RunResult]:
    """Train once at a stretch, and once more stopped at a step and gone on with; both in a folder."""

    def stop(progress):
        if f"step {last_step} " in progress.message:
            raise StopError

    parts = [f"run.folder={folder / 'parts'}"]
    with pytest.raises(StopError):
        train(config, parts, report=stop)
    return train(config, [f"run.folder={folder / 'whole'}"]), train(config, parts)


def require_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    """Fail where two sets of weights differ by more than rounding."""
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=1e-4, atol=1e-5, msg=name)


def last_weights(run: RunResult) -> dict[str, torch.Tensor]:
    """Return the weights of a run's last checkpoint, those beside the network among them."""
    return torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
