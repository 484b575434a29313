"""Trainings that end before their end: killed, cancelled, out of disk, diverged; and how they go on."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_mrsynth.errors import OutputError
from napari_mrsynth.systems.anysubset.module import AnySubsetTraining
from napari_mrsynth.training.checkpoints import DivergedError, step_of
from napari_mrsynth.training.run import export, train

MRSYNTH = (sys.executable, "-c", "import sys; from napari_mrsynth.cli import main; sys.exit(main())")


def losses(folder: Path) -> dict[int, float]:
    with (folder / "log" / "metrics.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len({row["step"] for row in rows}) == len(rows)
    return {int(row["step"]): float(row["loss"]) for row in rows}


def test_a_training_killed_in_the_middle_goes_on_as_if_nothing_had_happened(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    config = written(optim={"steps": 60}, run={"checkpoint_every": 8})
    killed = tmp_path / "killed"
    command = [*MRSYNTH, "train", str(config), "--set", f"run.folder={killed}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "step 30 of 60" in line)
        process.send_signal(signal.SIGKILL)
    assert line
    assert process.returncode == -signal.SIGKILL
    assert 24 <= step_of(killed / "checkpoints" / "last.ckpt") < 60
    assert not (killed / "bundle").exists()
    subprocess.run(command, check=True, capture_output=True)
    train(config, [f"run.folder={tmp_path / 'whole'}"])
    whole, resumed = losses(tmp_path / "whole"), losses(killed)
    assert list(whole) == list(resumed) == list(range(60))
    np.testing.assert_allclose(list(resumed.values()), list(whole.values()), atol=1e-4, rtol=1e-4)


def test_a_cancelled_training_says_so_and_goes_on_later(config: Path) -> None:
    def cancel(progress):
        if "step 3 " in progress.message:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(config, report=cancel)
    assert signal.getsignal(signal.SIGINT) is before
    assert train(config).steps == 6


def test_a_full_disk_ends_the_training_and_keeps_the_last_good_checkpoint(
    config: Path, tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(progress):
        if "step 3 " in progress.message:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, unlimited[1]))

    try:
        with pytest.raises(OutputError, match=r"last\.ckpt.*checkpoint of step 2 is kept"):
            train(config, report=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir()) == ["last.ckpt"]
    assert train(config).steps == 6


def test_a_run_folder_that_becomes_unwritable_is_named(config: Path, tmp_path: Path) -> None:
    def block(progress):
        if "step 1 " in progress.message:
            log = tmp_path / "run" / "log"
            os.rename(log, tmp_path / "log")
            log.write_text("in the way")

    with pytest.raises(OutputError, match=r"run.*cannot be written"):
        train(config, report=block)


def test_a_loss_that_is_no_number_ends_the_training_with_the_last_good_checkpoint(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    config = written(optim={"lr": 1e25, "warmup": 0, "clip": 0.0}, run={"checkpoint_every": 1})
    with pytest.raises(
        DivergedError,
        match=r"The loss is (nan|inf) at step 1\..*another run\.folder.*step 1 is kept.*`mrsynth export`",
    ):
        train(config)
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.isfinite(value).all() for value in state.values())
    assert export(tmp_path / "run").steps == 1


def test_weights_that_are_no_numbers_are_never_kept(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cost, steps = AnySubsetTraining.cost, []

    def with_bad_gradient(self, *batch):
        terms = cost(self, *batch)
        steps.append(terms)
        if len(steps) == 4:  # the root of nothing is nothing, and its slope is not a number
            terms["loss"] = terms["loss"] + (0 * next(self.parameters()).sum()).sqrt()
        return terms

    monkeypatch.setattr(AnySubsetTraining, "cost", with_bad_gradient)
    says = r"weights '.*' are no longer finite after step 4\..*checkpoint of step 2 is kept"
    with pytest.raises(DivergedError, match=says):
        train(config)
