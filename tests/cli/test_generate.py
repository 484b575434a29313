"""``mrsynth generate`` and ``mrsynth structure --random``: files, figures, as the library, refusals."""

from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from lesion_models import lesion_models
from napari_mrsynth.generation import LesionMaker, generator_bundle, paint_on, patient_anatomy
from napari_mrsynth.io import read_image, read_patient
from napari_mrsynth.io.provenance import read_sidecar
from napari_mrsynth.lesions import label_set
from phantoms import affine_of, brain_study, lesion_labels, nifti_file, patient_folder, phantom, save

SHAPE = (36, 44, 32)
AFFINE = affine_of(SHAPE, (4, 4, 4), "LPS")


@pytest.fixture
def models(tmp_path, monkeypatch):
    store = lesion_models(tmp_path / "models")
    monkeypatch.setattr("napari_mrsynth.bundles.store.default_roots", lambda: tuple(store.roots))
    return store


@pytest.fixture
def patient(tmp_path):
    return patient_folder(tmp_path / "sub-07", brain_study(("T1w", "FLAIR"), name="sub-07", noise=0.03))


@pytest.fixture
def labels(tmp_path):
    return save(lesion_labels(SHAPE, AFFINE), tmp_path / "mine_seg.nii.gz")


def by_kind(answer):
    return {(each["contrast"], each["kind"]): each["path"] for each in answer["outputs"]}


def test_contrasts_twin_and_difference_are_written_and_the_lesion_is_checked(
    mrsynth, models, patient, labels, tmp_path
):
    scan = patient / "sub-07_T1w.nii.gz"
    ended = mrsynth(
        *("generate", "--labels", labels, "--anatomy", scan, "--want", "T1,flair", "--healthy"),
        *("--device", "cpu", "--precision", "fp32", "--out", tmp_path / "out", "--json"),
    )
    assert ended.code == 0, ended.err
    files = by_kind(ended.answer)
    assert set(files) == {
        *(
            (contrast, kind)
            for contrast in ("T1w", "FLAIR")
            for kind in ("generated", "healthy twin", "difference")
        ),
        ("seg", "generated"),
        ("seg", "found"),
    }
    assert set(ended.answer["dice"]) == {"label-1", "label-2", "label-4", "lesion"}
    assert set(ended.answer["structure_f1"]) == {"T1w", "FLAIR"}
    made, twin, difference = (
        np.asarray(nib.load(files["FLAIR", kind]).dataobj)
        for kind in ("generated", "healthy twin", "difference")
    )
    np.testing.assert_allclose(made - twin, difference, atol=1e-3)
    tumour = label_set("tumour")
    anatomy = patient_anatomy(read_image(scan, kind="scan"), 4.0)
    painted = paint_on(read_image(labels, kind="labels"), tumour, anatomy)
    maker = LesionMaker(generator_bundle(models, tumour), "cpu", "fp32")
    plane = maker.preview(anatomy, painted, ["FLAIR"], 18)["FLAIR"]
    np.testing.assert_allclose(
        read_image(files["FLAIR", "generated"], kind="scan").display[18], plane, rtol=1e-4, atol=1e-2
    )
    with pytest.raises(Exception, match="no scan"):
        read_patient(tmp_path / "out")  # nothing of it is taken for a scan


def test_a_lesion_is_painted_into_real_scans_that_stay_the_same_elsewhere(
    mrsynth, models, patient, labels, tmp_path
):
    ended = mrsynth(
        *("generate", "--labels", labels, "--into", patient, "--want", "FLAIR", "--blend", 4),
        *("--no-check", "--out", tmp_path / "out", "--json"),
    )
    assert ended.code == 0, ended.err
    assert ended.answer["dice"] is None
    path = by_kind(ended.answer)["FLAIR", "into"]
    real = np.asarray(nib.load(patient / "sub-07_FLAIR.nii.gz").dataobj)
    painted = np.asarray(nib.load(path).dataobj)
    lesion = np.asarray(nib.load(labels).dataobj) > 0
    changed = painted != real
    assert changed[lesion].any()
    assert changed.sum() < 4 * lesion.sum()
    record = read_sidecar(Path(path))["Provenance"]
    assert record["into"]["blend_mm"] == 4
    assert ended.answer["anatomy"]["scan"]["contrast"] == "T1w"
    assert not [warning for warning in ended.answer["warnings"] if "one patient" in warning]


def test_whose_anatomy_it_is_tells_the_file_or_its_folder(mrsynth, models, patient, labels, tmp_path):
    other = save(phantom(SHAPE, AFFINE, "T1w", seed=9), tmp_path / "anna" / "T1.nii.gz")
    plain = ("--anatomy", other, "--want", "FLAIR", "--no-check", "--json")
    ended = mrsynth("generate", "--labels", labels, *plain, "--out", tmp_path / "out")
    assert {Path(each["path"]).name.split("_")[0] for each in ended.answer["outputs"]} == {"sub-anna"}
    ended = mrsynth("generate", "--labels", labels, *plain, "--into", patient, "--out", tmp_path / "two")
    assert "The anatomy is of anna, the scans painted into are of sub-07" in ended.answer["warnings"][0]


def test_random_anatomy_is_one_slice_with_its_map_beside_it(mrsynth, models, labels, tmp_path, monkeypatch):
    from generation.test_into_and_random import Drawing
    from napari_mrsynth.generation import RandomAnatomy

    drawing = Drawing()
    monkeypatch.setattr(RandomAnatomy, "_loaded", lambda self: drawing)
    ended = mrsynth(
        *("generate", "--labels", labels, "--seed", 5, "--want", "T2w", "--out", tmp_path / "out", "--json")
    )
    assert ended.code == 0, ended.err
    files = by_kind(ended.answer)
    assert ended.answer["labels_slice"] == ended.answer["anatomy"]["labels_slice"]
    record = read_sidecar(Path(files["T2w", "generated"]))["Provenance"]
    assert record["anatomy"]["labels_slice"] == ended.answer["labels_slice"]
    said = f"Slice {ended.answer['labels_slice']} of the labels' {SHAPE[2]} was taken, which has most lesion"
    assert any(said in warning for warning in ended.answer["warnings"])
    assert {("T2w", "generated"), ("seg", "generated"), ("structure", "generated")} <= set(files)
    assert nib.load(files["T2w", "generated"]).shape == (96, 96, 1)
    assert ended.answer["anatomy"]["seed"] == 5
    assert ended.answer["anatomy"]["attempts"] >= 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--want", "DWI"), "DWI cannot be made"),
        (("--anatomy", "nothing.nii.gz"), "nothing.nii.gz"),
        (("--seed", "1"), "both given"),
        (("--disease", "ms"), "multiple sclerosis is installed"),
        (("--labels", "bad.nii.gz"), "0.37"),
        (("--labels", "empty.nii.gz"), "is empty"),
        (("--labels", "nine.nii.gz"), "[9]"),
        (("--labels", "outside.nii.gz"), "outside the brain"),
        (("--blend", "-1", "--into", "patient"), "-1 mm"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(
    mrsynth, models, patient, labels, tmp_path, options, says
):
    grid = read_image(labels, kind="labels").array
    for name, array in (
        ("bad", np.full(SHAPE, 0.37, np.float32)),
        ("empty", np.zeros(SHAPE, np.uint8)),
        ("nine", np.where(grid == 1, 9, grid)),
        ("outside", np.ones(SHAPE, np.uint8)),
    ):
        nifti_file(tmp_path / f"{name}.nii.gz", array, AFFINE)
    given = {"--labels": labels, "--anatomy": patient / "sub-07_T1w.nii.gz", "--want": "FLAIR"}
    for option, value in zip(options[::2], options[1::2], strict=True):
        local = tmp_path / value
        given[option] = patient if value == "patient" else local if local.exists() else value
    ended = mrsynth(
        "generate", *(part for pair in given.items() for part in pair), "--out", tmp_path / "out", "--json"
    )
    assert ended.code == 2
    assert says in ended.answer["error"]["message"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "says", "remedy"),
    [
        (("--seed", 3, "--beta", 0.3), "--beta 0.3 would change nothing with --seed 3", "--anatomy"),
        (("--seed", 3, "--own-lesions", "own.nii", "--mask", "m.nii"), "--own-lesions own.nii, --mask", ""),
        (("--anatomy", "SCAN", "--slice", 4), "--slice 4 would change nothing without --seed", "--seed N"),
        (("--anatomy", "SCAN", "--attempts", 50), "--attempts 50", "--seed N"),
        (("--anatomy", "SCAN", "--blend", 3), "--blend 3.0 would change nothing without --into", "--into"),
        (("--anatomy", "SCAN", "--no-check", "--segmenter", "x"), "--segmenter x", "Leave one"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(
    mrsynth, models, patient, labels, tmp_path, options, says, remedy
):
    given = [patient / "sub-07_T1w.nii.gz" if part == "SCAN" else part for part in options]
    out = tmp_path / "out"
    ended = mrsynth("generate", "--labels", labels, "--want", "FLAIR", *given, "--out", out, "--json")
    assert ended.code == 2
    assert says in ended.answer["error"]["message"]
    assert remedy in ended.answer["error"]["hint"]
    assert not out.exists()


@pytest.mark.parametrize("kind", ["below a file", "read-only"])
def test_a_folder_that_cannot_be_written_is_refused_first(
    mrsynth, models, patient, labels, tmp_path, monkeypatch, kind
):
    out = tmp_path / "there" / "out"
    if kind == "below a file":
        out.parent.write_text("mine")
    else:
        monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    monkeypatch.setattr(LesionMaker, "run", None)
    ended = mrsynth(
        "generate", "--labels", labels, "--into", patient, "--want", "T1w", "--out", out, "--json"
    )
    assert ended.code == 2
    said = "is a file" if kind == "below a file" else f"{tmp_path} is read-only"
    assert said in ended.answer["error"]["message"]


def test_an_earlier_result_is_replaced_whole_and_only_when_that_is_said(
    mrsynth, models, patient, labels, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    plain = ("generate", "--labels", labels, "--into", patient, "--device", "cpu", "--out", out)
    first = mrsynth(*plain, "--want", "T1w,FLAIR", "--healthy", "--json")
    assert first.code == 0, first.err
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with monkeypatch.context() as patched:
        patched.setattr(LesionMaker, "run", None)  # refused before anything is made
        refused = mrsynth(*plain, "--want", "FLAIR", "--json")
    assert refused.code == 2
    assert "and 7 more are already in" in refused.answer["error"]["message"]
    assert "--overwrite" in refused.answer["error"]["hint"]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    edited, foreign = out / "sub-07_desc-syntheticfound_seg.nii.gz", out / "sub-07_desc-synthetic_T2w.nii.gz"
    changed = np.asarray(nib.load(edited).dataobj).copy()
    changed[0, 0, 0] = 1
    nib.save(nib.Nifti1Image(changed, None, nib.load(edited).header), edited)
    nifti_file(foreign, np.ones(SHAPE, np.float32), AFFINE)
    for other in ("sub-071_desc-synthetic_T1w", "sub-07_ses-2_desc-synthetic_T1w", "sub-07_T1w", "notes"):
        nifti_file(out / f"{other}.nii.gz", np.ones(SHAPE, np.float32), AFFINE)
    again = mrsynth(*plain, "--want", "FLAIR", "--no-check", "--overwrite", "--json")
    assert again.code == 0, again.err
    assert {Path(path).name for path in again.answer["removed"]} == {
        "sub-07_desc-synthetic_T1w.nii.gz",
        "sub-07_desc-syntheticlesion_T1w.nii.gz",
        *(
            f"sub-07_desc-synthetic{kind}_{name}.nii.gz"
            for kind in ("healthy", "difference")
            for name in ("T1w", "FLAIR")
        ),
    }
    assert not (out / "sub-07_desc-synthetic_T1w.json").exists()
    warned = " ".join(again.answer["warnings"])
    assert edited.name in warned
    assert foreign.name in warned
    assert {path.name for path in out.glob("*.nii.gz")} == {
        *(Path(each["path"]).name for each in again.answer["outputs"]),
        *(edited.name, foreign.name, "sub-071_desc-synthetic_T1w.nii.gz", "sub-07_T1w.nii.gz"),
        *("sub-07_ses-2_desc-synthetic_T1w.nii.gz", "notes.nii.gz"),
    }


def test_another_patients_results_stay_beside(mrsynth, models, patient, labels, tmp_path):
    other = save(phantom(SHAPE, AFFINE, "T1w", seed=9), tmp_path / "anna" / "T1.nii.gz")
    for anatomy in (other, patient / "sub-07_T1w.nii.gz"):
        ended = mrsynth(
            *("generate", "--labels", labels, "--anatomy", anatomy, "--want", "FLAIR", "--no-check"),
            *("--out", tmp_path / "out", "--json"),
        )
        assert ended.code == 0, ended.err
    assert len(list((tmp_path / "out").glob("*_FLAIR.nii.gz"))) == 2


def test_a_random_map_is_written_and_the_same_seed_gives_the_same(mrsynth, models, tmp_path):
    arrays = []
    for name in ("one", "two"):
        out = tmp_path / f"{name}.nii.gz"
        ended = mrsynth(
            *("structure", "--random", "--seed", 3, "--attempts", 4, "--out", out),
            *("--mask-out", tmp_path / f"{name}_brain.nii.gz", "--json"),
        )
        assert ended.code == 0, ended.err
        arrays.append(np.asarray(nib.load(ended.answer["output"]).dataobj))
    assert ended.answer["seed"] == 3
    assert ended.answer["attempts"] <= 4
    assert arrays[0].shape == (48, 48, 1)
    assert set(np.unique(arrays[0])) <= {0, 1}
    np.testing.assert_array_equal(*arrays)
    assert read_sidecar(tmp_path / "one.nii.gz")["Synthetic"] is True


@pytest.mark.parametrize(
    ("options", "says", "remedy"),
    [
        (("--random", "--seed", 7, "--beta", 0.2), "--beta 0.2 would change nothing with --random", "IMAGE"),
        (("--random", "--seed", 7, "--blur", 0, "--expand", 5), "--blur 0.0, --expand 5", "IMAGE"),
        (("--random", "--seed", 7, "--labels", "seg.nii"), "--labels seg.nii", "IMAGE"),
        (("SCAN", "--attempts", 3), "--attempts 3 would change nothing without --random", "--seed N"),
        (("SCAN", "--bundle", "anatomy"), "--bundle anatomy", "--seed N"),
        (("SCAN", "--seed", 3), "--seed 3 would change nothing without --random", "--random"),
    ],
)
def test_an_option_of_the_other_source_is_refused(mrsynth, models, patient, tmp_path, options, says, remedy):
    given = [patient / "sub-07_T1w.nii.gz" if part == "SCAN" else part for part in options]
    ended = mrsynth("structure", *given, "--out", tmp_path / "m.nii.gz", "--json")
    assert ended.code == 2
    assert says in ended.answer["error"]["message"]
    assert remedy in ended.answer["error"]["hint"]


@pytest.mark.parametrize("options", [(), ("--random",), ("--seed", 3), ("SCAN", "--random", "--seed", 3)])
def test_a_map_has_one_source(mrsynth, models, patient, tmp_path, options):
    given = [patient / "sub-07_T1w.nii.gz" if part == "SCAN" else part for part in options]
    ended = mrsynth("structure", *given, "--out", tmp_path / "m.nii.gz", "--json")
    assert ended.code == 2
    assert "--random together with --seed" in ended.answer["error"]["hint"]
