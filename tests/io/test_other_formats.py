"""MGH, NRRD and MetaImage: the same patient in another format lies in the same place."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from napari_mrsynth.imaging import LabelVolume
from napari_mrsynth.io import read_image, write_volume
from phantoms import affine_of, nifti_file, phantom

SHAPE = (9, 8, 7)


def scan(code="PIR", tilt=(6, -4, 9)):
    volume = phantom(SHAPE, affine_of(SHAPE, (1.5, 2, 2.5), code, tilt), "T2w")
    return volume.with_array(volume.array.round().astype(np.int16))


def itk_image(volume):
    lps = np.diag([-1, -1, 1, 1]) @ volume.grid.affine.matrix
    image = sitk.GetImageFromArray(volume.array.T)
    image.SetSpacing(volume.grid.spacing)
    image.SetOrigin(lps[:3, 3])
    image.SetDirection((lps[:3, :3] / volume.grid.spacing).ravel())
    return image


@pytest.mark.parametrize("code", ["RAS", "LPS", "PIR", "SAL"])
@pytest.mark.parametrize("extension", [".nrrd", ".nhdr", ".mha", ".mhd"])
def test_itk_files_come_from_lps_into_ras(tmp_path, extension, code):
    volume = scan(code)
    path = tmp_path / f"p_T2w{extension}"
    sitk.WriteImage(itk_image(volume), str(path))
    read = read_image(path)
    assert read.grid.same_as(volume.grid)
    assert read.grid.affine.codes == code
    np.testing.assert_array_equal(read.array, volume.array)
    assert read.array.dtype == np.int16
    assert (read.contrast, read.source.format) == ("T2w", "nrrd" if extension[1] == "n" else "mha")


@pytest.mark.parametrize("extension", [".mgz", ".mgh"])
def test_freesurfer_files_keep_grid_and_dtype(tmp_path, extension):
    volume = scan()
    path = tmp_path / f"p_T2w{extension}"
    nib.save(nib.MGHImage(volume.array, volume.grid.affine.matrix), path)
    read = read_image(path)
    assert read.grid.same_as(volume.grid)
    np.testing.assert_array_equal(read.array, volume.array)
    assert read.array.dtype == np.int16
    assert read.array.dtype.isnative
    assert read.notes == ()


def test_a_freesurfer_file_without_orientation_says_so(tmp_path):
    path = tmp_path / "T1.mgh"
    nib.save(nib.MGHImage(scan().array, None), path)
    raw = bytearray(path.read_bytes())
    raw[28:30] = b"\x00\x00"  # goodRASFlag
    path.write_bytes(raw)
    assert "coronal" in read_image(path).notes[0]


def test_one_frame_in_four_axes_is_one_scan(tmp_path):
    volume = scan("LPS", (0, 0, 0))
    image = sitk.JoinSeries([itk_image(volume)])
    sitk.WriteImage(image, str(tmp_path / "T2w.nrrd"))
    read = read_image(tmp_path / "T2w.nrrd")
    assert read.grid.same_as(volume.grid)
    np.testing.assert_array_equal(read.array, volume.array)


def test_labels_in_any_format_are_labels(tmp_path):
    volume = scan()
    labels = volume.with_array((volume.array > 300).astype(np.uint8))
    sitk.WriteImage(itk_image(labels), str(tmp_path / "p_seg.nrrd"))
    assert isinstance(read_image(tmp_path / "p_seg.nrrd"), LabelVolume)


@pytest.mark.parametrize("extension", [".nrrd", ".mha", ".mgz"])
def test_any_format_is_written_as_the_same_nifti(tmp_path, extension):
    volume = scan()
    path = tmp_path / f"T2w{extension}"
    if extension == ".mgz":
        nib.save(nib.MGHImage(volume.array, volume.grid.affine.matrix), path)
    else:
        sitk.WriteImage(itk_image(volume), str(path))
    written = write_volume(tmp_path / "out_T2w.nii.gz", read_image(path))
    direct = nifti_file(tmp_path / "direct.nii.gz", volume.array, volume.grid.affine)
    one, other = nib.load(written), nib.load(direct)
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(one.dataobj), np.asarray(other.dataobj))
    assert one.get_data_dtype() == np.int16
