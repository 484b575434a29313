"""``mrsynth study`` says what was understood, and what can be made from it."""

from __future__ import annotations

import numpy as np

from phantoms import affine_of, brain_study, nifti_file, patient_folder, phantom, save


def test_a_patient_is_described_scan_by_scan(mrsynth, patient, tiny):
    answer = mrsynth("study", patient, "--json").answer
    assert answer["name"] == "sub-01"
    scans = {volume["contrast"]: volume for volume in answer["volumes"]}
    assert set(scans) == {"T1w", "T2w", "FLAIR"}
    assert scans["T1w"]["shape"] == [36, 44, 32]
    assert scans["T1w"]["spacing_mm"] == [4.0, 4.0, 4.0]
    assert scans["T1w"]["axes"] == "LPS"
    assert scans["T1w"]["path"] == str(patient / "sub-01_T1w.nii.gz")
    assert scans["T1w"]["grid_mismatch"] is None
    assert not scans["T1w"]["synthetic"]
    assert set(answer["lesions"]["classes"]) == {"1", "2"}
    assert answer["mask"] is None
    assert answer["can_make"] == {"T1ce": "tiny"}


def test_the_same_in_words(mrsynth, patient, tiny):
    ended = mrsynth("study", patient)
    assert ended.code == 0
    assert "36 x 44 x 32" in ended.out
    assert "LPS" in ended.out
    assert "Can be made: T1ce" in ended.out


def test_an_unlike_grid_is_named(mrsynth, tmp_path):
    save(phantom(contrast="T1w"), tmp_path / "p_t1.nii.gz")
    save(phantom((30, 40, 16), affine_of((30, 40, 16), (4, 4, 8)), "T2w"), tmp_path / "p_t2.nii.gz")
    answer = mrsynth("study", tmp_path, "--json").answer
    assert [volume["grid_mismatch"] for volume in answer["volumes"]] == [
        None,
        "shape 36 x 44 x 32 against 30 x 40 x 16",
    ]


def test_a_contrast_can_be_said(mrsynth, tmp_path):
    file = save(phantom(contrast="T1w"), tmp_path / "scan7.nii.gz")
    assert mrsynth("study", file, "--json").answer["volumes"][0]["contrast"] is None
    assert mrsynth("study", f"T1ce={file}", "--json").answer["volumes"][0]["contrast"] == "T1ce"


def test_an_unknown_contrast_is_called_unknown_in_words(mrsynth, tmp_path):
    file = save(phantom(contrast="T1w"), tmp_path / "scan7.nii.gz")
    assert "unknown" in mrsynth("study", file).out


def test_nothing_can_be_made_for_a_patient_who_has_everything(mrsynth, tmp_path, tiny):
    folder = patient_folder(tmp_path / "whole", brain_study())
    assert mrsynth("study", folder, "--json").answer["can_make"] == {}


def test_nothing_can_be_made_where_no_brain_is_found_and_the_reason_is_said(mrsynth, tmp_path, tiny):
    noise = np.random.default_rng(0).normal(0, 1, (20, 20, 8)).astype(np.float32)
    file = nifti_file(tmp_path / "p_T1w.nii.gz", noise, affine_of((20, 20, 8), (1, 1, 1)))
    answer = mrsynth("study", file, "--json").answer
    assert answer["can_make"] == {}
    assert any("No brain was found in T1w" in note and "--mask FILE" in note for note in answer["notes"])
    ended = mrsynth("synthesize", file, "--want", "FLAIR", "--out", tmp_path, "--json")
    assert ended.code == 2
    assert "No brain was found in T1w" in ended.answer["error"]["message"]
    assert "--mask FILE" in ended.answer["error"]["hint"]


def test_in_words_every_note_is_said_once(mrsynth, tmp_path):
    nifti_file(tmp_path / "p_T1w.nii.gz", phantom().array, phantom().grid.affine.matrix, qform=0, sform=0)
    assert mrsynth("study", tmp_path).out.count("left and right may be swapped") == 1


def test_a_missing_folder_exits_with_2(mrsynth, tmp_path):
    ended = mrsynth("study", tmp_path / "nowhere", "--json")
    assert ended.code == 2
    assert "nowhere" in ended.answer["error"]["message"]
    assert ended.answer["error"]["hint"]
