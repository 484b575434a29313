"""The experiment deals patients without a leak, goes on where it stopped, and reports what it measured."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace

import numpy as np
import pytest
import yaml

from napari_mrsynth.bundles import Bundle
from napari_mrsynth.errors import ConfigError, InputError
from napari_mrsynth.training.experiments import any_subset
from napari_mrsynth.training.experiments.any_subset import run
from napari_mrsynth.training.experiments.plan import METHODS, AnySubset, Part, command_of, deal, parts_of
from napari_mrsynth.training.experiments.report import write_report
from napari_mrsynth.training.shipped import shipped_configurations
from phantoms import brain_study, patient_folder

PLAIN = ("mean", "linear", "forest")
CONTRASTS = ["T1w", "T2w", "FLAIR"]
PAIRS = 9


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Four patients to learn from, one to test, and a tiny network for three contrasts."""
    root = tmp_path_factory.mktemp("experiment")
    lines = ["subject\tsplit"]
    for number in range(5):
        study = brain_study(
            CONTRASTS,
            shape=(24, 30, 12),
            spacing=(6, 6, 11),
            seed=number,
            lesion=True,
            name=f"patient{number}",
        )
        patient_folder(root / "data" / study.name, study)
        lines.append(f"{study.name}\t{'test' if number == 4 else 'train'}")
    (root / "data" / "subjects.tsv").write_text("\n".join(lines) + "\n")
    settings = {
        "system": "anysubset",
        "data": {
            "root": str(root / "data"),
            "spacing_mm": 6.0,
            "contrasts": CONTRASTS,
            "cache": str(root / "prepared"),
        },
        "network": {
            "name": "anysubset",
            "inputs": CONTRASTS,
            "outputs": CONTRASTS,
            "latent": 4,
            "encoder_widths": [4, 8, 8],
            "decoder_widths": [8, 8],
        },
        "optim": {"steps": 3, "batch": 2, "crop": 24, "warmup": 1},
        "run": {"accelerator": "cpu", "folder": str(root / "run")},
        "card": {"id": "tiny", "name_patients": True},
    }
    path = root / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture
def settings(config, tmp_path, monkeypatch):
    """Plain methods only, the forest small, two folds."""
    small = any_subset.AnySubset.forest.fget

    def forest(self):
        grown = small(self)
        grown.trees, grown.samples = 3, 600
        return grown

    monkeypatch.setattr(AnySubset, "forest", property(forest))
    return AnySubset(config, folder=tmp_path / "run", folds=2, every=3, methods=PLAIN)


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """A rehearsal of everything, the network trained for a few steps."""
    folder = tmp_path_factory.mktemp("whole")
    given = AnySubset(config, folder=folder, folds=2, every=1, quick=True)
    return given, run(given)


def parts(settings):
    from napari_mrsynth.training.config import load_config

    return parts_of(settings, load_config(settings.config).data)[0]


def test_every_patient_of_train_is_judged_once_and_never_by_what_learnt_from_it(settings):
    found = parts(settings)
    folds = [part for part in found if part.name != "test"]
    judged = sorted(patient.subject for part in folds for patient in part.judge)
    assert judged == ["patient0", "patient1", "patient2", "patient3"]
    for part in found:
        assert not {p.subject for p in part.learn} & {p.subject for p in part.judge}
    assert [p.subject for p in found[-1].judge] == ["patient4"]
    assert len(found[-1].learn) == 4


def test_sessions_of_one_person_are_judged_together_and_teach_nobody_of_them(settings):
    found = parts(replace(settings, folds=0))[0].learn
    people = ("ann", "ann", "bob", "cid")
    sessions = [replace(p, patient=who) for p, who in zip(found, people, strict=True)]
    for part in deal(sessions, 3, 1, {}):
        assert not {p.person for p in part.learn} & {p.person for p in part.judge}
        assert len(part.learn) + len(part.judge) == 4
    with pytest.raises(InputError, match="patient1 would be both learnt from and judged on"):
        Part("fold-0", (sessions[0],), (sessions[1],), 1)


@pytest.mark.parametrize("change", ["validation.every=2", "validation.patience=3"])
def test_weights_are_not_chosen_on_whom_they_are_judged_by(config, settings, change):
    with pytest.raises(ConfigError, match="they would flatter"):
        replace(settings, overrides=(change,))
    given = yaml.safe_load(config.read_text())
    given["data"] |= {"folds": 4, "fold": 1}
    given["validation"] = {"every": 1, "patience": 1}
    watching = settings.folder.parent / "watching.yaml"
    watching.write_text(yaml.safe_dump(given))
    run(replace(settings, config=watching, methods=("network",), quick=True))
    assert len(list(settings.folder.rglob("last.ckpt"))) == 3
    assert not list(settings.folder.rglob("best.ckpt"))


@pytest.mark.parametrize("change", ["run.devices=2", "run.nodes=2"])
def test_several_devices_are_refused_before_anything_is_made(settings, tmp_path, change):
    cache = tmp_path / "prepared"
    several = replace(settings, overrides=(change, f"data.cache={cache}"), methods=("network",))
    with pytest.raises(ConfigError, match=r"trained in one process.*--set run\.devices=1"):
        run(several)
    assert not cache.exists()
    assert not settings.folder.exists()


def test_a_network_that_does_not_take_any_subset_is_refused_before_anything_is_made(settings, tmp_path):
    direct = replace(settings, config=shipped_configurations()["direct/dedis"], methods=("network",))
    with pytest.raises(ConfigError, match="does not take any subset"):
        run(direct)
    assert not settings.folder.exists()


def test_a_test_patient_who_is_a_copy_of_a_training_patient_is_refused(config, settings, tmp_path):
    """Trap 11: the test set copied from training, here under another name."""
    import shutil
    from pathlib import Path

    data = tmp_path / "data"
    shutil.copytree(Path(yaml.safe_load(config.read_text())["data"]["root"]), data)
    shutil.rmtree(data / "patient4")
    shutil.copytree(data / "patient1", data / "patient4")
    leaky = replace(settings, overrides=(f"data.root={data}",))
    with pytest.raises(InputError, match="patient4 would be both learnt from and judged on"):
        run(leaky)


def test_four_contrasts_make_28_pairs():
    assert len(set(any_subset.pairs(*2 * [["T1w", "T1ce", "T2w", "FLAIR"]]))) == 28


def test_every_pair_is_scored_by_every_method_on_every_patient(whole):
    _, outcome = whole
    made = {(r.patient, r.method, r.inputs, r.target) for r in outcome.rows if r.region == "brain"}
    assert len(made) == 5 * 4 * PAIRS
    assert len({(inputs, target) for _, _, inputs, target in made}) == PAIRS
    assert all(target not in inputs.split("+") for _, _, inputs, target in made)
    assert {r.region for r in outcome.rows} == {"brain", "healthy", "lesion"}


def test_a_row_is_the_score_of_what_the_method_made(settings):
    outcome = run(replace(settings, folds=0, methods=("linear",)))
    (part,) = parts(replace(settings, folds=0))
    (patient,) = part.judge
    fitted = settings.baseline("linear").fit([part.case(p) for p in part.learn], ["T1w", "T2w"], "FLAIR")
    made = fitted.predict(part.case(patient))[patient.mask].astype(float)
    truth = patient.volume("FLAIR")[patient.mask].astype(float)
    (row,) = [r for r in outcome.rows if (r.inputs, r.target, r.region) == ("T1w+T2w", "FLAIR", "brain")]
    expected = np.mean((made / made.mean() - truth / truth.mean()) ** 2)
    assert row.nmse == pytest.approx(expected, rel=1e-4)
    assert row.voxels == made.size


def test_an_interrupted_experiment_goes_on_and_ends_with_the_same_rows(settings, tmp_path):
    class StoppedError(Exception):
        pass

    told = []

    def stop(progress):
        told.append(progress)
        if len(told) == 40:
            raise StoppedError

    with pytest.raises(StoppedError):
        run(settings, stop)
    resumed = []
    outcome = run(settings, resumed.append)
    assert len(told) + len(resumed) == 3 * PAIRS * 5
    again = run(replace(settings, folder=tmp_path / "other"))
    assert {r.key for r in outcome.rows} == {r.key for r in again.rows}
    first = {(r.key, r.region): r.nmse for r in outcome.rows}
    assert all(first[r.key, r.region] == pytest.approx(r.nmse, rel=1e-4) for r in again.rows)
    assert run(settings, pytest.fail).rows  # nothing is left to do


def test_rows_of_a_method_whose_settings_changed_are_made_anew_and_the_others_kept(settings):
    run(settings)
    redone = []
    run(replace(settings, seed=7), redone.append)
    assert len(redone) == PAIRS * 5
    assert all("by forest" in progress.message for progress in redone)


def test_a_bundle_is_not_judged_on_a_patient_it_learnt_from(whole, settings):
    given, _ = whole
    bundle = Bundle.open(given.folder / "networks" / "test" / "bundle" / "tiny")
    part = parts(settings)[0]
    with pytest.raises(InputError, match="tiny was trained on patient"):
        any_subset._require_unseen(bundle, part.judge)


def test_a_fold_is_trained_without_its_patients_and_a_given_bundle_is_used_for_test(whole, tmp_path):
    given, outcome = whole
    for fold in range(2):
        bundle = Bundle.open(given.folder / "networks" / f"fold-{fold}" / "bundle" / "tiny")
        learnt = {entry["id"] for entry in bundle.card.training["subjects"]}
        judged = {r.patient for r in outcome.rows if r.part == f"fold-{fold}"}
        assert len(learnt) == len(judged) == 2
        assert not learnt & judged
    bundle = Bundle.open(given.folder / "networks" / "test" / "bundle" / "tiny")
    alone = replace(given, folder=tmp_path, bundle=bundle, folds=0, methods=("network",))
    again = {(r.key, r.region): r.nmse for r in run(alone).rows}
    assert not (tmp_path / "networks").exists()
    for row in outcome.rows:
        if row.part == "test" and row.method == "network":
            assert again[row.key, row.region] == pytest.approx(row.nmse, rel=1e-4)


def test_rows_of_folds_that_are_asked_for_no_longer_are_not_published(settings, tmp_path):
    few = replace(settings, methods=("mean",))
    run(replace(few, folds=4))
    outcome = run(few)
    with write_report(few, outcome, tmp_path)["rows"].open() as file:
        rows = list(csv.DictReader(file))
    assert {row["part"] for row in rows} == {"test", "fold-0", "fold-1"}
    volumes = [(row["patient"], row["inputs"], row["target"], row["region"]) for row in rows]
    assert len(set(volumes)) == len(volumes)


def test_a_session_that_cannot_be_used_is_held_out_with_the_others_of_its_person(config, settings, tmp_path):
    given = yaml.safe_load(config.read_text())
    root = shutil.copytree(given["data"]["root"], tmp_path / "data")
    for number in (0, 1):
        (root / "sub-01").mkdir(exist_ok=True)
        (root / f"patient{number}").rename(root / "sub-01" / f"ses-{number}")
    next((root / "sub-01" / "ses-1").glob("*FLAIR*")).unlink()
    (root / "subjects.tsv").write_text(
        "subject\tsplit\nsub-01/ses-0\ttrain\nsub-01/ses-1\ttrain\n"
        "patient2\ttrain\npatient3\ttrain\npatient4\ttest\n"
    )
    given["data"]["root"] = str(root)
    longitudinal = tmp_path / "longitudinal.yaml"
    longitudinal.write_text(yaml.safe_dump(given))
    outcome = run(replace(settings, config=longitudinal, methods=("network",), quick=True))
    assert [name for name, _ in outcome.skipped] == ["sub-01/ses-1"]


def test_the_report_holds_every_pair_the_bars_and_says_that_a_rehearsal_is_one(whole, tmp_path):
    settings, outcome = whole
    paths = write_report(settings, outcome, tmp_path)
    text = paths["page"].read_text()
    assert "A rehearsal" in text
    assert (
        text.count("| FLAIR | T1w, T2w |") == 2 * 8 + 1
    )  # test and folds; 4 figures, brain and lesion; published
    assert "Lower error than linear regression on all 9 pairs" in text
    assert "At least 15% lower error than the random forest" in text
    assert "Joyce 2017, table 1" in text
    assert "nan" not in text
    assert paths["figure"].read_bytes()[:4] == b"\x89PNG"
    with paths["rows"].open() as file:
        assert len(list(csv.DictReader(file))) == len(outcome.rows)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"methods": ("forrest",)}, "no method 'forrest'"),
        ({"methods": ()}, "no method"),
        ({"folds": 1}, "1 folds"),
        ({"folds": 0, "test": False}, "Neither"),
        ({"every": 0}, "every=0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(config, change, said):
    with pytest.raises(ConfigError, match=said):
        AnySubset(config, **change)


def test_more_folds_than_patients_are_refused(settings):
    with pytest.raises(InputError, match="Only 4 patients"):
        run(replace(settings, folds=9))


def test_by_default_all_four_methods_run(config):
    assert AnySubset(config).methods == METHODS


def test_the_command_on_the_page_makes_the_figures_again_and_names_no_folder_of_this_machine(settings):
    told = command_of(replace(settings, overrides=("optim.steps=5", "data.root=/scans")))
    assert told == (
        "mrsynth experiment any-subset --config config.yaml --set optim.steps=5 --folds 2 "
        "--methods mean,linear,forest"
    )
