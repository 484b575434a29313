"""What is read, written and read again keeps its voxels, affine, codes and units, on any grid."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_mrsynth.imaging import Affine, LabelVolume, Volume
from napari_mrsynth.io import read_image, write_volume
from phantoms import ALL_CODES, affine_of, lesion_labels, nifti_file, phantom

SHAPE = (7, 6, 5)
GRIDS = {
    "isotropic": ((2.0, 2.0, 2.0), (0, 0, 0)),
    "anisotropic": ((0.72, 0.9, 3.3), (0, 0, 0)),
    "oblique": ((0.72, 0.9, 3.3), (11, -7, 16)),
}
FORMS = (
    "qform_code",
    "sform_code",
    "quatern_b",
    "quatern_c",
    "quatern_d",
    "qoffset_x",
    "qoffset_y",
    "qoffset_z",
)


@pytest.mark.parametrize("kind", GRIDS)
@pytest.mark.parametrize("code", ALL_CODES)
def test_every_axis_order_comes_back(tmp_path, code, kind):
    spacing, tilt = GRIDS[kind]
    affine = affine_of(SHAPE, spacing, code, tilt, centre_mm=(3, -20, 11))
    stored = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    original = nifti_file(tmp_path / "T1w.nii", stored, affine, qform=2, sform=1, descrip="as scanned")

    volume = read_image(original)
    written = write_volume(tmp_path / "again.nii", volume)
    again = read_image(written)

    assert isinstance(again, Volume)
    assert volume.array.dtype == again.array.dtype == np.int16
    np.testing.assert_array_equal(again.array, stored)
    np.testing.assert_allclose(volume.grid.affine.matrix, affine.matrix, atol=1e-4)
    np.testing.assert_array_equal(again.grid.affine.matrix, volume.grid.affine.matrix)
    assert again.grid.affine.codes == code
    before, after = nib.load(original).header, nib.load(written).header
    for name in (*FORMS, "srow_x", "srow_y", "srow_z", "xyzt_units", "descrip"):
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    np.testing.assert_array_equal(after["pixdim"][:4], before["pixdim"][:4])


@pytest.mark.parametrize("code", ["RAS", "LPS", "PIR", "SAL"])
def test_a_volume_made_in_memory_comes_back(tmp_path, code):
    volume = phantom((9, 8, 7), affine_of((9, 8, 7), (1, 2, 3), code, (8, 4, -6)))
    again = read_image(write_volume(tmp_path / "T1w.nii.gz", volume))
    np.testing.assert_array_equal(again.array, volume.array)
    assert again.grid.same_as(volume.grid)
    header = nib.load(tmp_path / "T1w.nii.gz").header
    assert (int(header["qform_code"]), int(header["sform_code"])) == (1, 1)
    assert header.get_xyzt_units()[0] == "mm"
    np.testing.assert_allclose(header.get_qform(), header.get_sform(), atol=1e-4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dtype=st.sampled_from(["u1", "i1", "i2", "u2", "i4", "u4", "f4"]),
    big_endian=st.booleans(),
    codes=st.sampled_from([(1, 1), (2, 1), (0, 2), (4, 0), (0, 0)]),
    code=st.sampled_from(ALL_CODES),
    tilt=st.tuples(*[st.floats(-20, 20)] * 3),
    seed=st.integers(0, 1000),
)
def test_any_dtype_byte_order_and_forms_come_back(tmp_path, dtype, big_endian, codes, code, tilt, seed):
    rng = np.random.default_rng(seed)
    stored = (rng.random(SHAPE) * (100 if dtype in ("u1", "i1") else 3000)).astype(dtype)
    affine = affine_of(SHAPE, (1, 1.5, 2.5), code, tilt)
    path = tmp_path / "image_T2w.nii"
    nifti_file(path, stored, affine, big_endian=big_endian, qform=codes[0], sform=codes[1])
    volume = read_image(path, kind="scan")
    again = read_image(write_volume(tmp_path / "again.nii", volume), kind="scan")
    np.testing.assert_array_equal(again.array, stored)
    assert again.array.dtype == np.dtype(dtype)
    assert again.array.dtype.isnative
    np.testing.assert_allclose(volume.grid.affine.matrix, nib.load(path).affine, atol=1e-12)
    np.testing.assert_array_equal(again.grid.affine.matrix, volume.grid.affine.matrix)
    header = nib.load(tmp_path / "again.nii").header
    assert (int(header["qform_code"]), int(header["sform_code"])) == codes


def test_scaled_integers_come_back_as_the_float32_they_mean(tmp_path):
    stored = np.arange(-60, 150, dtype=np.int16).reshape(SHAPE)
    path = nifti_file(tmp_path / "T1w.nii.gz", stored, slope=0.013, inter=-2.5, big_endian=True)
    volume = read_image(path)
    assert volume.array.dtype == np.float32
    np.testing.assert_allclose(
        volume.array, stored * np.float64(np.float32(0.013)) - 2.5, rtol=1e-6, atol=1e-6
    )
    np.testing.assert_array_equal(volume.array, nib.load(path).get_fdata().astype(np.float32))
    again = read_image(write_volume(tmp_path / "again.nii.gz", volume))
    np.testing.assert_array_equal(again.array, volume.array)


def test_labels_come_back_in_the_smallest_integer_type(tmp_path):
    labels = lesion_labels()
    wide = LabelVolume(labels.array.astype(np.int64), labels.grid, "lesions")
    path = write_volume(tmp_path / "p_seg.nii.gz", wide)
    again = read_image(path)
    assert isinstance(again, LabelVolume)
    assert nib.load(path).get_data_dtype() == np.uint8
    np.testing.assert_array_equal(again.array, labels.array)


def test_a_scan_moved_to_another_grid_is_written_with_that_grid(tmp_path):
    path = nifti_file(tmp_path / "T1w.nii", np.arange(210, dtype="i2").reshape(SHAPE), qform=2, sform=4)
    volume = read_image(path)
    elsewhere = phantom((8, 8, 8), affine_of((8, 8, 8), (2, 2, 4), "LPS", (5, 0, 0)))
    moved = volume.with_array(elsewhere.array, elsewhere.grid)
    again = read_image(write_volume(tmp_path / "moved.nii", moved))
    assert again.grid.same_as(elsewhere.grid)
    header = nib.load(tmp_path / "moved.nii").header
    assert (int(header["qform_code"]), int(header["sform_code"])) == (4, 4)


def test_a_sheared_grid_is_kept_in_the_sform_alone(tmp_path):
    matrix = np.diag([1.0, 1, 2, 1])
    matrix[0, 2] = 0.4
    volume = phantom((6, 6, 6), Affine(matrix))
    again = read_image(write_volume(tmp_path / "T1w.nii", volume))
    np.testing.assert_allclose(again.grid.affine.matrix, matrix, atol=1e-6)
    assert int(nib.load(tmp_path / "T1w.nii").header["qform_code"]) == 0


def test_the_same_volume_gives_the_same_bytes(tmp_path):
    volume = phantom()
    one = write_volume(tmp_path / "a" / "T1w.nii.gz", volume).read_bytes()
    other = write_volume(tmp_path / "b" / "elsewhere.nii.gz", volume).read_bytes()
    assert one == other


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.float16, np.bool_])
def test_types_that_readers_do_not_know_are_narrowed_without_loss(tmp_path, dtype):
    grid = phantom(SHAPE).grid
    array = (np.arange(210).reshape(SHAPE) % 2).astype(dtype)
    written = write_volume(tmp_path / "scan.nii", Volume(array, grid, "scan"))
    stored = np.asarray(nib.load(written).dataobj)
    np.testing.assert_array_equal(stored, array)
    assert stored.dtype.itemsize <= 4
