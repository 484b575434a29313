"""Every bad file is refused with its type of error, the offending name or value, and a hint."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from napari_mrsynth.errors import FormatError, GridError, InputError, LabelError
from napari_mrsynth.imaging import LabelVolume, Volume
from napari_mrsynth.io import read_image
from phantoms import affine_of, lesion_labels, nifti_file, phantom, save

SHAPE = (8, 9, 7)
ARRAY = phantom(SHAPE).array


def _missing(folder):
    return folder / "gone_T1w.nii.gz"


def _bytes(name, content):
    def make(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _cut(name, share):
    def make(folder):
        path = nifti_file(folder / name, np.random.default_rng(0).random((20, 20, 20), np.float32))
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        return path

    return make


def _nifti(array, name="p_T1w.nii", **header):
    return lambda folder: nifti_file(folder / name, array, **header)


def _patched(offset, content):
    """A NIfTI header with some bytes overwritten."""

    def make(folder):
        path = nifti_file(folder / "p_T1w.nii", ARRAY, affine_of(SHAPE))
        raw = bytearray(path.read_bytes())
        raw[offset : offset + len(content)] = content
        path.write_bytes(raw)
        return path

    return make


def _gzip_without_its_name(folder):
    path = folder / "p_T1w.nii"
    path.write_bytes(gzip.compress(nifti_file(folder / "plain.nii", ARRAY).read_bytes()))
    return path


def _named_gz_but_plain(folder):
    path = folder / "p_T1w.nii.gz"
    path.write_bytes(nifti_file(folder / "plain.nii", ARRAY).read_bytes())
    return path


def _rgb(folder):
    array = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(array, np.eye(4)), folder / "p_T1w.nii")
    return folder / "p_T1w.nii"


def _itk(name, image):
    def make(folder):
        sitk.WriteImage(image, str(folder / name))
        return folder / name

    return make


def _header_without_data(folder):
    path = _itk("p_T1w.mhd", sitk.GetImageFromArray(ARRAY))(folder)
    path.with_suffix(".raw").unlink()
    return path


def _with_nan(share):
    array = ARRAY.copy()
    array.flat[: int(array.size * share)] = np.nan
    return array


def _squeezed_sform(folder):
    matrix = np.eye(4)
    matrix[:3, 1] = matrix[:3, 0]
    path = nifti_file(folder / "p_T1w.nii", ARRAY, qform=0)
    raw = bytearray(path.read_bytes())
    raw[280:328] = matrix[:3].astype("<f4").tobytes()
    path.write_bytes(raw)
    return path


HUGE = np.array([3, 30000, 30000, 30000], dtype="<i2").tobytes()
BAD = {
    # what: (make, kind, error, quoted in the message, quoted in the hint)
    "missing": (_missing, "auto", FormatError, "gone_T1w.nii.gz", "spelling"),
    "empty": (_bytes("p_T1w.nii.gz", b""), "auto", FormatError, "p_T1w.nii.gz” is empty (0 bytes)", "again"),
    "truncated gz": (_cut("p_T1w.nii.gz", 0.6), "auto", FormatError, "p_T1w.nii.gz", "damaged or cut short"),
    "truncated nii": (_cut("p_T1w.nii", 0.6), "auto", FormatError, "p_T1w.nii", "damaged or cut short"),
    "truncated header": (_cut("p_T1w.nii", 0.005), "auto", FormatError, "p_T1w.nii", "damaged"),
    "not an image": (
        _bytes("p_T1w.nii", b"hello there" * 50),
        "auto",
        FormatError,
        "p_T1w.nii",
        "another format",
    ),
    "a web page": (
        _bytes("p_T1w.nii.gz", b"<html>404</html>"),
        "auto",
        FormatError,
        "p_T1w.nii.gz",
        "web page",
    ),
    "an LFS pointer": (
        *(_bytes("p_T1w.nii.gz", b"version https://git-lfs.github.com/spec/v1\n"), "auto", FormatError),
        *("p_T1w.nii.gz", "git lfs pull"),
    ),
    "gzip without .gz": (_gzip_without_its_name, "auto", FormatError, "p_T1w.nii", "add “.gz”"),
    "plain with .gz": (_named_gz_but_plain, "auto", FormatError, "p_T1w.nii.gz", "take “.gz” off"),
    "unknown extension": (_bytes("scan.tiff", b"II*"), "auto", FormatError, "scan.tiff", ".nii.gz"),
    "damaged mgz": (
        _bytes("p_T1w.mgz", b"\x1f\x8b" + bytes(40)),
        "auto",
        FormatError,
        "p_T1w.mgz",
        "damaged",
    ),
    "damaged nrrd": (
        _bytes("p_T1w.nrrd", b"NRRD0004\ntype: zzz\n\n"),
        "auto",
        FormatError,
        "p_T1w.nrrd",
        "damaged",
    ),
    "damaged mha": (
        _bytes("p_T1w.mha", b"ObjectType = Image\nNDims = x\n"),
        "auto",
        FormatError,
        "p_T1w.mha",
        "damaged",
    ),
    "header without its data": (_header_without_data, "auto", FormatError, "p_T1w.mhd", "damaged"),
    "damaged dicom": (_bytes("IM1.dcm", b"hello" * 40), "auto", FormatError, "IM1.dcm", "damaged"),
    "dicom without image": (
        *(_bytes("IM1.dcm", bytes(128) + b"DICM"), "auto", FormatError),
        *("IM1.dcm", "again"),
    ),
    "series": (_nifti(np.stack([ARRAY] * 3, -1)), "auto", FormatError, "3 images (8 x 9 x 7 x 3)", "frame"),
    "vectors": (
        _nifti(ARRAY[..., None, None].repeat(3, -1)),
        "auto",
        FormatError,
        "8 x 9 x 7 x 1 x 3",
        "frame",
    ),
    "one slice": (_nifti(ARRAY[0]), "auto", FormatError, "9 x 7", "3D"),
    "colour": (_rgb, "auto", FormatError, "colour image (RGB voxels)", "grey"),
    "colour mha": (
        *(_itk("p_T1w.mha", sitk.GetImageFromArray(np.zeros((*SHAPE, 3), "u1"), isVector=True)), "auto"),
        *(FormatError, "3 numbers per voxel", "one component"),
    ),
    "complex": (_nifti(ARRAY.astype(np.complex64)), "auto", FormatError, "complex64", "magnitude"),
    "much NaN": (_nifti(_with_nan(0.2)), "auto", FormatError, "19.8 % of its voxels (100 of 504)", "Replace"),
    "only NaN": (_nifti(np.full(SHAPE, np.nan, "f4")), "auto", FormatError, "100 %", "Replace"),
    "all zero": (_nifti(np.zeros(SHAPE, "i2")), "auto", FormatError, "every voxel is 0", "export"),
    "all zero scan": (_nifti(np.zeros(SHAPE, "i2")), "scan", FormatError, "every voxel is 0", "export"),
    "constant": (_nifti(np.full(SHAPE, 7.5, "f4")), "auto", FormatError, "every voxel is 7.5", "export"),
    "labels as a scan": (
        *(lambda folder: save(lesion_labels(), folder / "x.nii"), "scan", FormatError),
        *("its only values are 0, 1, 2", "as the lesions"),
    ),
    "scan as labels": (_nifti(ARRAY), "labels", LabelError, "holds ", "nearest neighbour"),
    "flat affine": (_squeezed_sform, "auto", GridError, "p_T1w.nii”: The affine flattens space", "header"),
    "NaN in the affine": (_patched(280, np.float32("nan").tobytes()), "auto", GridError, "NaN", "header"),
    "absurd size": (_patched(40, HUGE), "auto", FormatError, "30000 x 30000 x 30000", "header is damaged"),
    "unknown data type": (_patched(70, np.int16(77).tobytes()), "auto", FormatError, "p_T1w.nii", "damaged"),
    "unknown kind": (_nifti(ARRAY), "image", InputError, "'image'", "scan"),
    "folder without dicom": (lambda folder: folder, "auto", FormatError, "no DICOM", "folder"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_is_refused(tmp_path, what):
    make, kind, error, quoted, hinted = BAD[what]
    path = make(tmp_path)
    with pytest.raises(error) as caught:
        read_image(path, kind=kind)
    assert quoted in caught.value.message
    assert hinted in caught.value.hint
    assert caught.value.exit_code == 2


def test_no_message_of_a_library_leaks_more_than_a_line(tmp_path):
    with pytest.raises(FormatError) as caught:
        read_image(_bytes("p_T1w.nrrd", b"NRRD0004\n")(tmp_path))
    assert "\n" not in caught.value.message


def test_labels_are_recognised_in_auto_with_a_note(tmp_path):
    path = save(lesion_labels(), tmp_path / "x.nii")
    read = read_image(path)
    assert isinstance(read, LabelVolume)
    assert read.notes == ("opened as labels: its only values are 0, 1, 2",)
    assert read_image(save(lesion_labels(), tmp_path / "x_seg.nii")).notes == ()


def test_a_scan_named_like_labels_stays_a_scan_with_a_note(tmp_path):
    read = read_image(nifti_file(tmp_path / "t1_seg.nii", ARRAY, affine_of(SHAPE)))
    assert isinstance(read, Volume)
    assert "name says labels" in read.notes[-1]


def test_an_empty_lesion_map_is_allowed_with_a_note(tmp_path):
    read = read_image(nifti_file(tmp_path / "p_seg.nii", np.zeros(SHAPE, "u1")))
    assert isinstance(read, LabelVolume)
    assert "holds no label" in read.notes[0]


def test_whole_floats_are_labels_when_asked_for(tmp_path):
    stored = lesion_labels().array.astype(np.float64)
    read = read_image(nifti_file(tmp_path / "x.nii", stored), kind="labels")
    assert read.array.dtype == np.uint8
    np.testing.assert_array_equal(read.array, stored)


@pytest.mark.parametrize(("name", "kind"), [("x.nii", "labels"), ("p_brainmask.nii", "auto")])
def test_a_probability_map_of_the_brain_is_cut_at_one_half_with_a_note(tmp_path, name, kind):
    from scipy import ndimage

    stored = ndimage.uniform_filter((phantom().array > 0).astype(np.float32), 3)
    read = read_image(nifti_file(tmp_path / name, stored), kind=kind)
    np.testing.assert_array_equal(read.array, stored >= 0.5)
    assert any("probability map" in note for note in read.notes)
