"""Two bugs of published synthesis code that a whole run must not repeat: both are in writing the result."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bad.models import tiny_model
from napari_mrsynth.cli import main
from phantoms import brain_study, patient_folder

SPACING = (3.1, 4.3, 6.0)


@pytest.fixture
def synthesised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[nib.Nifti1Image, nib.Nifti1Image]:
    """A synthetic FLAIR and the T1w it was made from, on a grid the model has to resample."""
    model = tiny_model(tmp_path)
    monkeypatch.setattr("napari_mrsynth.bundles.store.default_roots", lambda: (model.parent,))
    study = brain_study(("T1w",), shape=(44, 40, 22), spacing=SPACING, codes="PIR", tilt_deg=(8, -5, 12))
    patient = patient_folder(tmp_path / "sub-01", study)
    assert main(["synthesize", str(patient), "--want", "FLAIR", "--out", str(tmp_path / "out")]) == 0
    made = next((tmp_path / "out").rglob("*FLAIR*.nii*"))
    return nib.load(made), nib.load(next(patient.rglob("*T1w*.nii*")))


def test_the_affine_belongs_to_the_grid_that_was_written(synthesised):
    made, given = synthesised
    assert made.shape == given.shape
    np.testing.assert_allclose(made.affine, given.affine, atol=1e-4)


def test_the_synthetic_brain_lies_where_the_real_one_does(synthesised):
    made, given = (np.asarray(image.dataobj) != 0 for image in synthesised)
    overlap = 2 * (made & given).sum() / (made.sum() + given.sum())
    assert overlap > 0.98


def test_intensities_do_not_pass_through_eight_bits(synthesised):
    made, _ = synthesised
    inside = np.asarray(made.dataobj)
    inside = inside[inside != 0]
    assert made.get_data_dtype() == np.float32
    assert len(np.unique(inside)) > 1000
