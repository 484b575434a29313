"""Patient folders in the field's namings, explicit names, conflicts, and what is left out and why."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_mrsynth.errors import ContrastError, FormatError, InputError, LabelError
from napari_mrsynth.imaging import LabelVolume, Source
from napari_mrsynth.io import read_image, read_patient, write_volume
from phantoms import affine_of, brain_study, lesion_labels, nifti_file, patient_folder, phantom, save

SHAPE = (20, 24, 18)
AFFINE = affine_of(SHAPE, (8, 8, 8), "LPS")


def scan(contrast="T1w"):
    return phantom(SHAPE, AFFINE, contrast)


def labels(values=(1, 2, 4)):
    array = np.zeros(SHAPE, np.uint8)
    for place, value in enumerate(values):
        array[10, 10 + place, 9] = value
    return LabelVolume(array, phantom(SHAPE, AFFINE).grid, "labels")


def brain():
    return LabelVolume((scan().array > 0).astype(np.uint8), scan().grid, "brain")


def folder(path, names):
    """Write T1w, T1ce, T2w, FLAIR (as far as `names` has them) and labels under these names."""
    for name, what in names.items():
        save(scan(what) if isinstance(what, str) else what, path / name)
    return path


NAMINGS = {
    "BraTS 2021": (
        "BraTS2021_00001",
        {
            "BraTS2021_00001_t1.nii.gz": "T1w",
            "BraTS2021_00001_t1ce.nii.gz": "T1ce",
            "BraTS2021_00001_t2.nii.gz": "T2w",
            "BraTS2021_00001_flair.nii.gz": "FLAIR",
            "BraTS2021_00001_seg.nii.gz": labels((1, 2, 4)),
        },
        {1: "necrotic core", 2: "oedema", 4: "enhancing tumour"},
    ),
    "BraTS 2023": (
        "BraTS-GLI-00001-000",
        {
            "BraTS-GLI-00001-000-t1n.nii.gz": "T1w",
            "BraTS-GLI-00001-000-t1c.nii.gz": "T1ce",
            "BraTS-GLI-00001-000-t2w.nii.gz": "T2w",
            "BraTS-GLI-00001-000-t2f.nii.gz": "FLAIR",
            "BraTS-GLI-00001-000-seg.nii.gz": labels((1, 2, 3)),
        },
        {1: "necrotic core", 2: "oedema", 3: "enhancing tumour"},
    ),
    "Ljubljana MS": (
        "patient07",
        {
            "patient07_T1W.nii.gz": "T1w",
            "patient07_T1WKS.nii.gz": "T1ce",
            "patient07_T2W.nii.gz": "T2w",
            "patient07_FLAIR.nii.gz": "FLAIR",
            "patient07_consensus_gt.nii.gz": labels((1,)),
        },
        {1: "lesion"},
    ),
    "BIDS": (
        "sub-01",
        {
            "ses-1/anat/sub-01_ses-1_T1w.nii.gz": "T1w",
            "ses-1/anat/sub-01_ses-1_ce-gd_T1w.nii.gz": "T1ce",
            "ses-1/anat/sub-01_ses-1_T2w.nii.gz": "T2w",
            "ses-1/anat/sub-01_ses-1_FLAIR.nii.gz": "FLAIR",
            "ses-1/anat/sub-01_ses-1_label-lesion_roi.nii.gz": labels((1,)),
        },
        {1: "lesion"},
    ),
}


@pytest.mark.parametrize("naming", NAMINGS)
def test_a_folder_in_a_known_naming_is_understood(tmp_path, naming):
    name, files, classes = NAMINGS[naming]
    patient = read_patient(folder(tmp_path / name, files))
    assert {volume.contrast for volume in patient.volumes} == {"T1w", "T1ce", "T2w", "FLAIR"}
    for volume in patient.volumes:
        np.testing.assert_array_equal(volume.array, scan(volume.contrast).array)
        assert volume.confidence > 0.9
    assert patient.lesions is not None
    assert dict(patient.lesions.labels) == classes
    assert patient.name == name
    assert patient.notes == ()
    assert patient.skipped == ()


def test_the_phantom_patient_is_understood(tmp_path):
    patient = read_patient(patient_folder(tmp_path / "phantom", brain_study(lesion=True)))
    assert len(patient.volumes) == 4
    assert patient.lesions is not None


@pytest.mark.parametrize(
    ("name", "image", "role"),
    [
        ("p_FLAIR_brainmask.nii.gz", brain(), "mask"),
        ("sub-01_desc-brain_mask.nii.gz", brain(), "mask"),
        ("p_brain_mask.nii.gz", brain(), "mask"),
        ("p_mask.nii.gz", brain(), "mask"),
        ("p_mask.nii.gz", labels((1,)), "lesions"),
        ("p_lesion_mask.nii.gz", labels((1,)), "lesions"),
        ("sub-01_ses-0001_msk.nii.gz", labels((1,)), "lesions"),
        ("patient10_gs.nii.gz", labels((1,)), "lesions"),
        ("GOLD_STANDARD_N4_regtoMNI.nii.gz", labels((1,)), "lesions"),
        ("unnamed.nii.gz", brain(), "mask"),
    ],
)
def test_labels_are_told_into_brain_mask_and_lesions(tmp_path, name, image, role):
    patient = read_patient(folder(tmp_path, {"T1w.nii.gz": "T1w", name: image}))
    found, other = (patient.mask, patient.lesions) if role == "mask" else (patient.lesions, patient.mask)
    assert found is not None
    assert other is None
    np.testing.assert_array_equal(found.array, image.array)


def test_a_mask_of_unclear_name_is_noted_with_its_volume(tmp_path):
    patient = read_patient(folder(tmp_path, {"T1w.nii.gz": "T1w", "p_mask.nii.gz": brain()}))
    assert any("taken as brain mask" in note and " ml" in note for note in patient.notes)


def test_tissue_labels_are_left_out(tmp_path):
    patient = read_patient(folder(tmp_path, {"T1w.nii.gz": "T1w", "sub-01_dseg.nii.gz": labels()}))
    assert patient.lesions is None
    assert [(path.name, reason) for path, reason in patient.skipped] == [
        ("sub-01_dseg.nii.gz", "tissue, parcellation and source-map labels are not used")
    ]


def test_what_the_user_names_wins_over_what_names_say(tmp_path):
    folder(tmp_path, {"p_T1w.nii.gz": "T1w", "p_T2w.nii.gz": "T2w", "odd.nii.gz": "FLAIR"})
    patient = read_patient(f"FLAIR={tmp_path / 'odd.nii.gz'}", tmp_path / "p_T1w.nii.gz")
    assert {volume.contrast for volume in patient.volumes} == {"FLAIR", "T1w"}
    named = next(volume for volume in patient.volumes if volume.contrast == "FLAIR")
    assert named.confidence == 1


def test_a_named_file_replaces_the_folders_guess_with_a_note(tmp_path):
    folder(tmp_path / "p", {"p_T1w.nii.gz": "T1w", "p_T2w.nii.gz": "T2w"})
    save(scan("PDw"), tmp_path / "better.nii.gz")
    patient = read_patient(tmp_path / "p", f"t1={tmp_path / 'better.nii.gz'}")
    t1w = next(volume for volume in patient.volumes if volume.contrast == "T1w")
    np.testing.assert_array_equal(t1w.array, scan("PDw").array)
    assert any("p_T1w.nii.gz" in note and "given by name" in note for note in patient.notes)


def test_the_patient_is_not_named_after_a_mask_that_comes_first(tmp_path):
    folder(tmp_path, {"case7/T1.nii.gz": "T1w", "masks/b.nii.gz": brain()})
    patient = read_patient(f"mask={tmp_path / 'masks/b.nii.gz'}", f"T1w={tmp_path / 'case7/T1.nii.gz'}")
    assert patient.name == "case7"


def test_lesions_and_mask_can_be_named(tmp_path):
    folder(tmp_path, {"T1w.nii.gz": "T1w", "a.nii.gz": labels((1,)), "b.nii.gz": brain()})
    patient = read_patient(
        str(tmp_path / "T1w.nii.gz"), f"mask={tmp_path / 'b.nii.gz'}", f"lesions={tmp_path / 'a.nii.gz'}"
    )
    assert patient.mask is not None
    assert patient.lesions is not None
    assert patient.mask.array.sum() > patient.lesions.array.sum()


def test_a_contrast_of_the_users_own_is_kept(tmp_path):
    save(scan(), tmp_path / "x.nii.gz")
    assert read_patient(f"CT={tmp_path / 'x.nii.gz'}").volumes[0].contrast == "CT"


@pytest.mark.parametrize("name", ["CT", "7T", "my T1", "T1.late"])
def test_a_contrast_of_the_users_own_is_found_in_a_folder_by_the_end_of_the_files_name(tmp_path, name):
    folder(tmp_path, {"p_T1w.nii.gz": "T1w", f"p_{name}.nii.gz": "T2w", f"p_{name}_mask.nii.gz": brain()})
    patient = read_patient(tmp_path, names=[name, "T"])
    assert {volume.contrast for volume in patient.volumes} == {"T1w", name}
    assert patient.mask is not None


def test_a_file_with_an_equals_sign_is_a_file(tmp_path):
    path = save(scan(), tmp_path / "te=15_T1w.nii.gz")
    assert read_patient(str(path)).volumes[0].contrast == "T1w"


def test_two_files_of_one_contrast_are_refused_by_name(tmp_path):
    folder(tmp_path, {"a_T1w.nii.gz": "T1w", "b_mprage.nii.gz": "T1w"})
    with pytest.raises(ContrastError, match=r"claim T1w.*a_T1w\.nii\.gz.*b_mprage\.nii\.gz") as caught:
        read_patient(tmp_path)
    assert "T1w=" in caught.value.hint


def test_two_lesion_maps_are_refused_by_name(tmp_path):
    folder(tmp_path, {"T1w.nii.gz": "T1w", "a_seg.nii.gz": labels(), "b_lesions.nii.gz": labels()})
    with pytest.raises(LabelError, match=r"a_seg\.nii\.gz.*b_lesions\.nii\.gz"):
        read_patient(tmp_path)


def test_a_scan_of_unknown_contrast_is_kept_for_the_user_to_name(tmp_path):
    patient = read_patient(folder(tmp_path, {"image001.nii.gz": "T1w", "image002.nii.gz": "T2w"}))
    assert [volume.contrast for volume in patient.volumes] == [None, None]


def test_a_bids_sidecar_tells_contrast_and_agent(tmp_path):
    for name, sidecar in {
        "sub-01_run-1_MR": {"SeriesDescription": "Ax T2 FLAIR", "EchoTime": 0.12, "RepetitionTime": 9.0},
        "sub-01_T1w": {"ContrastBolusIngredient": "GADOLINIUM"},
        "sub-01_acq-b_MR": {"EchoTime": 0.1, "RepetitionTime": 5.0},
    }.items():
        save(scan(), tmp_path / f"{name}.nii.gz")
        (tmp_path / f"{name}.json").write_text(json.dumps(sidecar))
    found = {volume.name: volume.contrast for volume in read_patient(tmp_path).volumes}
    assert found == {"sub-01_run-1_MR": "FLAIR", "sub-01_T1w": "T1ce", "sub-01_acq-b_MR": "T2w"}


def test_a_name_and_a_sidecar_that_contradict_each_other_are_doubted(tmp_path):
    save(scan(), tmp_path / "p_T1_pre_gd.nii.gz")
    (tmp_path / "p_T1_pre_gd.json").write_text(json.dumps({"ContrastBolusIngredient": "GADOLINIUM"}))
    (volume,) = read_patient(tmp_path).volumes
    assert (volume.contrast, volume.confidence) == ("T1w", 0.6)


def test_a_folder_named_like_a_contrast_names_its_scan(tmp_path):
    folder(tmp_path, {"T1/image.nii.gz": "T1w", "FLAIR/image.nii.gz": "FLAIR"})
    assert {volume.contrast for volume in read_patient(tmp_path).volumes} == {"T1w", "FLAIR"}


def test_an_earlier_synthetic_scan_in_the_folder_is_never_an_input(tmp_path):
    folder(tmp_path, {"p_T1w.nii.gz": "T1w"})
    made = replace(scan("FLAIR"), source=Source(format="synthetic", synthetic={"bundle": "b"}))
    path = write_volume(tmp_path / "sub-p_desc-synthetic_FLAIR.nii.gz", made)
    patient = read_patient(tmp_path)
    assert [volume.contrast for volume in patient.volumes] == ["T1w"]
    assert any("synthetic" in note for note in patient.notes)
    given = read_patient(tmp_path / "p_T1w.nii.gz", path)
    assert [volume.is_synthetic for volume in given.volumes] == [False, True]
    assert any("synthetic" in note for note in given.notes)


def test_a_damaged_file_in_a_folder_is_left_out_visibly(tmp_path):
    folder(tmp_path, {"T1w.nii.gz": "T1w"})
    (tmp_path / "T2w.nii.gz").write_bytes(b"")
    patient = read_patient(tmp_path)
    assert [volume.contrast for volume in patient.volumes] == ["T1w"]
    assert any("T2w.nii.gz" in note and "empty" in note for note in patient.notes)


def test_a_damaged_file_that_was_asked_for_is_refused(tmp_path):
    (tmp_path / "T2w.nii.gz").write_bytes(b"")
    with pytest.raises(FormatError, match=r"T2w\.nii\.gz.*empty"):
        read_patient(tmp_path / "T2w.nii.gz")


def test_files_of_other_kinds_are_listed_as_skipped(tmp_path):
    folder(tmp_path, {"T1w.nii.gz": "T1w"})
    (tmp_path / "transform.txt").write_text("#Insight Transform File V1.0")
    (tmp_path / ".DS_Store").write_bytes(b"x")
    patient = read_patient(tmp_path)
    assert [path.name for path, _ in patient.skipped] == ["transform.txt"]
    assert patient.notes == ()


@pytest.mark.parametrize("content", ["nothing", "text", "labels"])
def test_a_folder_without_a_scan_is_refused(tmp_path, content):
    if content == "text":
        (tmp_path / "readme.txt").write_text("hello")
    if content == "labels":
        save(labels(), tmp_path / "seg.nii.gz")
    with pytest.raises(FormatError, match="no scan") as caught:
        read_patient(tmp_path)
    assert tmp_path.name in caught.value.message
    assert caught.value.hint


def test_no_spec_and_a_missing_path_are_refused(tmp_path):
    with pytest.raises(InputError, match="No file or folder"):
        read_patient()
    with pytest.raises(FormatError, match="nowhere"):
        read_patient(tmp_path / "nowhere")
    with pytest.raises(FormatError, match="nowhere"):
        read_patient(f"T1w={tmp_path / 'nowhere.nii'}")


def test_labels_named_as_a_contrast_are_refused(tmp_path):
    path = save(labels(), tmp_path / "x.nii.gz")
    with pytest.raises(FormatError, match="label map"):
        read_patient(f"T1w={path}")


def test_notes_of_the_files_reach_the_patient(tmp_path):
    nifti_file(tmp_path / "p_T1w.nii.gz", scan().array, AFFINE, qform=0, sform=0)
    assert any("left and right" in note for note in read_patient(tmp_path).notes)


def test_the_lesion_phantom_reads_as_labels(tmp_path):
    assert read_image(save(lesion_labels(), tmp_path / "p_seg.nii.gz")).present == (1, 2)
