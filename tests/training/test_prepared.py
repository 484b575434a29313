"""Prepared patients: what lies on disk is what was drawn and scanned, whatever the grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_mrsynth.training.config import DataConfig
from napari_mrsynth.training.prepared import prepare
from napari_mrsynth.training.subjects import Subject
from phantoms import affine_of, nifti_file, phantom


def test_lesion_classes_are_never_blended_into_others(tmp_path: Path) -> None:
    shape = (36, 44, 32)
    scan = phantom(shape)
    labels = np.zeros(shape, np.uint8)
    labels[12:18, 18:26, 12:18] = 4
    nifti_file(tmp_path / "p" / "p_T1w.nii.gz", scan.array, affine_of(shape))
    nifti_file(tmp_path / "p" / "p_seg.nii.gz", labels, affine_of(shape))
    data = DataConfig(root=str(tmp_path), contrasts=("T1w",), spacing_mm=3.0, cache=str(tmp_path / "cache"))
    lesions = prepare(Subject("p", tmp_path / "p"), data).lesions
    assert lesions is not None
    assert set(np.unique(lesions)) == {0, 4}
    drawn_ml, kept_ml = labels.astype(bool).sum() * 4**3, lesions.astype(bool).sum() * 3**3
    assert abs(kept_ml / drawn_ml - 1) < 0.15
