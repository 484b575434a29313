"""From scans to a synthesis by the user's own model: both docks in a real window, a real training process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import napari
import numpy as np
import pytest

from gui.conftest import write_tiny_model
from gui.training.fakes import Answers
from napari_mrsynth.bundles import Card
from napari_mrsynth.gui.layer_data import Tag
from napari_mrsynth.gui.training.telling import Phase
from napari_mrsynth.session import State
from phantoms import brain_study, patient_folder

PATIENT_MS = 240_000


@pytest.fixture
def window(qtbot) -> Iterator[napari.Viewer]:
    viewer = napari.Viewer(show=False)  # painting it all the while would take longer than all the rest
    yield viewer
    viewer.close()


@pytest.fixture
def models(tmp_path) -> Path:
    """A folder with a tiny model of two contrasts, which a few steps make better."""
    return write_tiny_model(tmp_path / "models", ("T1w", "FLAIR"), spacing_mm=8.0, seed=3)


@pytest.fixture
def home(window, tmp_path, models, monkeypatch) -> Path:
    """The user's data folder, for this process and those it starts; the tiny model is installed."""
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("MRSYNTH_MODELS", str(models))
    return tmp_path / "XDG_DATA_HOME" / "napari-mrsynth"


@pytest.mark.gui
def test_a_model_fine_tuned_in_the_dock_is_offered_and_used_by_the_synthesis_dock(
    window, home, qtbot, tmp_path, models
):
    folders = [
        patient_folder(
            tmp_path / name,
            brain_study(
                ("T1w", "FLAIR"),
                shape=(18, 22, 12),
                spacing=(8, 8, 8),
                seed=seed,
                name=name,
                scale=300 + 50 * seed,
            ),
        )
        for seed, name in enumerate("abc")
    ]
    _, synthesis = window.window.add_plugin_dock_widget("napari-mrsynth", "Synthesis")
    _, training = window.window.add_plugin_dock_widget("napari-mrsynth", "Training")
    answers = training.presenter.questions = Answers()
    assert synthesis.model.model.findData("mine") == -1

    for folder in folders[:2]:
        answers.chosen = folder
        training.tune.add.click()
        qtbot.waitUntil(lambda: not training.session.busy, timeout=PATIENT_MS)
    training.tune.model.setCurrentIndex(training.tune.model.findData("tiny"))
    training.tune.steps.setValue(10)
    training.tune.name.setText("mine")
    training.controls.start.click()
    qtbot.waitUntil(lambda: not training.session.busy, timeout=PATIENT_MS)
    assert training.session.said.phase is Phase.DONE, training.session.said
    assert training.result.rowCount() == 3  # the mean and two pairs
    assert not training.sample.isHidden()
    card = Card.load(home / "models" / "mine")
    assert card.training["parent"]["id"] == "tiny"

    index = synthesis.model.model.findData("mine")
    assert index > 0
    synthesis.model.model.setCurrentIndex(index)
    synthesis.model.model.activated.emit(index)
    synthesis.presenter.open([folders[2]])
    qtbot.waitUntil(lambda: not synthesis.session.busy and len(window.layers) == 2, timeout=PATIENT_MS)
    synthesis.table.rows["FLAIR"].switch.click()
    synthesis.run.run.click()
    qtbot.waitUntil(lambda: synthesis.session.status.state is State.DONE, timeout=PATIENT_MS)
    made = window.layers["FLAIR (synthetic)"]
    tag = Tag.of(made.metadata)
    assert tag is not None
    assert tag.provenance is not None
    assert tag.provenance["bundle"]["id"] == "mine"
    assert tag.provenance["bundle"]["weights_sha256"] == card.weights_sha256
    assert card.weights_sha256 != Card.load(models / "tiny").weights_sha256
    assert np.isfinite(made.data).all()
