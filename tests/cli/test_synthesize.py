"""``mrsynth synthesize`` writes what was wanted on the reference's grid, and says how it was made."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bad.models import tiny_model
from napari_mrsynth.io import read_image
from phantoms import affine_of, brain_study, patient_folder, phantom, save

FIELDS = {"outputs", "used", "bundle", "device", "precision", "seconds", "peak_rss_bytes", "warnings"}

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out"


def test_the_report_has_every_promised_field(mrsynth, patient, out):
    ended = mrsynth("synthesize", patient, "--use", "T1w,T2w", "--want", "FLAIR", "--out", out, "--json")
    answer = ended.answer
    assert ended.code == 0
    assert set(answer) >= FIELDS
    assert answer["outputs"] == [
        {"contrast": "FLAIR", "path": str(out / "sub-01_desc-synthetic_FLAIR.nii.gz")}
    ]
    assert answer["used"] == ["T1w", "T2w"]
    assert answer["bundle"] == "tiny"
    assert (answer["device"], answer["precision"]) in {("cpu", "fp32"), ("cpu", "bf16"), ("cuda", "bf16")}
    assert answer["seconds"] >= answer["synthesis_seconds"] > 0
    assert answer["peak_rss_bytes"] > 10**8
    assert isinstance(answer["warnings"], list)
    assert " 90 %" in ended.err or "100 %" in ended.err


def test_the_result_lies_on_the_scans_grid_and_is_marked_synthetic(mrsynth, patient, out):
    mrsynth("synthesize", patient, "--use", "T1w,T2w", "--want", "FLAIR", "--out", out)
    made = read_image(out / "sub-01_desc-synthetic_FLAIR.nii.gz")
    truth = read_image(patient / "sub-01_T1w.nii.gz")
    assert made.grid.same_as(truth.grid)
    assert made.is_synthetic
    assert np.isfinite(made.array).all()
    header = nib.load(out / "sub-01_desc-synthetic_FLAIR.nii.gz").header
    assert bytes(header["descrip"]).startswith(b"SYNTHETIC FLAIR")
    sidecar = json.loads((out / "sub-01_desc-synthetic_FLAIR.json").read_text())
    assert sidecar["Synthetic"] is True


def test_by_default_everything_that_is_there_and_not_wanted_is_used(mrsynth, patient, out):
    answer = mrsynth("synthesize", patient, "--want", "t2", "--out", out, "--json").answer
    assert answer["used"] == ["FLAIR", "T1w"] or answer["used"] == ["T1w", "FLAIR"]
    assert [output["contrast"] for output in answer["outputs"]] == ["T2w"]


def test_a_scan_that_no_model_reads_is_left_out_by_default(mrsynth, tmp_path, out):
    folder = patient_folder(tmp_path / "sub-02", brain_study(("T1w", "PDw"), name="sub-02"))
    answer = mrsynth("synthesize", folder, "--want", "FLAIR", "--out", out, "--json").answer
    assert answer["used"] == ["T1w"]


@pytest.mark.parametrize("said", [("--bundle", "OWN"), ("--bundle", "OWN", "--use", "7T,CT")])
def test_a_models_own_contrasts_are_found_by_the_files_names(mrsynth, tmp_path, out, said):
    model = tiny_model(tmp_path / "own", ("CT", "7T", "T1w"))
    study = brain_study(("T1w", "T2w"), name="sub-03")
    folder = tmp_path / "sub-03"
    for contrast, name in (("T1w", "sub-03_T1w_7T"), ("T2w", "sub-03_CT")):
        save(study.volume(contrast), folder / f"{name}.nii.gz")
    options = [str(model) if word == "OWN" else word for word in said]
    ended = mrsynth("synthesize", folder, "--want", "T1w", *options, "--out", out, "--json")
    assert ended.code == 0, ended.err
    assert set(ended.answer["used"]) == {"CT", "7T"}


def test_several_contrasts_and_the_source_map_are_made_at_once(mrsynth, patient, out):
    arguments = ("--use", "T1w,T2w", "--want", "FLAIR,T1ce", "--source-map", "--out", out, "--json")
    answer = mrsynth("synthesize", patient, *arguments).answer
    assert [output["contrast"] for output in answer["outputs"]] == ["FLAIR", "T1ce", "sourcemap"]
    assert all(Path(output["path"]).is_file() for output in answer["outputs"])
    assert "ce-gd" in answer["outputs"][1]["path"]
    sources = read_image(answer["outputs"][2]["path"], kind="labels")
    assert set(sources.present) <= {1, 2}


def test_the_real_scan_of_the_wanted_contrast_has_no_influence(mrsynth, patient, out):
    flair = read_image(patient / "sub-01_FLAIR.nii.gz")
    save(flair.with_array(np.roll(flair.array, 9, axis=0)), patient / "sub-01_FLAIR.nii.gz")  # another brain
    command = ("--use", "T1w,T2w", "--want", "FLAIR", "--json", "--out")
    with_truth = mrsynth("synthesize", patient, *command, out / "a").answer["outputs"][0]["path"]
    (patient / "sub-01_FLAIR.nii.gz").unlink()
    without = mrsynth("synthesize", patient, *command, out / "b").answer["outputs"][0]["path"]
    assert np.array_equal(read_image(with_truth).array, read_image(without).array)


def test_results_come_on_the_chosen_references_grid(mrsynth, tmp_path, out):
    t1w = save(phantom(contrast="T1w"), tmp_path / "a.nii.gz")
    thick = phantom((30, 40, 20), affine_of((30, 40, 20), (5, 4, 6), "LAS"), "T2w")
    t2w = save(thick, tmp_path / "b.nii.gz")
    command = ("synthesize", f"T1w={t1w}", f"T2w={t2w}", "--want", "FLAIR", "--reference", "T2w", "--align")
    ended = mrsynth(*command, "--out", out, "--json")
    assert ended.code == 0, ended.err
    assert ended.answer["reference"] == "T2w"
    assert read_image(ended.answer["outputs"][0]["path"]).grid.same_as(thick.grid)
    assert "T1w was moved by" in ended.err


def test_a_given_mask_is_used(mrsynth, patient, out, tmp_path):
    scan = phantom(affine=read_image(patient / "sub-01_T1w.nii.gz").grid.affine)
    left = scan.array > 0
    left[18:] = False
    mask = save(scan.with_array(left.astype(np.uint8)), tmp_path / "half.nii.gz")
    command = ("synthesize", patient, "--use", "T1w", "--want", "FLAIR", "--mask", mask)
    answer = mrsynth(*command, "--out", out, "--json").answer
    made = read_image(answer["outputs"][0]["path"]).array
    assert (made[18:] == 0).all()
    assert (made[:18] != 0).any()


@pytest.mark.parametrize("given", [".", "../sub-01", "sub-01_T1w.nii.gz"])
def test_within_the_patients_folder_results_are_still_named_after_the_patient(
    mrsynth, patient, out, monkeypatch, given
):
    monkeypatch.chdir(patient)
    answer = mrsynth("synthesize", given, "--use", "T1w", "--want", "FLAIR", "--out", out, "--json").answer
    assert Path(answer["outputs"][0]["path"]).name == "sub-01_desc-synthetic_FLAIR.nii.gz"


def test_words_say_what_was_made_from_what(mrsynth, patient, out):
    said = mrsynth("synthesize", patient, "--use", "T1w", "--want", "FLAIR", "--out", out).out
    assert f"FLAIR: {out / 'sub-01_desc-synthetic_FLAIR.nii.gz'}" in said
    assert "Made from T1w by tiny" in said
    assert "not for diagnosis" in said


@pytest.mark.parametrize(
    ("options", "kind", "quoted"),
    [
        (("--want", "FLAIR", "--use", "FLAIR"), "BundleError", "FLAIR"),
        (("--want", "FLAIR", "--use", "T1w,FLAIR"), "BundleError", "FLAIR"),
        (("--want", "FLAIR", "--use", "DWI"), "ContrastError", "DWI"),
        (("--want", "7T",), "BundleError", "7T"),
        (("--want", ",",), "ContrastError", "--want"),
        (("--want", "FLAIR", "--use", "",), "ContrastError", "--use"),
        (("--want", "FLAIR", "--bundle", "tinny"), "BundleError", "tinny"),
        (("--want", "FLAIR", "--use", "T1w", "--reference", "MRA"), "ContrastError", "MRA"),
        (("--want", "FLAIR", "--use", "T1w", "--precision", "fp16"), "DeviceError", "fp16"),
        (("--want", "FLAIR", "--use", "T1w", "--mask", "no-such-mask.nii.gz"), "FormatError", "no-such-mask"),
    ],
)  # fmt: skip
def test_a_wrong_request_exits_with_2_writes_nothing_and_is_quoted(
    mrsynth, patient, out, options, kind, quoted
):
    ended = mrsynth("synthesize", patient, *options, "--out", out, "--json")
    assert ended.code == 2
    assert ended.answer["error"]["type"] == kind
    assert quoted in ended.answer["error"]["message"]
    assert not out.exists() or not list(out.iterdir())


def test_a_folder_that_cannot_be_made_is_refused_before_the_work(mrsynth, patient, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    ended = mrsynth("synthesize", patient, "--want", "T1ce", "--out", tmp_path / "file" / "out", "--json")
    assert ended.code == 2
    assert ended.answer["error"]["type"] == "OutputError"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused_before_the_work(mrsynth, patient, out):
    out.mkdir(mode=0o500)
    ended = mrsynth("synthesize", patient, "--want", "T1ce", "--out", out, "--json")
    assert ended.answer["error"]["type"] == "OutputError"


def test_another_patients_result_of_the_same_name_is_not_replaced(mrsynth, patient, tmp_path, out):
    other = patient_folder(
        tmp_path / "elsewhere" / "sub-01", brain_study(("T1w", "T2w"), seed=7, name="sub-01")
    )
    assert mrsynth("synthesize", patient, "--want", "T1ce", "--out", out).code == 0
    kept = next(out.glob("*.nii.gz")).read_bytes()
    ended = mrsynth("synthesize", other, "--want", "T1ce", "--out", out, "--json")
    assert ended.code == 2
    assert ended.answer["error"]["type"] == "OutputError"
    assert "sub-01_T1w.nii.gz" in ended.answer["error"]["message"]
    assert next(out.glob("*.nii.gz")).read_bytes() == kept
    assert mrsynth("synthesize", patient, "--use", "T2w", "--want", "T1ce", "--out", out).code == 0


def test_another_patients_source_map_is_not_replaced(mrsynth, patient, tmp_path, out):
    brain = brain_study(("T1w", "T2w"), seed=7, name="sub-01")
    other = patient_folder(tmp_path / "elsewhere" / "sub-01", brain)
    assert mrsynth("synthesize", patient, "--want", "T1ce", "--source-map", "--out", out).code == 0
    sources = out / "sub-01_desc-synthetic_sourcemap.nii.gz"
    kept = sources.read_bytes()
    ended = mrsynth("synthesize", other, "--want", "FLAIR", "--source-map", "--out", out, "--json")
    assert ended.code == 2
    assert "sourcemap" in ended.answer["error"]["message"]
    assert sources.read_bytes() == kept
    assert not list(out.glob("*_FLAIR.nii.gz"))


@pytest.mark.parametrize("lost", ["sidecar", "inputs"])
def test_a_result_that_does_not_say_whose_it_is_is_not_replaced(mrsynth, patient, out, lost):
    assert mrsynth("synthesize", patient, "--want", "T1ce", "--out", out).code == 0
    (sidecar,) = out.glob("*.json")
    if lost == "sidecar":
        sidecar.unlink()
    else:
        sidecar.write_text('{"Synthetic": true, "Provenance": {}}')
    ended = mrsynth("synthesize", patient, "--want", "T1ce", "--out", out, "--json")
    assert ended.code == 2
    assert ended.answer["error"]["type"] == "OutputError"
    assert "does not say what it was made from" in ended.answer["error"]["message"]


@pytest.mark.parametrize(
    ("name", "said", "contrast", "warned"),
    [
        ("T1_pre_Gd.nii.gz", "", "T1w", False),
        ("T1_km_nativ.nii.gz", "", "T1w", True),
        ("T1_km_nativ.nii.gz", "T1w=", "T1w", False),
        ("T1_post_radiation.nii.gz", "", "T1w", False),
        ("T1_post_gd.nii.gz", "", "T1ce", False),
    ],
)
def test_a_doubtful_guess_that_is_used_is_said_with_its_remedy(
    mrsynth, tmp_path, out, name, said, contrast, warned
):
    file = save(phantom(contrast="T1w"), tmp_path / name)
    ended = mrsynth("synthesize", f"{said}{file}", "--want", "FLAIR", "--out", out, "--json")
    assert ended.answer["used"] == [contrast]
    doubts = [warning for warning in ended.answer["warnings"] if f"taken as {contrast}" in warning]
    assert bool(doubts) is warned
    assert all(f"{contrast}={file}" in doubt for doubt in doubts)
    words = mrsynth("synthesize", f"{said}{file}", "--want", "FLAIR", "--out", out).out
    assert (f"{contrast}={file}" in words) is warned
