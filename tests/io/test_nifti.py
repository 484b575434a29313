"""NIfTI headers: which form counts, units, one frame in four axes, and what a note tells the user."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from napari_mrsynth.imaging import Affine
from napari_mrsynth.io import read_image, write_volume
from phantoms import affine_of, nifti_file, phantom

ARRAY = phantom((8, 9, 7)).array
OBLIQUE = affine_of(ARRAY.shape, (1, 2, 3), "LPS", (5, 3, 8))


def test_without_a_sform_the_qform_counts(tmp_path):
    volume = read_image(nifti_file(tmp_path / "T1w.nii", ARRAY, OBLIQUE, qform=1, sform=0))
    np.testing.assert_allclose(volume.grid.affine.matrix, OBLIQUE.matrix, atol=1e-5)
    assert volume.notes == ()


def test_without_a_qform_the_sform_counts(tmp_path):
    volume = read_image(nifti_file(tmp_path / "T1w.nii", ARRAY, OBLIQUE, qform=0, sform=2))
    np.testing.assert_allclose(volume.grid.affine.matrix, OBLIQUE.matrix, atol=1e-5)
    assert volume.notes == ()


def test_where_both_forms_differ_the_sform_counts_and_a_note_says_by_how_much(tmp_path):
    other = OBLIQUE.matrix.copy()
    other[0, 3] += 12.5
    volume = read_image(nifti_file(tmp_path / "T1w.nii", ARRAY, OBLIQUE, qform_affine=other))
    np.testing.assert_allclose(volume.grid.affine.matrix, OBLIQUE.matrix, atol=1e-5)
    assert volume.notes == ("qform and sform differ by up to 12.5 mm: the sform is used",)


def test_without_either_form_a_note_warns_about_left_and_right(tmp_path):
    volume = read_image(nifti_file(tmp_path / "T1w.nii", ARRAY, OBLIQUE, qform=0, sform=0))
    assert volume.grid.spacing == pytest.approx((1, 2, 3))
    assert "left and right may be swapped" in volume.notes[0]


def test_a_damaged_qform_beside_a_good_sform_is_noted(tmp_path):
    path = nifti_file(tmp_path / "T1w.nii", ARRAY, OBLIQUE)
    raw = bytearray(path.read_bytes())
    raw[256:260] = np.float32(9).tobytes()  # quatern_b: a unit quaternion cannot have it
    path.write_bytes(raw)
    volume = read_image(path)
    np.testing.assert_allclose(volume.grid.affine.matrix, OBLIQUE.matrix, atol=1e-5)
    assert volume.notes == ("the qform is damaged: the sform is used",)


@pytest.mark.parametrize(("unit", "in_mm"), [("meter", 1000.0), ("micron", 0.001)])
def test_other_length_units_are_converted_to_mm_and_written_back(tmp_path, unit, in_mm):
    stored = OBLIQUE.matrix.copy()
    stored[:3] /= in_mm
    path = nifti_file(tmp_path / "T1w.nii", ARRAY, stored, units=unit)
    volume = read_image(path)
    np.testing.assert_allclose(volume.grid.affine.matrix, OBLIQUE.matrix, rtol=1e-4, atol=1e-3)
    assert volume.notes == (f"the header's unit is {unit}: converted to mm",)
    written = nib.load(write_volume(tmp_path / "again.nii", volume))
    assert written.header.get_xyzt_units()[0] == unit
    np.testing.assert_array_equal(written.affine, nib.load(path).affine)


def test_a_unit_that_cannot_be_is_taken_as_mm(tmp_path):
    volume = read_image(nifti_file(tmp_path / "T1w.nii", ARRAY, OBLIQUE, units="meter"))
    np.testing.assert_allclose(volume.grid.affine.matrix, OBLIQUE.matrix, atol=1e-5)
    assert "taken as mm" in volume.notes[0]


@pytest.mark.parametrize("extra", [(1,), (1, 1)])
def test_four_axes_with_one_frame_are_one_scan(tmp_path, extra):
    stored = ARRAY.reshape(*ARRAY.shape, *extra)
    volume = read_image(nifti_file(tmp_path / "T1w.nii.gz", stored, OBLIQUE))
    np.testing.assert_array_equal(volume.array, ARRAY)
    assert nib.load(write_volume(tmp_path / "again.nii", volume)).shape == ARRAY.shape


def test_nifti_2_is_read_and_its_forms_are_kept(tmp_path):
    image = nib.Nifti2Image(ARRAY, OBLIQUE.matrix)
    image.set_qform(OBLIQUE.matrix, 2)
    nib.save(image, tmp_path / "T1w.nii")
    volume = read_image(tmp_path / "T1w.nii")
    written = nib.load(write_volume(tmp_path / "again.nii", volume))
    assert type(written) is nib.Nifti1Image
    np.testing.assert_allclose(written.affine, OBLIQUE.matrix, atol=1e-5)
    assert (int(written.header["qform_code"]), int(written.header["sform_code"])) == (2, 2)


def test_64_bit_floats_become_float32(tmp_path):
    volume = read_image(nifti_file(tmp_path / "ADC.nii", ARRAY.astype(np.float64) * 1e-6, OBLIQUE))
    assert volume.array.dtype == np.float32
    np.testing.assert_allclose(volume.array, ARRAY * 1e-6, rtol=1e-6)


def test_a_few_bad_voxels_are_set_to_zero_with_a_note(tmp_path):
    stored = ARRAY.copy()
    stored[0, 0, :2] = np.nan, np.inf
    volume = read_image(nifti_file(tmp_path / "T1w.nii", stored, OBLIQUE))
    assert np.isfinite(volume.array).all()
    assert volume.array[0, 0, 0] == volume.array[0, 0, 1] == 0
    assert volume.notes == ("2 voxels with NaN or infinity set to 0",)


def test_the_array_is_writable_and_independent_of_the_file(tmp_path):
    path = nifti_file(tmp_path / "T1w.nii", ARRAY, Affine(np.eye(4)))
    volume = read_image(path)
    volume.array[0, 0, 0] = 99
    assert read_image(path).array[0, 0, 0] != 99
