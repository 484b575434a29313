"""A training that starts from a bundle: its weights, its patients, what is new, and what does not fit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lesion_cohort import settings as settled
from lesion_cohort import write_cohort
from napari_mrsynth.bundles import Bundle, Card
from napari_mrsynth.errors import BundleError, ConfigError, InputError
from napari_mrsynth.training.config import load_config
from napari_mrsynth.training.material import gather
from napari_mrsynth.training.run import RunResult, export, train
from napari_mrsynth.training.start import Start

STILL = ["optim.lr=0", "optim.ema=0", "seed=9"]
"""A training that changes nothing but statistics of batches."""
NETWORKS: dict[str, dict[str, Any]] = {
    "anatomy": {
        "inputs": ["T1w", "FLAIR"],
        "size": [24, 24],
        "code": 4,
        "widths": [8, 8],
        "mask_widths": [8, 8],
        "squeeze": 4,
    },
    "direct": {"name": "dedis", "inputs": ["T1w"], "outputs": ["FLAIR"], "widths": [4, 4]},
    "lesion-scans": {"contrasts": ["T1w", "FLAIR"], "classes": [1, 2], "widths": [8]},
    "segmenter": {"inputs": ["T1w", "FLAIR"], "classes": [1, 2], "widths": [8]},
}
SWAPPED = {
    "direct": ("inputs", ["FLAIR"]),
    "lesion-scans": ("contrasts", ["FLAIR", "T1w"]),
    "segmenter": ("classes", [2, 1]),
}


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("labelled"))


@pytest.fixture
def any_system(labelled: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes the configuration of one step of a system."""

    def write(system: str) -> Path:
        plain = settled(system, labelled, tmp_path / "run", network={"name": system, **NETWORKS[system]})
        plain["data"]["held_out"] = []
        if system == "anatomy":
            plain["objective"] = {"classes": [1, 2]}
        plain["optim"] = {"steps": 1, "batch": 2, "crop": 24, "ema": 0.9, "warmup": 1}
        path = tmp_path / f"{system}.yaml"
        path.write_text(yaml.safe_dump(plain), encoding="utf-8")
        return path

    return write


@pytest.fixture
def parent(config: Path, tmp_path: Path) -> Path:
    """A bundle that learnt from p0 and p1."""
    return train(config, ["card.id=parent", f"run.folder={tmp_path / 'first'}"]).bundle


def learnt(bundle: Path) -> dict[str, torch.Tensor]:
    state = Bundle.open(bundle).state()
    return {name: value for name, value in state.items() if "running" not in name and "num_" not in name}


def begun(config: Path, parent: Path, *overrides: str) -> RunResult:
    return train(config, [f"start={parent}", *overrides])


@pytest.mark.parametrize("system", NETWORKS)
def test_every_system_starts_from_the_weights_of_its_bundle(any_system, tmp_path, system):
    config = any_system(system)
    first = train(config)
    second = begun(config, first.bundle, *STILL, f"run.folder={tmp_path / 'second'}")
    scratch = train(config, [*STILL, f"run.folder={tmp_path / 'scratch'}"])
    before, after, without = (learnt(result.bundle) for result in (first, second, scratch))
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not all(torch.equal(before[name], without[name]) for name in before)
    assert second.start == Start.remembered(second.folder)


@pytest.mark.parametrize("system", SWAPPED)
def test_weights_that_know_contrasts_or_classes_by_place_keep_their_order(any_system, tmp_path, system):
    config = any_system(system)
    first = train(config)
    name, other = SWAPPED[system]
    with pytest.raises(ConfigError, match=f"The {name} of the start 'tiny'.*by their places"):
        begun(config, first.bundle, f"network.{name}={other}", f"run.folder={tmp_path / 'other'}")


def test_the_averaged_weights_that_are_exported_start_from_the_bundle_too(config, parent):
    result = begun(config, parent, "optim.lr=0", "optim.ema=0.9", "seed=9")
    before, after = learnt(parent), learnt(result.bundle)
    for name, value in before.items():
        torch.testing.assert_close(value, after[name], msg=name)


def test_the_card_names_the_start_and_keeps_its_patients_and_their_licences(config, parent):
    second = begun(config, parent, "data.held_out=[]", "data.only=p2", "card.data_licences=[ours]")
    card, old = Card.load(second.bundle), Card.load(parent)
    assert card.training["parent"] == {"id": "parent", "weights_sha256": old.weights_sha256}
    assert [subject["id"] for subject in card.training["subjects"]] == ["p0", "p1", "p2"]
    assert card.training["subjects"][0]["volumes"]
    assert card.data_licences[-1] == "ours"
    assert "parent" in (second.bundle / "README.md").read_text(encoding="utf-8")


def test_a_patient_who_is_learnt_from_again_is_listed_once(config, parent):
    card = Card.load(begun(config, parent).bundle)
    assert [subject["id"] for subject in card.training["subjects"]] == ["p0", "p1"]


def test_a_patient_the_start_learnt_from_cannot_be_held_out(config, parent):
    with pytest.raises(InputError, match=r"p1 is held out, but the start parent learnt from the"):
        begun(config, parent, "data.held_out=[p1]")


def test_neither_can_one_of_whom_the_start_knew_other_contrasts_under_another_name(
    config, parent, cohort, tmp_path
):
    for name, other in (("p1", "Jane"), ("p2", "Joe")):
        folder = tmp_path / "again" / other
        folder.mkdir(parents=True)
        for contrast in ("T1w", "T2w"):
            shutil.copyfile(
                cohort / name / f"{name}_{contrast}.nii.gz", folder / f"{other}_{contrast}.nii.gz"
            )
    changed = [f"data.root={tmp_path / 'again'}", "data.held_out=[Jane]"]
    with pytest.raises(ConfigError, match=r"encoders\.of_T2w, which the network lacks"):
        begun(config, parent, *changed, "network.inputs=[T1w]", "network.outputs=[T2w]")
    changed.append("data.contrasts=[T1w]")
    card = Card.load(parent)
    start = Start(card.id, card.weights_sha256, tuple(card.training["subjects"]))
    material = gather(load_config(config, changed).data)
    with pytest.raises(InputError, match=r"Jane is held out.*from the T1w \(as p1\)"):
        start.refuse_learnt(material.held_out)


def test_parts_that_the_bundle_lacks_start_at_random_and_are_listed(config, parent, tmp_path):
    told: list[str] = []
    overrides = [f"start={parent}", "network.aligned=true", *STILL]
    result = train(config, overrides, lambda progress: told.append(progress.message))
    kept = json.loads((result.folder / "start.json").read_text(encoding="utf-8"))
    assert kept["new"]
    assert all(name.startswith("aligner.") for name in kept["new"])
    assert kept["id"] == "parent"
    assert any(message.startswith("started from parent; new: aligner.") for message in told)
    before, after = learnt(parent), learnt(result.bundle)
    assert set(after) - set(before) == set(kept["new"])
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_parts_of_another_shape_are_refused_with_both_sizes(config, parent, tmp_path):
    with pytest.raises(ConfigError, match=r" is \d+x\d+x\d+x\d+ there, \d+x.* here") as raised:
        begun(config, parent, "network.latent=3")
    assert str(parent / "card.yaml") in raised.value.hint
    assert not (tmp_path / "run").exists()


def test_a_start_of_other_classes_is_taken_as_far_as_it_fits_when_that_is_asked_for(any_system, tmp_path):
    parent = train(any_system("segmenter"), [f"run.folder={tmp_path / 'first'}"]).bundle
    other = ["network.classes=[1, 2, 3]", f"start={parent}", "optim.lr=1.0e-12"]
    with pytest.raises(ConfigError, match="another shape") as raised:
        train(any_system("segmenter"), other)
    assert "start_fitting" in raised.value.hint
    result = train(any_system("segmenter"), [*other, "start_fitting=true"])
    new = set(json.loads((result.folder / "start.json").read_text(encoding="utf-8"))["new"])
    before, after = learnt(parent), learnt(result.bundle)
    assert {name for name in before if before[name].shape != after[name].shape} == new != set()
    assert all(torch.allclose(before[name], after[name]) for name in set(before) - new)


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_batch_normalisations_keep_the_statistics_of_the_start(any_system, tmp_path, frozen):
    parent = train(any_system("segmenter"), [f"run.folder={tmp_path / 'first'}"]).bundle
    overrides = [f"start={parent}", f"optim.freeze_norms={str(frozen).lower()}"]
    child = train(any_system("segmenter"), overrides).bundle
    before, after = Bundle.open(parent).state(), Bundle.open(child).state()
    counted = [name for name in before if "running" in name]
    assert counted
    assert all(torch.equal(before[name], after[name]) for name in counted) is frozen
    assert any(not torch.equal(before[name], after[name]) for name in set(before) - set(counted))


def test_a_bundle_of_another_system_and_one_that_is_not_there_are_refused(config, any_system, tmp_path):
    segmenter = train(any_system("segmenter"), [f"run.folder={tmp_path / 'first'}"])
    with pytest.raises(ConfigError, match="'tiny' is of the system 'segmenter'"):
        begun(config, segmenter.bundle)
    with pytest.raises(BundleError, match="no-such-model"):
        train(config, ["start=no-such-model"])
    assert not (tmp_path / "run").exists()


def test_a_run_that_started_from_a_bundle_is_resumed_without_it(config, parent, tmp_path):
    whole = begun(config, parent, f"run.folder={tmp_path / 'whole'}")

    class StopError(Exception):
        pass

    def stop(progress):
        if "step 5 " in progress.message:
            raise StopError

    parts = [f"start={parent}", f"run.folder={tmp_path / 'parts'}"]
    with pytest.raises(StopError):
        train(config, parts, report=stop)
    shutil.move(parent, tmp_path / "elsewhere")
    resumed = train(config, parts)
    first, second = (Bundle.open(result.bundle).state() for result in (whole, resumed))
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=1e-4, atol=1e-5, msg=name)
    again = export(tmp_path / "parts", tmp_path / "again")
    assert Card.load(again.bundle).training["parent"] == Card.load(whole.bundle).training["parent"]
    with pytest.raises(ConfigError, match="another start"):
        train(config, [f"run.folder={tmp_path / 'parts'}"])


def test_other_voxels_and_another_normalisation_are_said(config, parent):
    result = begun(config, parent, "data.spacing_mm=6")
    assert result.start is not None
    assert result.start.notes == ("its voxels are 5 mm, here 6 mm",)
