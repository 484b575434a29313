"""Names we read and names we give."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_mrsynth.imaging.contrasts import KNOWN, guess_from_name
from napari_mrsynth.io import derivative_name
from napari_mrsynth.io.naming import (
    Role,
    extension_of,
    patient_of,
    patient_of_scans,
    role_of,
    stem_of,
    told_apart,
)


@pytest.mark.parametrize(
    ("patient", "contrast", "synthetic", "name"),
    [
        ("sub-01", "FLAIR", True, "sub-01_desc-synthetic_FLAIR.nii.gz"),
        ("sub-01_ses-02", "T1ce", True, "sub-01_ses-02_ce-gd_desc-synthetic_T1w.nii.gz"),
        ("BraTS2021_01484", "T2w", True, "sub-BraTS202101484_desc-synthetic_T2w.nii.gz"),
        ("BraTS-GLI-00001-000", "flair", False, "sub-BraTSGLI00001000_FLAIR.nii.gz"),
        ("patient 12 / study 2", "T1w", False, "sub-patient12study2_T1w.nii.gz"),
        ("José Núñez", "T2w", True, "sub-JoseNunez_desc-synthetic_T2w.nii.gz"),
        ("", "7T!", True, "sub-patient_desc-synthetic_7T.nii.gz"),
    ],
)
def test_results_get_bids_derivative_names(patient, contrast, synthetic, name):
    assert derivative_name(patient, contrast, synthetic=synthetic) == name


def test_patients_whose_names_bids_cannot_spell_are_kept_apart():
    names = [
        derivative_name(patient, "FLAIR") for patient in ("山田", "李", "Иванов 1", "sub-Ørsted", "sub-Åse")
    ]
    assert len(set(names)) == len(names)
    assert all(name.isascii() and name.startswith("sub-") for name in names)


@pytest.mark.parametrize("contrast", [contrast.name for contrast in KNOWN])
@pytest.mark.parametrize("synthetic", [True, False])
def test_a_name_we_give_reads_back_as_its_contrast(contrast, synthetic):
    name = derivative_name("patient12_T1_study", contrast, synthetic=synthetic)
    assert guess_from_name(stem_of(Path(name))).contrast == contrast
    assert role_of(stem_of(Path(name))) is Role.SCAN


@pytest.mark.parametrize(
    ("path", "patient"),
    [
        ("data/sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz", "sub-01_ses-2"),
        ("data/sub-01", "sub-01"),
        ("tumour/BraTS2021_01484", "BraTS2021_01484"),
        ("x/BraTS2021_01484_t1ce.nii.gz", "BraTS2021_01484"),
        ("x/BraTS-GLI-00001-000-t2f.nii.gz", "BraTS-GLI-00001-000"),
        ("x/patient12_study2_T2W.nii.gz", "patient12_study2"),
        ("x/patient07_consensus_gt.nii.gz", "patient07"),
        ("x/T1.mgz", "T1"),
    ],
)
def test_a_patient_is_named_after_folder_or_file(path, patient):
    assert patient_of(Path(path)) == patient


@pytest.mark.parametrize(
    ("given", "patient"),
    [
        ("anat", "sub-01_ses-02"),
        (".", "sub-01_ses-02"),
        ("anat/FLAIR.nii.gz", "sub-01_ses-02"),
        ("..", "sub-01"),
        ("../../..", "cohort"),
        ("../../../case 7", "case 7"),
    ],
)
def test_a_relative_path_is_read_from_the_current_folder(tmp_path, monkeypatch, given, patient):
    here = tmp_path / "cohort" / "bids" / "sub-01" / "ses-02"
    (here / "anat").mkdir(parents=True)
    monkeypatch.chdir(here)
    assert patient_of(Path(given)) == patient
    assert patient_of(Path(given)) == patient_of((here / given).resolve())


@pytest.mark.parametrize(
    ("given", "scans", "patient"),
    [
        ("bids", ["bids/sub-01/anat/sub-01_T1w.nii.gz", "bids/sub-01/anat/sub-01_T2w.nii.gz"], "sub-01"),
        ("bids", ["bids/sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz"], "sub-01_ses-2"),
        ("bids", ["b/sub-01/ses-1/sub-01_ses-1_T1w.nii", "b/sub-01/ses-2/sub-01_ses-2_T2w.nii"], "sub-01"),
        ("bids", ["bids/sub-01/sub-01_T1w.nii.gz", "bids/sub-02/sub-02_T2w.nii.gz"], "bids"),
        ("bids/sub-01", ["bids/sub-01/ses-1/sub-01_ses-1_T1w.nii.gz"], "sub-01"),
        ("case7/T1.nii.gz", ["case7/T1.nii.gz", "case7/T2.nii.gz"], "case7"),
        ("case7/T1_pre_Gd.nii.gz", ["case7/T1_pre_Gd.nii.gz"], "case7"),
        ("case7/anat/flair_brain.nii.gz", ["case7/anat/flair_brain.nii.gz"], "case7"),
        ("case7/p12_T1.nii.gz", ["case7/p12_T1.nii.gz"], "p12"),
        ("case7/C_T1.nii.gz", ["case7/C_T1.nii.gz"], "C"),
        ("case7/brain.nii.gz", ["case7/brain.nii.gz"], "brain"),
    ],
)
def test_a_patient_is_named_after_what_tells_whose_the_scans_are(given, scans, patient):
    assert patient_of_scans(Path(given), [Path(scan) for scan in scans]) == patient


@pytest.mark.parametrize(
    ("name", "extension", "stem"),
    [
        ("a.b.nii.gz", ".nii.gz", "a.b"),
        ("A.NII", ".nii", "A"),
        ("x.mgz", ".mgz", "x"),
        ("x.mhd", ".mhd", "x"),
        ("x.tiff", None, "x.tiff"),
        ("noext", None, "noext"),
    ],
)
def test_extensions_are_told_from_names(name, extension, stem):
    assert extension_of(Path(name)) == extension
    assert stem_of(Path(name)) == stem


@pytest.mark.parametrize(
    ("stem", "role"),
    [
        ("BraTS2021_00006_seg", Role.LESIONS),
        ("patient07_consensus_gt", Role.LESIONS),
        ("patient12_study2_FLAIR_brainmask", Role.BRAIN_MASK),
        ("sub-01_desc-brain_mask", Role.BRAIN_MASK),
        ("sub-01_label-lesion_mask", Role.LESIONS),
        ("sub-01_mask", Role.SOME_MASK),
        ("sub-01_dseg", Role.OTHER_LABELS),
        ("sub-01_desc-synthetic_sourcemap", Role.OTHER_LABELS),
        ("aparc+aseg", Role.OTHER_LABELS),
        ("sub-01_T1w_brain", Role.SCAN),
        ("sub-gt01_T1w", Role.SCAN),
        ("tumor_patient_T1", Role.SCAN),
    ],
)
def test_the_role_is_told_from_the_name(stem, role):
    assert role_of(stem) is role


def test_folders_that_are_called_alike_are_told_apart_by_their_parents(tmp_path):
    folders = [tmp_path / name for name in ("A/DICOM", "B/DICOM", "other", "B/DICOM")]
    assert told_apart(folders) == ("A/DICOM", "B/DICOM", "other", "B/DICOM")
