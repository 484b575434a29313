"""Predictions find their truth by patient and contrast, however the two are named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_mrsynth.cli import main
from napari_mrsynth.errors import InputError
from napari_mrsynth.evaluation.folders import pair_folders
from napari_mrsynth.io import write_volume
from phantoms import affine_of, brain_study, lesion_labels, patient_folder, phantom, save

SHAPE, SPACING = (24, 28, 20), (7.0, 7.0, 7.0)


@pytest.fixture
def folders(tmp_path):
    """Two patients in folders of their own, and predictions as ``mrsynth synthesize`` names them."""
    for name, contrasts in (("Case_07", ("T1w", "FLAIR")), ("Case_12", ("T1w", "FLAIR", "T2w"))):
        study = brain_study(contrasts, shape=SHAPE, spacing=SPACING, lesion=name == "Case_07", name=name)
        patient_folder(tmp_path / "truth" / name, study)
        made = study.volume("FLAIR").with_array(study.volume("FLAIR").array + np.float32(5))
        label = name.replace("_", "")
        write_volume(
            tmp_path / "pred" / f"sub-{label}_desc-synthetic_FLAIR.nii.gz", made, provenance={"bundle": "m"}
        )
    return tmp_path / "pred", tmp_path / "truth"


def test_what_synthesize_writes_finds_the_scans_of_its_patient(folders):
    pairs, skipped = pair_folders(*folders)
    assert [(p.patient, p.contrast, p.truth.name) for p in pairs] == [
        ("Case_07", "FLAIR", "Case_07_FLAIR.nii.gz"),
        ("Case_12", "FLAIR", "Case_12_FLAIR.nii.gz"),
    ]
    assert pairs[0].lesions.name == "Case_07_seg.nii.gz"
    assert pairs[1].lesions is None
    assert not skipped


def test_folders_name_patients_whose_files_do_not(tmp_path):
    affine = affine_of(SHAPE, SPACING)
    for root in ("pred", "truth"):
        for patient in ("a1", "a2"):
            save(phantom(SHAPE, affine, "T2w"), tmp_path / root / patient / "T2.nii.gz")
    pairs, _ = pair_folders(tmp_path / "pred", tmp_path / "truth")
    assert [(p.pred.parent.name, p.truth.parent.name) for p in pairs] == [("a1", "a1"), ("a2", "a2")]


def test_files_of_unknown_contrast_are_paired_by_equal_names(tmp_path):
    affine = affine_of(SHAPE, SPACING)
    for root in ("pred", "truth"):
        save(phantom(SHAPE, affine), tmp_path / root / "volume3.nii.gz")
    [pair], _ = pair_folders(tmp_path / "pred", tmp_path / "truth")
    assert pair.truth.name == "volume3.nii.gz"


@pytest.mark.parametrize(
    ("pred", "truth"),
    [
        ("p1/FLAIR.nii.gz", "p2/FLAIR.nii.gz"),
        ("p1/swi.nii.gz", "p2/swi.nii.gz"),
        ("p1/scans/FLAIR.nii.gz", "p2/scans/FLAIR.nii.gz"),
        ("study/p1_FLAIR.nii.gz", "study/p2_FLAIR.nii.gz"),
        ("p01_T2.nii.gz", "p0_1_T2.nii.gz"),
        ("sub-01_ses-1_FLAIR.nii.gz", "sub-01_ses-2_FLAIR.nii.gz"),
    ],
)
def test_one_patient_is_never_scored_against_another(tmp_path, pred, truth):
    save(phantom(SHAPE, affine_of(SHAPE, SPACING), "FLAIR"), tmp_path / "pred" / pred)
    save(phantom(SHAPE, affine_of(SHAPE, SPACING), "FLAIR"), tmp_path / "truth" / truth)
    with pytest.raises(InputError, match="no truth"):
        pair_folders(tmp_path / "pred", tmp_path / "truth")


def test_labels_in_folders_of_one_name_belong_to_the_patient_above(tmp_path):
    image = phantom(SHAPE, affine_of(SHAPE, SPACING), "FLAIR")
    for patient in ("p1", "p2"):
        save(image, tmp_path / "pred" / patient / "scans" / "FLAIR.nii.gz")
        save(image, tmp_path / "truth" / patient / "scans" / "FLAIR.nii.gz")
    save(image, tmp_path / "truth" / "p1" / "scans" / "lesions.nii.gz")
    pairs, skipped = pair_folders(tmp_path / "pred", tmp_path / "truth")
    assert [(p.patient, p.lesions is not None) for p in pairs] == [("p1/scans", True), ("p2/scans", False)]
    assert not skipped


def test_a_synthetic_scan_is_never_taken_as_the_truth(folders):
    pred, truth = folders
    (truth / "Case_07" / "Case_07_FLAIR.nii.gz").unlink()
    for path in pred.glob("*07*"):
        shutil.copy(path, truth / "Case_07" / path.name)
    pairs, skipped = pair_folders(pred, truth)
    assert [p.patient for p in pairs] == ["Case_12"]
    assert [reason for _, reason in skipped] == ["no truth"]


def test_two_possible_truths_are_not_guessed_between(folders):
    pred, truth = folders
    shutil.copy(truth / "Case_07" / "Case_07_FLAIR.nii.gz", truth / "Case_07" / "Case_07_t2f.nii.gz")
    _, skipped = pair_folders(pred, truth)
    assert "2 scans could be its truth" in skipped[0][1]


def test_folders_that_share_no_patient_are_refused(folders, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has a truth below"):
        pair_folders(folders[0], tmp_path / "empty")
    with pytest.raises(InputError, match="is not a folder"):
        pair_folders(folders[0], tmp_path / "nowhere")


def test_the_command_scores_folders_and_sums_up(folders, tmp_path, capsys):
    pred, truth = folders
    table = tmp_path / "out" / "scores.csv"
    arguments = ["--pred", pred, "--truth", truth, "--csv", table, "--bootstrap", 0, "--json"]
    assert main(["evaluate", *map(str, arguments)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["patient"] for each in found["patients"]] == ["Case_07", "Case_12"]
    assert found["patients"][0]["regions"]["lesion"]["mae"] == pytest.approx(5, rel=1e-4)
    spread = found["summary"]["FLAIR"]["whole"]["mae"]
    assert spread["mean"] == pytest.approx(5, rel=1e-4)
    assert spread["count"] == 2
    assert len(table.read_text().splitlines()) == 1 + 4 + 2


def test_a_truth_that_only_its_header_calls_synthetic_is_left_out(folders, capsys):
    pred, truth = folders
    made = next(pred.glob("*07*.nii.gz"))
    (truth / "Case_07" / "Case_07_FLAIR.nii.gz").write_bytes(made.read_bytes())
    assert main(["evaluate", "--pred", str(pred), "--truth", str(truth), "--bootstrap", "0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["patient"] for each in found["patients"]] == ["Case_12"]
    assert "is itself synthetic" in found["skipped"][0]["reason"]


def test_of_many_patients_one_without_any_lesion_is_scored_over_the_brain(folders, capsys):
    pred, truth = folders
    labels = truth / "Case_07" / "Case_07_seg.nii.gz"
    image = nib.load(labels)
    nib.save(nib.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), labels)
    assert main(["evaluate", "--pred", str(pred), "--truth", str(truth), "--bootstrap", "0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["patient"] for each in found["patients"]] == ["Case_07", "Case_12"]
    assert found["patients"][0]["regions"]["lesion"] is None


def labels_folder(folder, *names):
    """A folder of label maps, all of the same voxels."""
    labels = lesion_labels(SHAPE, affine_of(SHAPE, SPACING))
    for name in names:
        save(labels, folder / name)
    return folder


@pytest.mark.parametrize(
    ("option", "none", "several"),
    [("mask", "no mask in ", "2 maps could be its mask: "), ("lesions", "no lesions in ", "its lesions: ")],
)
def test_a_patient_without_the_labels_that_were_asked_for_is_left_out(
    folders, tmp_path, option, none, several
):
    given = labels_folder(tmp_path / "given", "Case_07.nii.gz")
    pairs, skipped = pair_folders(*folders, **{option: given})
    assert [(p.patient, getattr(p, option).name) for p in pairs] == [("Case_07", "Case_07.nii.gz")]
    assert [(path.name, reason) for path, reason in skipped] == [
        ("sub-Case12_desc-synthetic_FLAIR.nii.gz", f"{none}{given}")
    ]
    labels_folder(given, "Case_12.nii.gz", "a/Case_12_seg.nii.gz")
    pairs, skipped = pair_folders(*folders, **{option: given})
    assert [p.patient for p in pairs] == ["Case_07"]
    [(_, reason)] = skipped
    assert several in reason
    assert reason.endswith(": Case_12.nii.gz, a/Case_12_seg.nii.gz")


def test_where_nobody_has_the_labels_that_were_asked_for_they_are_what_is_missed(folders, tmp_path):
    masks, lesions = (labels_folder(tmp_path / name, "other.nii.gz") for name in ("masks", "maps"))
    with pytest.raises(
        InputError, match=r"labels that were asked for; .*: no lesions in .*maps, no mask in .*masks"
    ):
        pair_folders(*folders, mask=masks, lesions=lesions)


def test_several_label_maps_beside_the_truth_are_listed_and_none_is_used(folders):
    pred, truth = folders
    labels = truth / "Case_07" / "Case_07_seg.nii.gz"
    other = Path(shutil.copy(labels, labels.with_name("Case_07_lesion.nii.gz")))
    shutil.copy(truth / "Case_07" / "Case_07_T1w.nii.gz", pred / "Case_07_T1w.nii.gz")  # lists nothing twice
    pairs, skipped = pair_folders(pred, truth)
    assert [(p.patient, p.lesions) for p in pairs] == [("Case_07", None)] * 2 + [("Case_12", None)]
    assert dict(skipped).keys() == {labels, other}
    assert len(skipped) == 2
    for _, reason in skipped:
        assert reason == "one of 2 maps that could be the lesions of Case_07: none of them is used"


def test_the_command_lists_a_patient_without_the_labels_that_were_asked_for(folders, tmp_path, capsys):
    given = labels_folder(tmp_path / "given", "Case_07.nii.gz")
    arguments = ["--pred", folders[0], "--truth", folders[1], "--lesions", given, "--bootstrap", 0]
    assert main(["evaluate", *map(str, arguments)]) == 0
    assert (
        f"Left out: sub-Case12_desc-synthetic_FLAIR.nii.gz: no lesions in {given}" in capsys.readouterr().out
    )
