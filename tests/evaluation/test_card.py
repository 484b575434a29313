"""A model's card is measured on unseen patients only, with a baseline and honest tests."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from bad.models import tiny_model
from lesion_models import CONTRASTS, lesion_models
from napari_mrsynth.bundles import Bundle, save_bundle
from napari_mrsynth.cli import main
from napari_mrsynth.errors import BundleError, InputError
from napari_mrsynth.evaluation.card import (
    BASELINE,
    HINDSIGHT,
    MODEL,
    Row,
    differences,
    holm,
    measure,
    patients_below,
)
from napari_mrsynth.generation.measured import MADE, Score, results_of
from napari_mrsynth.io import read_patient
from napari_mrsynth.preprocess.likeness import record_of
from napari_mrsynth.progress import ended
from napari_mrsynth.synthesis import Engine
from phantoms import brain_study, patient_folder

TASK = ("T1w", "FLAIR", "brain")


@pytest.fixture
def bundle(tmp_path):
    return Bundle.open(tiny_model(tmp_path))


@pytest.fixture
def patients(tmp_path):
    root = tmp_path / "patients"
    for name, contrasts in (("p1", ("T1w", "T2w", "FLAIR")), ("p2", ("T1w", "FLAIR")), ("p3", ("T2w",))):
        study = brain_study(contrasts, shape=(16, 18, 14), spacing=(10,) * 3, lesion=name == "p1", name=name)
        patient_folder(root / name, study)
    return root


def card_of(bundle, patients, tmp_path, capsys, *more):
    arguments = ["evaluate", "--card", str(bundle.folder), str(patients), "--out", str(tmp_path / "out")]
    code = main([*arguments, *more, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_every_subset_is_measured_beside_the_baseline_and_written(bundle, patients, tmp_path, capsys):
    code, found = card_of(bundle, patients, tmp_path, capsys)
    assert code == 0
    assert found["patients"] == ["p1", "p2"]
    assert [each["patient"] for each in found["skipped"]] == ["p3"]
    tasks = {(t["inputs"], t["target"]): t for t in found["tasks"] if t["region"] == "brain"}
    assert len(tasks) == 9  # three targets from every subset of the two others
    assert tasks["T1w", "FLAIR"]["patients"] == 2
    assert tasks["T1w+T2w", "FLAIR"]["patients"] == 1
    assert all(task["p"] is None for task in tasks.values())  # two patients prove nothing
    assert {t["region"] for t in found["tasks"]} == {"brain", "healthy", "lesion"}
    page = (tmp_path / "out" / f"evaluation-{bundle.card.id}.md").read_text()
    assert "| FLAIR | T1w, T2w |" in page
    assert "raining error" not in page
    assert (tmp_path / "out" / f"evaluation-{bundle.card.id}.png").stat().st_size > 1000


def test_a_patient_the_model_was_trained_on_is_refused_by_its_voxels(bundle, patients, tmp_path, capsys):
    [flair] = [v for v in read_patient(patients / "p2").volumes if v.contrast == "FLAIR"]
    subjects = [{"id": "someone", "sha256": "0", "volumes": {"FLAIR": flair.fingerprint}}]
    card = replace(bundle.card, training={"subjects": subjects})
    bundle = save_bundle(bundle.folder, card, bundle.state())
    (patients / "p2").rename(patients / "renamed")
    code, found = card_of(bundle, patients, tmp_path, capsys)
    assert code == 2
    assert "was trained on renamed: its FLAIR is that of someone" in found["error"]["message"]
    code, found = card_of(bundle, patients, tmp_path, capsys, "--training-error")
    assert code == 0
    assert "**Training error" in next((tmp_path / "out").glob("*.md")).read_text()


def test_a_models_own_contrasts_are_found_by_the_files_names(patients, tmp_path, capsys):
    own = Bundle.open(tiny_model(tmp_path / "own", ("CT", "T1w")))
    shutil.copy(patients / "p1" / "p1_T2w.nii.gz", patients / "p1" / "p1_CT.nii.gz")
    code, found = card_of(own, patients, tmp_path, capsys)
    assert code == 0
    assert found["patients"] == ["p1"]
    assert {(task["inputs"], task["target"]) for task in found["tasks"]} == {("CT", "T1w"), ("T1w", "CT")}


def test_scans_that_do_not_lie_on_each_other_can_be_aligned_first(bundle, patients, tmp_path, capsys):
    shutil.rmtree(patients)
    study = brain_study(("T1w", "T2w"), shape=(44, 52, 36), spacing=(4, 4, 4), name="p1")
    patient_folder(patients / "p1", study)
    path = patients / "p1" / "p1_T2w.nii.gz"
    scan = nib.load(path)
    moved = np.eye(4)
    moved[:3, 3] = (9, -6, 5)
    nib.save(nib.Nifti1Image(np.asanyarray(scan.dataobj), moved @ scan.affine), path)
    figures = []
    for options in ((), ("--align",)):
        code, found = card_of(bundle, patients, tmp_path, capsys, *options)
        assert code == 0
        (task,) = (t for t in found["tasks"] if (t["target"], t["region"]) == ("T1w", "brain"))
        figures.append(task["hindsight"])
    assert figures[1] < 0.9 * figures[0]
    assert "first aligned" in (tmp_path / "out" / f"evaluation-{bundle.card.id}.md").read_text()


@pytest.mark.parametrize(
    ("what", "why"), [("no brain", "No brain mask"), ("dark brain", "cannot be normalised")]
)
def test_a_patient_of_whom_nothing_can_be_made_is_left_out_and_the_others_measured(
    bundle, patients, tmp_path, capsys, what, why
):
    for path in sorted((patients / "p2").glob("*.nii.gz")):
        image = nib.load(path)
        array = np.asarray(image.dataobj).copy()
        brain = array > 0
        if what == "no brain":
            array[3:], array[:, 3:], array[:, :, 3:] = 0, 0, 0
            array[:3, :3, :3] = np.arange(1, 28).reshape(3, 3, 3)
        else:
            array[:] = np.where(brain, -array, 9)
            mask = nib.Nifti1Image(brain.astype(np.uint8), image.affine)
            nib.save(mask, path.parent / "p2_brainmask.nii.gz")
        nib.save(nib.Nifti1Image(array, image.affine), path)
    code, found = card_of(bundle, patients, tmp_path, capsys)
    assert code == 0, found
    assert found["patients"] == ["p1"]
    reasons = {each["patient"]: each["reason"] for each in found["skipped"]}
    assert set(reasons) == {"p2", "p3"}
    assert why in reasons["p2"]


def test_a_model_that_cannot_run_is_not_put_down_to_the_patients(bundle, patients, monkeypatch):
    def damaged(*request):
        raise BundleError("The weights are damaged.")

    monkeypatch.setattr(measure, "_predictions", damaged)
    with pytest.raises(BundleError, match="weights are damaged"):
        ended(measure.measuring(Engine(), bundle, patients_below(patients), root=patients))


def test_a_patients_own_folder_is_called_by_its_name(bundle, patients, tmp_path, capsys):
    code, found = card_of(bundle, patients / "p2", tmp_path, capsys)
    assert code == 0
    assert found["patients"] == ["p2"]


def test_a_patient_saved_anew_is_still_the_one_the_model_was_trained_on(bundle, patients, tmp_path, capsys):
    study = brain_study(("T1w", "FLAIR"), shape=(16, 18, 14), spacing=(10,) * 3, codes="RAS", scale=90.0)
    subjects = [{"id": "someone", "sha256": "0", **record_of(study, bundle.card.spacing_mm)}]
    bundle = save_bundle(bundle.folder, replace(bundle.card, training={"subjects": subjects}), bundle.state())
    code, found = card_of(bundle, patients, tmp_path, capsys)
    assert code == 2
    assert "is that of someone" in found["error"]["message"]


def test_nothing_is_made_before_every_patient_is_known_to_be_unseen(bundle, patients, monkeypatch):
    made = []
    monkeypatch.setattr(measure, "_predictions", lambda *request: made.append(request) or iter(()))
    [last] = [v for v in read_patient(patients / "p3").volumes if v.contrast == "T2w"]
    shutil.copytree(patients / "p1", patients / "p4")
    shutil.copy(patients / "p3" / "p3_T2w.nii.gz", patients / "p4" / "p1_T2w.nii.gz")
    subjects = [{"id": "someone", "sha256": "0", "volumes": {"T2w": last.fingerprint}}]
    bundle = save_bundle(bundle.folder, replace(bundle.card, training={"subjects": subjects}), bundle.state())
    with pytest.raises(InputError, match="was trained on p4"):
        ended(measure.measuring(Engine(), bundle, patients_below(patients), root=patients))
    assert not made


def test_a_patient_without_any_lesion_is_measured_over_the_brain(bundle, patients, tmp_path, capsys):
    labels = next((patients / "p1").glob("*seg*"))
    image = nib.load(labels)
    nib.save(nib.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), labels)
    code, found = card_of(bundle, patients, tmp_path, capsys)
    assert code == 0
    assert found["patients"] == ["p1", "p2"]
    assert {task["region"] for task in found["tasks"]} == {"brain"}


def test_no_linear_change_of_grey_values_is_nearer_than_the_one_in_hindsight(
    bundle, patients, tmp_path, capsys
):
    _, found = card_of(bundle, patients, tmp_path, capsys)
    tasks = {(t["inputs"], t["target"]): t for t in found["tasks"] if t["region"] == "brain"}
    for task in tasks.values():
        assert task["hindsight"] <= task["baseline"] * 1.001
    one, both = tasks["T1w", "FLAIR"], tasks["T1w+T2w", "FLAIR"]
    assert both["hindsight"] <= one["hindsight"] * 1.2  # of fewer patients: about, not exactly


def test_figures_come_onto_the_card_beside_what_is_there(bundle, patients, tmp_path, capsys):
    bundle = save_bundle(bundle.folder, replace(bundle.card, results={"how": "before"}), bundle.state())
    code, found = card_of(bundle, patients, tmp_path, capsys, "--on-card")
    assert code == 0
    card = Bundle.open(bundle.folder).card
    assert card.results["how"] == "before"
    told = card.results["every subset, NMSE over the brain"]["T1w → FLAIR"]
    task = next(t for t in found["tasks"] if (t["inputs"], t["target"], t["region"]) == TASK)
    assert told == {
        MODEL: round(task["model"], 4),
        BASELINE: round(task["baseline"], 4),
        HINDSIGHT: round(task["hindsight"], 4),
    }
    how = card.results["how every subset was measured"]
    assert "mrsynth evaluate --card" in how
    assert not any(name in how for name in found["patients"])  # a card travels


def test_a_lesion_generators_translation_and_its_painted_lesions_are_measured(tmp_path, capsys, monkeypatch):
    root = tmp_path / "patients"
    for name in ("p1", "p2"):
        study = brain_study(CONTRASTS, shape=(16, 18, 14), spacing=(10,) * 3, lesion=True, name=name)
        patient_folder(root / name, study)
    store = lesion_models(tmp_path / "models", "scans", "segmenter", spacing_mm=10.0)
    monkeypatch.setattr("napari_mrsynth.bundles.BundleStore", lambda: store)
    code, found = card_of(store.get("scans-tumour"), root, tmp_path, capsys, "--on-card")
    assert code == 0, found
    tasks = {(t["inputs"], t["target"]) for t in found["tasks"] if t["region"] == "brain"}
    assert {("T1w", "FLAIR"), ("FLAIR", "T1w"), ("T1w+T2w", "FLAIR")} <= tasks
    assert {t["region"] for t in found["tasks"]} == {"brain", "healthy", "lesion"}
    assert "from one scan at a time" in (tmp_path / "out" / "evaluation-scans-tumour.md").read_text()
    sets = {(each["patient"], each["lesion"], each["kind"]) for each in found["painted"]}
    assert sets == {(a, b, "made") for a in ("p1", "p2") for b in ("p1", "p2")} | {
        ("p1", "p1", "real"),
        ("p2", "p2", "real"),
    }
    for each in found["painted"]:
        assert set(each["dice"]) == {"label-1", "label-2", "label-4", "lesion"}
        assert len(each["apart_mean"]) == 6
        assert set(each["structure_f1"]) == (set(CONTRASTS) if each["kind"] == "made" else set())
    page = (tmp_path / "out" / "painted-scans-tumour.md").read_text()
    assert "nothing is filtered" in page
    assert "| p1 | p2 | made |" in page
    card = Bundle.open(tmp_path / "models" / "scans-tumour").card
    assert card.weights_sha256 == found["weights_sha256"]
    translated = card.results["every subset, NMSE over the brain"]["T1w → FLAIR"]
    assert translated["model"] == pytest.approx(
        next(t["model"] for t in found["tasks"] if (t["inputs"], t["target"], t["region"]) == TASK), abs=1e-4
    )
    assert card.results["painted"]["Dice of lesion"] == pytest.approx(
        np.mean([each["dice"]["lesion"] for each in found["painted"] if each["kind"] == "made"]), abs=1e-4
    )
    assert "not among the training subjects" in card.results["how lesions were measured"]


def test_a_segmenter_that_learnt_from_a_patient_does_not_judge_lesions_there(
    patients, tmp_path, capsys, monkeypatch
):
    store = lesion_models(tmp_path / "models", "scans", "segmenter", spacing_mm=10.0)
    [flair] = [v for v in read_patient(patients / "p2").volumes if v.contrast == "FLAIR"]
    subjects = [{"id": "someone", "sha256": "0", "volumes": {"FLAIR": flair.fingerprint}}]
    judge = store.get("segmenter-tumour")
    save_bundle(judge.folder, replace(judge.card, training={"subjects": subjects}), judge.state())
    store.refresh()
    monkeypatch.setattr("napari_mrsynth.bundles.BundleStore", lambda: store)
    arguments = ["evaluate", "--card", str(store.get("scans-tumour").folder), str(patients)]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert "painted lesions were not measured: segmenter-tumour was trained on p2" in told
    assert not list((tmp_path / "out").glob("painted*"))


def test_lesions_painted_on_training_patients_are_not_called_unseen_on_the_card(bundle):
    score = Score("p1", "p1", MADE, {"lesion": 0.9}, 0.8, {"T1w": 0.7}, {"T1w, T2w": 0.1}, {"T1w, T2w": 1.0})
    told = [
        results_of([score], bundle.card, "mrsynth", training_error=seen)["how lesions were measured"]
        for seen in (False, True)
    ]
    assert "anatomy of 1 patient, not among the training subjects" in told[0]
    assert told[1].startswith("Training error: the model was trained on patients measured here.")
    assert "not among" not in told[1]


@pytest.mark.parametrize(
    ("installed", "why"),
    [
        (("scans", "segmenter"), "No lesion could be painted: p1: it has no T1ce"),
        (("scans",), "No model that finds the lesions of tumour is installed"),
    ],
)
def test_where_lesions_cannot_be_painted_or_judged_the_translation_is_measured_alone(
    patients, tmp_path, capsys, monkeypatch, installed, why
):
    store = lesion_models(tmp_path / "models", *installed, spacing_mm=10.0)
    monkeypatch.setattr("napari_mrsynth.bundles.BundleStore", lambda: store)
    arguments = ["evaluate", "--card", str(store.get("scans-tumour").folder), str(patients)]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    assert f"painted lesions were not measured: {why}" in capsys.readouterr().out
    assert not list((tmp_path / "out").glob("painted*"))


@pytest.mark.parametrize("kind", ["segmenter", "anatomy"])
def test_a_model_that_makes_no_contrasts_is_refused(patients, tmp_path, capsys, kind):
    [card] = lesion_models(tmp_path / "models", kind).cards()
    code, found = card_of(Bundle.open(tmp_path / "models" / card.id), patients, tmp_path, capsys)
    assert code == 2
    assert f"{card.id} makes no contrasts that could be measured" in found["error"]["message"]
    assert "models list" in found["error"]["hint"]


def test_the_bundle_in_the_named_folder_is_measured_whatever_the_folder_is_called(
    bundle, patients, tmp_path, capsys
):
    changed = save_bundle(
        bundle.folder.with_name("another"), bundle.card, {k: v + 0.01 for k, v in bundle.state().items()}
    )
    code, found = card_of(changed, patients, tmp_path, capsys)
    assert code == 0
    assert found["weights_sha256"] == changed.card.weights_sha256 != bundle.card.weights_sha256
    wrong = {t["inputs"]: t["model"] for t in found["tasks"] if t["region"] == "brain"}
    _, found = card_of(bundle, patients, tmp_path, capsys)
    assert wrong != {t["inputs"]: t["model"] for t in found["tasks"] if t["region"] == "brain"}


def test_one_patients_own_folder_is_one_patient(patients, tmp_path):
    assert patients_below(patients / "p1") == [patients / "p1"]
    assert [path.name for path in patients_below(patients)] == ["p1", "p2", "p3"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no scan below"):
        patients_below(tmp_path / "empty")


def test_neither_folder_nor_files_is_said(capsys):
    assert main(["evaluate", "--json"]) == 2
    assert "Nothing to compare" in json.loads(capsys.readouterr().out)["error"]["message"]


def test_holms_correction_is_his():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def rows_of(differ):
    return [
        Row(f"p{number}", method, "T1w", "FLAIR", "brain", 10, {"nmse": value})
        for number, model in enumerate(differ)
        for method, value in ((MODEL, model), (BASELINE, 1.0), (HINDSIGHT, 0.8))
    ]


def test_a_difference_in_every_patient_is_significant_and_one_by_chance_is_not():
    [better] = differences(rows_of([0.5, 0.6, 0.4, 0.55, 0.45, 0.7, 0.65, 0.3]))
    assert better.p == pytest.approx(2 / 2**8)  # all eight signs alike
    assert better.corrected == better.p
    [mixed] = differences(rows_of([0.9, 1.11, 0.92, 1.13, 0.94, 1.15, 0.96, 1.17]))
    assert mixed.p > 0.3
    [few] = differences(rows_of([0.5, 0.6, 0.4, 0.5, 0.7]))
    assert few.p is None
