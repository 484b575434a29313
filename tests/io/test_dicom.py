"""DICOM folders: slices sorted by where they lie, several series, enhanced files, contrasts."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from dicom_files import classic_series, enhanced_file, report
from napari_mrsynth.errors import ContrastError, FormatError
from napari_mrsynth.io import read_dicom, read_image, read_patient
from napari_mrsynth.io.dicom_frames import pixels_of
from napari_mrsynth.session import SynthesisSession
from phantoms import affine_of, phantom, save

SHAPE = (9, 8, 7)


def scan(code="LPS", contrast="T1w", tilt=(5, -3, 8)):
    volume = phantom(SHAPE, affine_of(SHAPE, (1.5, 2, 3), code, tilt), contrast)
    return volume.with_array(volume.array.round().astype(np.uint16))


def assert_same_patient(read, volume):
    """Same voxels in the same places, whatever the order of the slices."""
    grid = read.grid
    if grid.affine.codes != volume.grid.affine.codes:  # the normal may run against k
        np.testing.assert_array_equal(read.array[:, :, ::-1], volume.array)
        np.testing.assert_allclose(
            grid.affine.apply((0, 0, SHAPE[2] - 1)), volume.grid.affine.origin, atol=1e-4
        )
    else:
        assert grid.same_as(volume.grid)
        np.testing.assert_array_equal(read.array, volume.array)
    np.testing.assert_array_equal(read.display, volume.display)
    assert grid.display.same_as(volume.grid.display)


@pytest.mark.parametrize("code", ["LPS", "RAS", "LIP", "PSL", "ASR", "LAS"])
def test_shuffled_slices_are_sorted_by_place(tmp_path, code):
    volume = scan(code)
    classic_series(tmp_path / "series", volume)
    (read,) = read_dicom(tmp_path / "series")
    assert_same_patient(read, volume)
    assert read.array.dtype == np.uint16
    assert read.contrast == "T1w"
    assert read.source.format == "dicom"


def test_a_folder_with_one_series_is_one_image(tmp_path):
    classic_series(tmp_path / "series", scan())
    assert_same_patient(read_image(tmp_path / "series"), scan())


def test_one_slice_brings_its_whole_series(tmp_path):
    classic_series(tmp_path, scan())
    others = classic_series(tmp_path, scan(contrast="T2w"), number=2, description="t2_tse")
    slice_file = others[3].rename(tmp_path / "slice.dcm")
    read = read_image(slice_file)
    assert_same_patient(read, scan(contrast="T2w"))
    assert read.contrast == "T2w"


def test_two_series_in_one_folder_are_two_scans(tmp_path):
    classic_series(tmp_path, scan(), number=3)
    classic_series(tmp_path, scan(contrast="FLAIR"), number=5, description="t2_tirm_dark-fluid", seed=4)
    report(tmp_path / "report.dcm")
    one, other = read_dicom(tmp_path)
    assert (one.contrast, other.contrast) == ("T1w", "FLAIR")
    assert_same_patient(other, scan(contrast="FLAIR"))
    assert any("report.dcm" in note for note in one.notes)
    with pytest.raises(FormatError, match=r"2 series: “3 t1_mprage”, “5 t2_tirm_dark-fluid”") as caught:
        read_image(tmp_path)
    assert "#3" in caught.value.hint


@pytest.mark.parametrize("code", ["LPS", "PSL"])
def test_an_enhanced_file_gives_its_frames_in_place(tmp_path, code):
    volume = scan(code, "T2w")
    read = read_image(enhanced_file(tmp_path / "IM1.dcm", volume))
    assert_same_patient(read, volume)
    assert (read.contrast, read.confidence) == ("T2w", 0.98)


def test_rescaled_numbers_become_float32(tmp_path):
    classic_series(tmp_path, scan(), slope=0.5, intercept=-10)
    (read,) = read_dicom(tmp_path)
    assert read.array.dtype == np.float32
    np.testing.assert_allclose(read.display, scan().display * 0.5 - 10)
    enhanced = read_image(enhanced_file(tmp_path / "other" / "e.dcm", scan(), slope=2.0))
    np.testing.assert_allclose(enhanced.display, scan().display * 2.0)


@pytest.mark.parametrize(
    ("tags", "contrast"),
    [
        ({"RepetitionTime": 2000, "EchoTime": 2.5, "InversionTime": 900}, "T1w"),
        ({"RepetitionTime": 9000, "EchoTime": 120, "InversionTime": 2500}, "FLAIR"),
        ({"RepetitionTime": 5000, "EchoTime": 95}, "T2w"),
        ({"RepetitionTime": 2500, "EchoTime": 15}, "PDw"),
        ({"RepetitionTime": 600, "EchoTime": 10, "ContrastBolusAgent": "Gadovist"}, "T1ce"),
        ({"RepetitionTime": 600, "EchoTime": 10, "ContrastBolusAgent": "NONE"}, "T1w"),
        ({}, None),
    ],
)
def test_a_nameless_series_is_known_by_its_times(tmp_path, tags, contrast):
    classic_series(tmp_path, scan(), description="axial head", tags=tags)
    (read,) = read_dicom(tmp_path)
    assert read.contrast == contrast


def test_two_echoes_in_one_series_are_two_scans(tmp_path):
    classic_series(
        tmp_path, scan(contrast="PDw"), description="dual echo", tags={"EchoTime": 15, "RepetitionTime": 2500}
    )
    late = classic_series(
        tmp_path / "late",
        scan(contrast="T2w"),
        description="dual echo",
        tags={"EchoTime": 90, "RepetitionTime": 2500},
    )
    uid = _uid(next(tmp_path.glob("IM*")))
    for path in late:
        _set(path, SeriesInstanceUID=uid)
    found = read_dicom(tmp_path)
    assert sorted(volume.contrast for volume in found) == ["PDw", "T2w"]


def test_a_localiser_is_left_out_with_a_note(tmp_path):
    classic_series(tmp_path, scan(), number=1)
    classic_series(tmp_path, scan("PSL"), number=2, description="localizer", drop=(0, 1, 2, 3, 4))
    (read,) = read_dicom(tmp_path)
    assert any("2 localizer" in note and "too few" in note for note in read.notes)


def test_a_missing_slice_is_refused_with_its_place(tmp_path):
    classic_series(tmp_path, scan(), drop=(3,))
    with pytest.raises(
        FormatError, match=r"misses slices: 6\.00 mm between slice 3 and 4, 3\.00 mm elsewhere"
    ):
        read_dicom(tmp_path)


def test_a_time_series_is_refused_with_its_shape(tmp_path):
    first = classic_series(tmp_path, scan(), number=1)
    again = classic_series(tmp_path / "again", scan(), number=2)
    for path in again:
        _set(path, SeriesInstanceUID=_uid(first[0]), SeriesNumber=1)
    with pytest.raises(FormatError, match="2 images at each place"):
        read_dicom(tmp_path)


def test_repeated_acquisitions_with_their_numbers_are_separate_scans(tmp_path):
    first = classic_series(tmp_path, scan(), number=1, tags={"AcquisitionNumber": 1})
    again = classic_series(tmp_path / "again", scan(contrast="T2w"), tags={"AcquisitionNumber": 2})
    for path in again:
        _set(path, SeriesInstanceUID=_uid(first[0]))
    assert len(read_dicom(tmp_path)) == 2


@pytest.mark.parametrize(
    ("tags", "quoted"),
    [
        ({"ImagePositionPatient": None}, "ImagePositionPatient"),
        ({"PixelSpacing": None}, "PixelSpacing"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]}, "mosaic"),
        ({"SamplesPerPixel": 3}, "in colour"),
        ({"Modality": "SEG"}, "segmentation"),
    ],
    ids=["no place", "no pixel size", "mosaic", "colour", "segmentation"],
)
def test_files_that_are_no_slices_are_refused_by_name(tmp_path, tags, quoted):
    classic_series(tmp_path / "head", scan(), tags=tags)
    with pytest.raises(FormatError, match=quoted) as caught:
        read_dicom(tmp_path / "head")
    assert "head" in caught.value.message
    assert caught.value.hint


def test_truncated_pixels_are_refused(tmp_path):
    written = classic_series(tmp_path, scan())
    written[2].write_bytes(written[2].read_bytes()[:-60])
    with pytest.raises(FormatError, match=written[2].name):
        read_dicom(tmp_path)


def test_a_folder_without_dicom_says_so(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(FormatError, match="no DICOM file"):
        read_dicom(tmp_path)


def test_a_patients_dicom_export_is_a_patient(tmp_path):
    export = tmp_path / "DOE"
    classic_series(export / "S1", scan(), number=1)
    classic_series(export / "S2", scan(contrast="T2w"), number=2, description="t2_tse")
    patient = read_patient(export)
    assert [volume.contrast for volume in patient.volumes] == ["T1w", "T2w"]
    assert patient.name == "DOE"


def test_of_two_series_of_one_contrast_the_one_with_most_slices_is_taken_and_the_other_kept(tmp_path):
    classic_series(tmp_path, scan("LAS"), number=1, description="T1 AX", drop=(6,))
    classic_series(tmp_path, scan(), number=4, description="T1 SAG")
    classic_series(tmp_path, scan(contrast="T2w"), number=5, description="t2_tse")
    patient = read_patient(tmp_path)
    assert [(v.name, v.contrast) for v in patient.volumes] == [
        ("1 T1 AX", None),
        ("4 T1 SAG", "T1w"),
        ("5 t2_tse", "T2w"),
    ]
    (note,) = patient.notes
    assert "“1 T1 AX” claims T1w too: “4 T1 SAG” was taken (7 slices against 6)" in note
    assert f"T1w={tmp_path}#1" in note
    chosen = read_patient(f"T1w={tmp_path}#1")
    assert chosen.volumes[0].name == "1 T1 AX"
    whole = read_patient(f"T1w={tmp_path}#1", tmp_path)
    assert [(v.name, v.contrast) for v in whole.volumes] == [("1 T1 AX", "T1w"), ("5 t2_tse", "T2w")]


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ({"description": "T1_km_nativ"}, {"drop": (6,)}),
        ({"tags": {"ImageType": ["DERIVED", "SECONDARY", "MPR"]}}, {"drop": (6,)}),
    ],
    ids=["doubtful", "derived"],
)
def test_a_sure_and_original_series_comes_before_one_with_more_slices(tmp_path, worse, better):
    classic_series(tmp_path, scan(), number=1, **worse)
    classic_series(tmp_path, scan(), number=2, **better)
    taken = [volume for volume in read_patient(tmp_path).volumes if volume.contrast == "T1w"]
    assert [volume.name for volume in taken] == ["2 t1_mprage"]


def test_a_file_and_a_series_of_one_contrast_are_refused(tmp_path):
    classic_series(tmp_path, scan(), number=1)
    noise = np.random.default_rng(0).integers(1, 900, SHAPE)
    save(scan().with_array(noise.astype(np.int16)), tmp_path / "p_T1w.nii.gz")
    with pytest.raises(ContrastError, match=r"p_T1w\.nii\.gz.*1 t1_mprage") as caught:
        read_patient(tmp_path)
    assert f"T1w={tmp_path}#1" in caught.value.hint


def test_a_folder_with_two_series_of_one_contrast_opens_in_the_window(tmp_path):
    classic_series(tmp_path, scan(), number=1)
    classic_series(tmp_path, scan(), number=4, description="t1_mprage_sag", drop=(6,))
    session = SynthesisSession()
    session.open([tmp_path])
    assert session.study is not None
    assert session.study.contrasts == ("T1w", "4 t1_mprage_sag")
    assert session.study.inputs == ("T1w",)
    assert any("remove T1w from the table" in note for note in session.study.notes)
    session.remove("T1w")
    session.rename("4 t1_mprage_sag", "T1w")
    assert session.study.inputs == ("T1w",)


def test_a_series_that_is_not_there_is_refused_naming_those_that_are(tmp_path):
    classic_series(tmp_path, scan(), number=4)
    with pytest.raises(FormatError, match="no series 9") as caught:
        read_patient(f"T1w={tmp_path}#9")
    assert "4 t1_mprage" in caught.value.hint


def _uid(path):
    import pydicom

    return pydicom.dcmread(path, stop_before_pixels=True).SeriesInstanceUID


def _set(path, **tags):
    import pydicom

    dataset = pydicom.dcmread(path)
    for tag, value in tags.items():
        setattr(dataset, tag, value)
    dataset.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize("compressor", ["JPEG", "JPEG2000"])
def test_compressed_pixels_are_decoded(tmp_path, compressor):
    stored = scan().array[:, :, 3].T.copy()
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(tmp_path / "slice.dcm"))
    writer.SetCompressor(compressor)
    writer.UseCompressionOn()
    writer.Execute(sitk.GetImageFromArray(stored[None]))
    np.testing.assert_array_equal(pixels_of(tmp_path / "slice.dcm")[0], stored)
