"""A training watched on held-out patients: figures, best checkpoint, early stop, pictures, resuming."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from napari_mrsynth.bundles import Card
from napari_mrsynth.training import samples
from napari_mrsynth.training.checkpoints import step_of
from napari_mrsynth.training.config import DataConfig, load_config
from napari_mrsynth.training.material import gather
from napari_mrsynth.training.run import export, train
from napari_mrsynth.training.validation import HeldOutCheck, few_pairs, thinned


def held_out(folder: Path) -> dict[int, float]:
    with (folder / "log" / "held_out.csv").open(newline="") as lines:
        return {int(row["step"]): float(row["nmse"]) for row in csv.DictReader(lines)}


@pytest.fixture
def patient(cohort: Path):
    data = DataConfig(
        str(cohort), contrasts=("T1w", "T2w"), spacing_mm=5.0, cache=str(cohort.parent / "prepared")
    )
    return gather(data).patients[0]


def test_a_check_looks_at_every_kth_slice_of_the_brain(patient):
    whole = np.flatnonzero(patient.mask.any(axis=(1, 2)))
    thin = np.flatnonzero(thinned(patient, 4).mask.any(axis=(1, 2)))
    assert set(thin) < set(whole)
    assert set(np.diff(thin)) == {4}
    assert np.array_equal(thinned(patient, 1).mask, patient.mask)


def test_a_check_makes_every_output_from_all_others_and_from_one():
    pairs = few_pairs(("T1w", "T2w", "FLAIR"), ("T1w", "FLAIR"))
    assert pairs == [
        (("T2w", "FLAIR"), "T1w"),
        (("T2w",), "T1w"),
        (("T1w", "T2w"), "FLAIR"),
        (("T2w",), "FLAIR"),
    ]
    assert few_pairs(("T1w",), ("T1w", "CT")) == [(("T1w",), "CT")]


def test_a_check_of_a_network_that_needs_all_its_inputs_tries_none_alone():
    assert few_pairs(("T1w", "T2w"), ("FLAIR", "CT"), needs_all=True) == [
        (("T1w", "T2w"), "FLAIR"),
        (("T1w", "T2w"), "CT"),
    ]


@pytest.mark.parametrize(
    ("held", "shown"), [([], "p0, learnt from, step 4"), (["p2"], "p2, held out, step 4")]
)
def test_example_slices_are_drawn_without_checks_too(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, held: list[str], shown: str
):
    titles: list[str] = []
    draw = samples.montage
    monkeypatch.setattr(
        samples, "montage", lambda path, rows, title: (titles.append(title), draw(path, rows, title))
    )
    config = written(data={"held_out": held}, optim={"steps": 5}, run={"samples_every": 2, "measure": False})
    folder = train(config).folder
    assert [path.name for path in sorted((folder / "samples").iterdir())] == [
        "step-000002.png",
        "step-000004.png",
        "step-000005.png",
    ]
    assert titles[1] == shown
    with Image.open(folder / "samples" / "step-000002.png") as picture:
        assert picture.getpixel((0, 0))[:3] == (0, 0, 0)  # on black, as the scans in the window


def test_a_network_that_makes_nothing_from_others_is_not_drawn(patient, tmp_path: Path):
    from napari_mrsynth.systems.lesiongan.scans.network import ScansNetwork

    alone = ScansNetwork(contrasts=("T1w",), classes=(1,))
    samples.draw_sample(tmp_path / "none.png", "lesion-scans", alone, patient, "")
    assert not (tmp_path / "none.png").exists()


def test_checks_draw_the_only_pictures_where_they_are_made(written: Callable[..., Path]):
    config = written(validation={"every": 3}, run={"samples_every": 1, "measure": False})
    folder = train(config).folder
    assert len(list((folder / "samples").iterdir())) == 2


def test_checks_are_made_on_time_and_the_best_network_is_exported(written: Callable[..., Path]):
    config = written(validation={"every": 2, "slices": 2}, optim={"steps": 7, "lr": 0.01})
    result = train(config)
    errors = held_out(result.folder)
    assert list(errors) == [2, 4, 6, 7]
    best = min(errors, key=errors.__getitem__)
    assert step_of(result.folder / "checkpoints" / "best.ckpt") == best == result.exported
    assert Card.load(result.bundle).training["steps"] == best
    assert export(result.folder).exported == best


def test_watching_does_not_change_the_training(written: Callable[..., Path], tmp_path: Path):
    watched = train(written(validation={"every": 1}), [f"run.folder={tmp_path / 'watched'}"])
    alone = train(written(validation={"every": 0}), [f"run.folder={tmp_path / 'alone'}"])
    first, second = (
        torch.load(r.folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for r in (watched, alone)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not (alone.folder / "log" / "held_out.csv").exists()


def test_a_training_that_no_longer_improves_stops_and_stays_stopped(written: Callable[..., Path]):
    config = written(
        validation={"every": 2, "patience": 2, "images": False},
        optim={"steps": 40, "lr": 0.0, "ema": 0.0, "weight_decay": 0.0},
        network={"norm": False},
    )
    result = train(config)
    assert list(held_out(result.folder)) == [2, 4, 6]  # never better than the first
    assert (result.steps, result.exported) == (6, 2)
    assert train(config).steps == 6


def test_a_check_that_measured_nothing_does_not_use_up_the_patience(patient, written, tmp_path):
    class Empty(HeldOutCheck):
        def errors(self, network):
            return {}

    config = load_config(written(validation={"every": 1, "patience": 1, "images": False}))
    trainer = SimpleNamespace(
        global_step=1,
        max_steps=9,
        is_global_zero=True,
        should_stop=False,
        loggers=[],
        strategy=SimpleNamespace(broadcast=lambda value: value),
    )
    check = Empty([patient], config, tmp_path)
    check.after_step(trainer, torch.nn.Identity())
    assert not trainer.should_stop


def test_a_watched_training_that_was_interrupted_ends_with_the_same_figures(
    written: Callable[..., Path], tmp_path: Path
):
    config = written(validation={"every": 2, "patience": 50}, run={"checkpoint_every": 3})
    train(config, [f"run.folder={tmp_path / 'whole'}"])

    def stop(progress):
        if "step 5 " in progress.message:
            raise KeyboardInterrupt

    parts = [f"run.folder={tmp_path / 'parts'}"]
    with pytest.raises(KeyboardInterrupt):
        train(config, parts, report=stop)
    assert list(held_out(tmp_path / "parts")) == [2, 4]
    train(config, parts)
    whole, resumed = held_out(tmp_path / "whole"), held_out(tmp_path / "parts")
    assert list(resumed) == [2, 4, 6]
    np.testing.assert_allclose(list(resumed.values()), list(whole.values()), rtol=1e-4)


def test_the_count_of_checks_without_progress_survives_in_a_checkpoint(
    written: Callable[..., Path], tmp_path
):
    from napari_mrsynth.training.config import load_config

    config = load_config(written(validation={"every": 1, "patience": 3}))
    check = HeldOutCheck([], config, tmp_path)
    check.best, check.since = 0.5, 3
    again = HeldOutCheck([], config, tmp_path)
    again.load_state_dict(check.state_dict())
    assert again.exhausted
    assert again.best == 0.5


def test_every_check_draws_what_went_in_what_was_made_and_what_is_true(written: Callable[..., Path]):
    folder = train(written(validation={"every": 3})).folder
    pictures = sorted((folder / "samples").iterdir())
    assert [path.name for path in pictures] == ["step-000003.png", "step-000006.png"]
    with Image.open(pictures[0]) as picture:
        assert np.asarray(picture.convert("L")).std() > 10
