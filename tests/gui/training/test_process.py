"""Trainings in real processes: one from its start over a pause to its end, and the ways one can fail."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import yaml

from napari_mrsynth.gui.executor import QtExecutor
from napari_mrsynth.gui.training.process import Ended, QtProcess
from napari_mrsynth.gui.training.session import Mode, TrainingSession
from napari_mrsynth.gui.training.tasks import TrainTask
from napari_mrsynth.gui.training.telling import Phase
from phantoms import brain_study, patient_folder

PATIENT_MS = 240_000


def run(qtbot, arguments, meanwhile=None) -> Ended:
    """Run ``mrsynth`` to its end; `meanwhile` is called with the process once it runs."""
    process, ended = QtProcess(), []
    process.start(arguments, lambda _: None, ended.append)
    if meanwhile is not None:
        meanwhile(process)
    qtbot.waitUntil(lambda: bool(ended), timeout=PATIENT_MS)
    return ended[0]


def test_an_error_comes_back_with_its_message_and_code(qtbot, tmp_path):
    ended = run(qtbot, ("train", "--json", str(tmp_path / "none.yaml")))
    assert ended.exit_code == 2
    assert not ended.crashed
    assert "none.yaml" in ended.report["error"]["message"]
    assert any("none.yaml" in line for line in ended.last_lines)


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_process_that_is_killed_from_outside_is_a_crash(qtbot):
    def kill(process):
        qtbot.waitUntil(lambda: process._process.processId() > 0, timeout=PATIENT_MS)
        os.kill(process._process.processId(), signal.SIGKILL)

    assert run(qtbot, ("doctor", "--json"), kill).crashed


def test_a_program_that_cannot_be_started_is_said(qtbot, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    ended = run(qtbot, ("doctor",))
    assert ended.crashed
    assert ended.last_lines


@pytest.fixture
def task(tmp_path: Path) -> TrainTask:
    """A tiny network on three made-up patients, one held out."""
    for seed, name in enumerate("abc"):
        study = brain_study(("T1w", "T2w"), shape=(16, 18, 14), spacing=(10, 10, 10), seed=seed, name=name)
        patient_folder(tmp_path / "cohort" / name, study)
    names = ["T1w", "T2w"]
    network = {"name": "anysubset", "inputs": names, "outputs": names, "neighbours": 0, "latent": 2}
    widths = {"encoder_widths": [4], "decoder_widths": [4]}
    settings = {
        "system": "anysubset",
        "data": {
            "root": "",
            "contrasts": names,
            "spacing_mm": 10.0,
            "cache": str(tmp_path / "prepared"),
        },
        "network": {**network, **widths},
        "objective": {"subsets": "random"},
        "optim": {"batch": 2, "crop": 16, "warmup": 2},
        "run": {"log_every": 1, "accelerator": "cpu", "threads": 1},
    }
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return TrainTask(
        config=config,
        root=tmp_path / "cohort",
        folder=tmp_path / "home" / "runs" / "tiny",
        id="tiny",
        steps=1000,
        held_out=("c",),
        check_every=500,
        checkpoint_every=10,
    )


def test_a_training_is_paused_resumed_and_its_model_put_on_the_list(qtbot, task, tmp_path):
    session = TrainingSession(QtProcess(), QtExecutor(), home=tmp_path / "home")
    session.choose(Mode.TRAIN)

    def until(*phases: Phase) -> None:
        def there() -> bool:
            session.tick()
            return session.said.phase in (*phases, Phase.FAILED, Phase.DONE)

        qtbot.waitUntil(there, timeout=PATIENT_MS)
        assert session.said.phase in phases, session.said

    session.start(task)
    qtbot.waitUntil(lambda: bool(session.tick() or session.losses), timeout=PATIENT_MS)
    session.pause()
    until(Phase.PAUSED)
    assert session.can_resume
    reached = session.losses[-1][0]
    assert 0 < reached < 999
    session.resume()
    until(Phase.DONE)
    assert [step for step, _ in session.losses] == list(range(1000))
    assert [step for step, _ in session.errors] == [500, 1000]
    assert session.sample == task.folder / "samples" / "step-001000.png"
    assert (tmp_path / "home" / "models" / "tiny" / "card.yaml").is_file()
