"""Scans of two persons never become one patient; those of two visits of one person are told apart."""

from __future__ import annotations

import pytest

from dicom_files import classic_series
from napari_mrsynth.errors import ContrastError, InputError
from napari_mrsynth.imaging import LabelVolume
from napari_mrsynth.io import read_dicom, read_patient
from phantoms import affine_of, phantom, save

SHAPE = (9, 8, 7)


def scan(contrast="T1w"):
    volume = phantom(SHAPE, affine_of(SHAPE, (18, 20, 20)), contrast)
    return volume.with_array(volume.array.round().astype("uint16"))


def series(folder, number, description, patient, **tags):
    """Write a DICOM series of a patient; None leaves the PatientID out."""
    if patient is not None:
        tags["PatientID"] = patient
    classic_series(folder, scan(), number=number, description=description, tags=tags)


def bids(root, *names):
    for name in names:
        save(scan(name.replace("/", "_").rpartition("_")[2]), root / f"{name}.nii.gz")
    return root


def contrasts_of(patient):
    return [volume.contrast for volume in patient.volumes]


def test_the_dicom_series_of_two_patients_are_refused_by_name_and_folder(tmp_path):
    series(tmp_path / "ALICE", 1, "t1_mprage", "MRN-4711")
    series(tmp_path / "ALICE", 2, "t2_flair", "MRN-4711")
    series(tmp_path / "BOB", 3, "t2_flair_3D", "MRN-0815")
    series(tmp_path / "BOB", 4, "t2_tse", "MRN-0815")
    with pytest.raises(InputError, match=r"2 persons.*PatientID") as caught:
        read_patient(tmp_path)
    for folder, name in [("ALICE", "1 t1_mprage"), ("ALICE", "2 t2_flair"), ("BOB", "4 t2_tse")]:
        assert f"“{tmp_path / folder / name}”" in caught.value.message
    assert "MRN" not in str(caught.value)
    assert "CONTRAST=FILE" in caught.value.hint


def test_one_patients_folder_and_series_by_name_still_open(tmp_path):
    series(tmp_path / "ALICE", 1, "t1_mprage", "A")
    series(tmp_path / "ALICE", 2, "t2_flair", "A ")
    series(tmp_path / "BOB", 3, "t2_flair", "B")
    patient = read_patient(tmp_path / "ALICE")
    assert contrasts_of(patient) == ["T1w", "FLAIR"]
    assert patient.notes == ()
    assert contrasts_of(read_patient(f"T1w={tmp_path}#1", f"FLAIR={tmp_path}#3")) == ["T1w", "FLAIR"]


@pytest.mark.parametrize("anonymous", [None, "", " "])
def test_series_without_a_patient_id_are_never_refused(tmp_path, anonymous):
    series(tmp_path, 1, "t1_mprage", anonymous)
    series(tmp_path, 2, "t2_tse", anonymous)
    series(tmp_path, 3, "t2_flair", "A")
    patient = read_patient(tmp_path)
    assert contrasts_of(patient) == ["T1w", "T2w", "FLAIR"]
    assert patient.notes == ()


@pytest.mark.parametrize("tag", ["PatientID", "StudyInstanceUID"])
def test_slices_of_two_patients_or_studies_are_never_one_volume(tmp_path, tag):
    for number, (folder, value) in enumerate((("a", "1.2.1"), ("b", "1.2.2"))):
        drop = tuple(range(4)) if number else (4, 5, 6)
        tags = {tag: value, "SeriesInstanceUID": "1.2.3"}
        classic_series(tmp_path / folder, scan(), drop=drop, tags=tags)
    assert sorted(volume.array.shape[2] for volume in read_dicom(tmp_path)) == [3, 4]


def test_no_identifier_is_kept_in_clear(tmp_path):
    series(tmp_path, 1, "t1_mprage", "MRN-4711", StudyInstanceUID="1.2.3.4.5")
    (volume,) = read_dicom(tmp_path)
    assert "MRN" not in str(volume.source.header)
    assert "1.2.3.4.5" not in str(volume.source.header)


def test_two_dicom_studies_of_one_patient_are_told_apart_in_a_note(tmp_path):
    series(tmp_path / "before", 1, "t1_mprage", "A", StudyInstanceUID="1.2.1")
    series(tmp_path / "after", 2, "t2_flair", "A", StudyInstanceUID="1.2.2")
    patient = read_patient(tmp_path)
    (note,) = patient.notes
    assert "2 DICOM studies" in note
    assert "T1w (“1 t1_mprage” in “before”) of study 1" in note
    assert "FLAIR (“2 t2_flair” in “after”) of study 2" in note


@pytest.mark.parametrize(
    "names",
    [
        ("sub-01_T1w", "sub-02_FLAIR"),
        ("sub-01/anat/sub-01_T1w", "sub-02/anat/sub-02_FLAIR"),
        ("sub-01/T1w", "sub-02/FLAIR"),
        ("sub-01_T1w", "sub-02_T1w"),
    ],
)
def test_the_scans_of_two_bids_subjects_are_refused_by_name(tmp_path, names):
    bids(tmp_path, *names)
    with pytest.raises(InputError, match=r"2 persons.*BIDS subject: sub-01: .*; sub-02: ") as caught:
        read_patient(tmp_path)
    assert not isinstance(caught.value, ContrastError)  # whose hint would make one patient of them
    assert all(f"“{tmp_path / name}.nii.gz”" in caught.value.message for name in names)
    assert "one patient's folder" in caught.value.hint


def test_files_of_two_bids_subjects_are_refused_unless_said_by_name(tmp_path):
    bids(tmp_path, "sub-01_T1w", "sub-02_FLAIR")
    one, other = tmp_path / "sub-01_T1w.nii.gz", tmp_path / "sub-02_FLAIR.nii.gz"
    with pytest.raises(InputError, match="2 persons"):
        read_patient(one, other)
    assert set(contrasts_of(read_patient(one, f"FLAIR={other}"))) == {"T1w", "FLAIR"}


def test_the_lesions_of_another_bids_subject_are_refused(tmp_path):
    array = (scan().array == scan().array.max()).astype("uint8")
    save(LabelVolume(array, scan().grid, "lesions"), tmp_path / "sub-02_label-lesion_mask.nii.gz")
    with pytest.raises(InputError, match="2 persons"):
        read_patient(bids(tmp_path, "sub-01_T1w"))


def test_a_scan_without_an_entity_is_never_refused(tmp_path):
    patient = read_patient(bids(tmp_path, "sub-01_T1w", "p_FLAIR", "post-sub-02_T2w"))
    assert len(patient.volumes) == 3
    assert patient.notes == ()


def test_two_sessions_of_one_bids_subject_are_told_apart_in_a_note(tmp_path):
    root = bids(
        tmp_path / "sub-01", "ses-01/anat/sub-01_ses-01_T1w", "ses-02/anat/sub-01_ses-02_FLAIR", "sub-01_T2w"
    )
    patient = read_patient(root)
    assert set(contrasts_of(patient)) == {"T1w", "FLAIR", "T2w"}
    assert patient.notes == ("the scans are of 2 sessions: T1w of ses-01, FLAIR of ses-02",)
    assert read_patient(root / "ses-01").notes == ()
