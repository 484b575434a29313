"""The “Training” dock in a real window: opened from the menu, closed while it runs, its model used."""

from __future__ import annotations

import shutil

import pytest

from gui.training.fakes import Answers, FakeProcess
from napari_mrsynth.gui.training.dock import TrainingDock
from napari_mrsynth.gui.training.process import Ended
from napari_mrsynth.gui.training.session import TrainingSession
from napari_mrsynth.gui.training.telling import Phase
from phantoms import brain_study, patient_folder

NAME = "Training (MR synthesis)"


@pytest.fixture
def running(window, tmp_path, tiny_models, monkeypatch) -> tuple[TrainingDock, FakeProcess, Answers]:
    """A dock in the window whose fine-tuning runs."""
    monkeypatch.setattr("napari_mrsynth.bundles.store.default_roots", lambda: (tmp_path / "m", tiny_models))
    study = brain_study(("T1w", "T2w"), shape=(12, 14, 10), spacing=(12, 12, 12), name="a")
    process, answers = FakeProcess(), Answers(patient_folder(tmp_path / "a", study))
    dock = TrainingDock(window, TrainingSession(process, home=tmp_path), answers)
    window.window.add_dock_widget(dock, name=NAME)
    dock.tune.add.click()
    dock.controls.start.click()
    assert dock.session.running
    return dock, process, answers


@pytest.mark.gui
def test_the_dock_opens_from_the_menu(window):
    _, dock = window.window.add_plugin_dock_widget("napari-mrsynth", "Training")
    assert isinstance(dock, TrainingDock)
    assert dock.session.said.phase is Phase.EMPTY


@pytest.mark.gui
def test_a_dock_that_is_closed_while_it_runs_comes_back_unless_the_user_lets_it_go(window, running, qtbot):
    dock, process, answers = running
    window.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: bool(answers.asked) and dock.isVisible(), timeout=10_000)
    assert window.window.dock_widgets[NAME] is dock
    assert dock.session.running
    answers.leave = True
    window.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: process.killed == 1, timeout=10_000)
    assert NAME not in window.window.dock_widgets


@pytest.mark.gui
def test_the_window_is_not_closed_while_it_runs_unless_the_user_lets_it_go(window, running, qtbot):
    dock, process, answers = running
    assert not dock.window().close()
    assert dock.isVisible()
    assert not process.killed
    answers.leave = True
    window.close()
    qtbot.waitUntil(lambda: process.killed > 0, timeout=10_000)


@pytest.mark.gui
def test_a_window_that_napari_keeps_open_after_all_keeps_its_training(running, qtbot, monkeypatch):
    dock, process, answers = running
    answers.leave = True
    window = dock.window()
    monkeypatch.setattr(type(window), "closeEvent", lambda _, event: event.ignore())  # “Cancel” in its dialog
    window.close()
    window.close()
    assert len(answers.asked) == 1
    qtbot.waitUntil(lambda: not dock._let_go, timeout=10_000)
    assert not process.killed
    assert dock.session.running


@pytest.mark.gui
def test_a_new_model_appears_in_the_synthesis_dock(window, running, tmp_path, tiny_models):
    _, process, _ = running
    _, synthesis = window.window.add_plugin_dock_widget("napari-mrsynth", "Synthesis")
    before = synthesis.model.model.count()
    shutil.copytree(tiny_models / "tiny", tmp_path / "m" / "mine")
    card = tmp_path / "m" / "mine" / "card.yaml"
    card.write_text(card.read_text().replace("id: tiny", "id: mine"))
    report = {
        "bundle": str(card.parent),
        "rolled_back": False,
        "kept_aside": "the patient a",
        "nmse": {"before": {}, "after": {}, "mean_before": 0.2, "mean_after": 0.1},
        "seconds": 1.0,
        "notes": [],
    }
    process.end(Ended(0, report=report))
    assert synthesis.model.model.count() == before + 1
    assert synthesis.model.model.findData("mine") > 0
