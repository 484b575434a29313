"""Phantom patients with drawn lesions, in folders, and what trainings on them have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
        "card": {"id": "tiny", "title": "A tiny model"},
        **sections,
    }
