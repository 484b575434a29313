"""Real processes and the ways one can end; and a real training from its start over a pause to its end."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO, TextIOBase
from pathlib import Path

import pytest
import yaml

from napari_mrsynth.cli import main
from napari_mrsynth.gui.training import process as processes
from napari_mrsynth.gui.training.process import Ended, QtProcess
from napari_mrsynth.gui.training.session import Mode, TrainingSession
from napari_mrsynth.gui.training.tasks import TrainTask
from napari_mrsynth.gui.training.telling import Phase
from napari_mrsynth.progress import Progress
from phantoms import brain_study, patient_folder

posix = pytest.mark.skipif(os.name != "posix", reason="there are no signals")
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


@posix
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


HEEDING = """
import json, sys
try:
    print(json.dumps({"fraction": 0.5, "message": "half"}), file=sys.stderr, flush=True)
    sys.stdin.read()
except KeyboardInterrupt:
    print(json.dumps({"put": "in order"}))
    sys.exit(130)
"""
"""A program that says one line and waits for Ctrl-C."""

DEAF = """
import json, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
print(json.dumps({"fraction": 0.5, "message": "half"}), file=sys.stderr, flush=True)
sys.stdin.read()
"""
"""One that does not hear it."""


@posix
@pytest.mark.parametrize(
    ("program", "left"),
    [(HEEDING, Ended(130, report={"put": "in order"})), (DEAF, Ended(signal.SIGKILL, crashed=True))],
    ids=["heeding", "deaf"],
)
def test_an_interrupted_process_puts_its_things_in_order_or_is_ended_by_force(
    qtbot, monkeypatch, program, left
):
    if left.crashed:
        monkeypatch.setattr(processes, "PATIENCE_MS", 1)
    monkeypatch.setattr(processes, "PROGRAM", ("-c", program))
    process, told, ended = QtProcess(), [], []
    process.start((), told.append, ended.append)
    qtbot.waitUntil(lambda: bool(told), timeout=PATIENT_MS)
    assert told == [Progress(0.5, "half")]
    process.interrupt()
    qtbot.waitUntil(lambda: bool(ended), timeout=PATIENT_MS)
    assert ended == [left]


SCRATCHING = """
import json, sys, tempfile
kept = tempfile.mkdtemp()
print(json.dumps({"fraction": 0.5, "message": kept}), file=sys.stderr, flush=True)
sys.stdin.read()
"""
"""One that has put something into a temporary folder, and is ended before it can take it away."""


def test_what_a_process_kept_for_a_while_goes_with_it_however_it_ends(qtbot, monkeypatch):
    monkeypatch.setattr(processes, "PROGRAM", ("-c", SCRATCHING))
    process, told = QtProcess(), []
    process.start((), told.append, lambda _: None)
    qtbot.waitUntil(lambda: bool(told), timeout=PATIENT_MS)
    kept = Path(told[0].message)
    assert kept.is_dir()
    process.kill()
    assert not kept.exists()


class Lines(TextIOBase):
    """Standard error of which each line is told at once."""

    def __init__(self, told):
        self.told = told

    def write(self, text):
        try:
            progress = Progress(**json.loads(text))
        except (ValueError, TypeError):
            return len(text)
        self.told(progress)
        return len(text)


class Here:
    """Runs ``mrsynth`` in this very process, step by step with whoever is told of its progress."""

    def __init__(self):
        self.interrupted = False

    def start(self, arguments, told, ended):
        self.interrupted = False

        def heed(progress):
            told(progress)
            if self.interrupted:
                raise KeyboardInterrupt

        with redirect_stdout(StringIO()) as said, redirect_stderr(Lines(heed)):
            code = main(arguments)
        ended(Ended(code, report=json.loads(said.getvalue())))

    def interrupt(self):
        self.interrupted = True

    def kill(self):
        raise AssertionError("nobody asked for that")


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
        steps=12,
        held_out=("c",),
        check_every=6,
        checkpoint_every=4,
    )


def test_a_training_is_paused_resumed_and_its_model_put_on_the_list(task, tmp_path):
    session = TrainingSession(Here(), home=tmp_path / "home")
    session.choose(Mode.TRAIN)

    def look(said):
        session.tick()
        if said.phase is Phase.RUNNING and said.message.startswith("Step 6 of 12"):
            session.pause()

    session.said_changed.connect(look)
    session.start(task)
    assert session.said.phase is Phase.PAUSED, session.said
    assert session.can_resume
    assert 6 < session.figures.losses[-1][0] < 11
    session.resume()
    assert session.said.phase is Phase.DONE, session.said
    assert [step for step, _ in session.figures.losses] == list(range(12))
    assert [step for step, _ in session.figures.errors] == [6, 12]
    assert session.figures.sample == task.folder / "samples" / "step-000012.png"
    assert (tmp_path / "home" / "models" / "tiny" / "card.yaml").is_file()
