"""A whole training on phantoms: from patient folders to a bundle that synthesises; interrupted, resumed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from napari_mrsynth.bundles import Bundle, Card
from napari_mrsynth.errors import ConfigError, InputError
from napari_mrsynth.gui.training.tasks import is_finished
from napari_mrsynth.systems import load_predictor
from napari_mrsynth.training.config import load_config
from napari_mrsynth.training.run import export, train


def weights(bundle: Path) -> dict[str, torch.Tensor]:
    return Bundle(Card.load(bundle), bundle).state()


def test_a_training_ends_in_a_bundle_that_synthesises(config):
    result = train(config)
    assert result.steps == 6
    card = Card.load(result.bundle)
    assert [subject["id"] for subject in card.training["subjects"]] == ["p0", "p1"]
    assert set(card.results["nmse"]) == {"T1w>T2w", "T2w>T1w"}
    assert np.isfinite(card.results["nmse"]["T1w>T2w"]["p2"])
    predictor = load_predictor(Bundle(card, result.bundle))
    made = predictor.decode({"T1w": predictor.encode("T1w", torch.rand(1, 3, 16, 16))}, ["T2w"])
    assert made["T2w"].shape == (1, 16, 16)


def test_a_card_calls_patients_after_their_scans_but_where_their_names_are_public(config):
    result = train(config, ["card.name_patients=false"])
    text = (result.bundle / "card.yaml").read_text() + (result.bundle / "README.md").read_text()
    assert not [name for name in ("p0", "p1", "p2") if name in text]
    card = Card.load(result.bundle)
    (judge,) = card.results["nmse"]["T1w>T2w"]
    names = [judge, *(subject["id"] for subject in card.training["subjects"])]
    assert all(re.fullmatch("own-[0-9a-f]{8}", name) for name in names)
    assert len(set(names)) == 3
    assert set(result.results["nmse"]["T1w>T2w"]) == {"p2"}  # the user's own figures keep their names


@pytest.mark.parametrize("own", ["CT", "my T1"])
def test_a_contrast_of_the_users_own_trains_and_synthesises_like_the_known_ones(
    written, cohort, tmp_path, own
):
    mine = Path(shutil.copytree(cohort, tmp_path / "mine"))
    for patient in mine.iterdir():
        shutil.copy(patient / f"{patient.name}_T2w.nii.gz", patient / f"{patient.name}_{own}.nii.gz")
    both = ["T1w", own]
    data = {"root": str(mine), "contrasts": both}
    result = train(written(data=data, network={"inputs": both, "outputs": both}))
    assert set(result.results["nmse"]) == {f"T1w>{own}", f"{own}>T1w"}
    predictor = load_predictor(Bundle.open(result.bundle))
    made = predictor.decode({own: predictor.encode(own, torch.rand(1, 3, 16, 16))}, ["T1w"])
    assert made["T1w"].shape == (1, 16, 16)


def test_a_network_that_needs_both_its_inputs_is_watched_measured_and_exported(settings, cohort, tmp_path):
    mine = Path(shutil.copytree(cohort, tmp_path / "mine"))
    for patient in mine.iterdir():
        shutil.copy(patient / f"{patient.name}_T2w.nii.gz", patient / f"{patient.name}_CT.nii.gz")
    settings["system"], settings["objective"] = "direct", {}
    settings["data"] |= {"root": str(mine), "contrasts": ["T1w", "T2w", "CT"]}
    settings["network"] = {"name": "dedis", "inputs": ["T1w", "T2w"], "outputs": ["CT"], "widths": [4, 4]}
    settings["validation"] = {"every": 3}
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(settings))
    result = train(config)
    assert list(result.results["nmse"]) == ["T1w+T2w>CT"]
    assert np.isfinite(result.results["nmse"]["T1w+T2w>CT"]["p2"])
    header, *rows = (result.folder / "log" / "held_out.csv").read_text().splitlines()
    assert header == "step,nmse,T1w+T2w>CT"
    assert len(rows) == 2
    assert export(result.folder, tmp_path / "again").results == result.results


def test_a_training_that_was_interrupted_ends_with_the_same_weights(config, tmp_path):
    whole = train(config, [f"run.folder={tmp_path / 'whole'}"])

    class StopError(Exception):
        pass

    def stop(progress):
        if "step 5 " in progress.message:
            raise StopError

    interrupted = [f"run.folder={tmp_path / 'parts'}"]
    with pytest.raises(StopError):
        train(config, interrupted, report=stop)
    assert not (tmp_path / "parts" / "bundle").exists()
    told = []
    resumed = train(config, interrupted, report=lambda progress: told.append(progress.message))
    assert told[0].startswith("step 5 ")
    first, second = weights(whole.bundle), weights(resumed.bundle)
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-4, atol=1e-5, msg=name)


def test_the_prepared_cache_is_used_again(config, cohort):
    train(config)
    prepared = sorted((cohort.parent / "prepared").glob("*/volumes.npy"))
    times = [path.stat().st_mtime_ns for path in prepared]
    train(config)
    assert [path.stat().st_mtime_ns for path in prepared] == times


def test_a_run_folder_of_another_configuration_is_refused(config):
    train(config)
    with pytest.raises(ConfigError, match=r"optim\.lr"):
        train(config, ["optim.lr=0.5"])


def test_a_resume_with_other_patients_is_refused_and_leaves_the_run_as_it_was(config, cohort, tmp_path):
    def stop(progress):
        if "step 4 " in progress.message:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, report=stop)
    run = Path(load_config(config).run.folder)
    others = shutil.copytree(cohort, tmp_path / "others")
    shutil.rmtree(others / "p0")
    with pytest.raises(InputError, match="began with other patients or scans: p0"):
        train(config, [f"data.root={others}"])
    assert train(run / "config.yaml").steps == 6


def test_no_usable_patient_is_refused(config):
    with pytest.raises(InputError, match="No patient can be used"):
        train(config, ["data.contrasts=[T1w, T2w, CT]"])


def test_the_held_out_figures_are_written_beside_the_log(config):
    result = train(config)
    assert json.loads((result.folder / "held_out.json").read_text()) == result.results
    assert (result.folder / "log" / "metrics.csv").is_file()


def test_a_run_can_be_exported_again_from_its_last_checkpoint(config, tmp_path):
    result = train(config)
    again = export(result.folder, tmp_path / "again")
    first, second = weights(result.bundle), weights(again.bundle)
    assert again.steps == 6
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_that_is_exported_for_a_first_look_has_not_ended(config):
    def stop(progress):
        if "step 4 " in progress.message:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, report=stop)
    run = export(load_config(config).run.folder).folder
    assert not is_finished(run, "tiny")
    train(config)
    assert is_finished(run, "tiny")


def test_a_run_is_exported_from_another_folder_than_it_was_started_in(config, cohort, tmp_path, monkeypatch):
    monkeypatch.chdir(cohort.parent)
    result = train(config, [f"data.root={cohort.name}"])
    monkeypatch.chdir(tmp_path)
    assert export(result.folder, tmp_path / "again").results == result.results


def test_a_folder_without_a_checkpoint_cannot_be_exported(tmp_path):
    with pytest.raises(InputError, match=r"last\.ckpt"):
        export(tmp_path)
