"""The last synthesis is opened up on the slice that is shown, and shown as a marked layer."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bad.models import tiny_model
from napari_mrsynth.bundles import BundleStore
from napari_mrsynth.gui.adapter import ViewerAdapter
from napari_mrsynth.gui.compare.inside_panel import InsidePanel, InsidePresenter
from napari_mrsynth.gui.marking import is_synthetic
from napari_mrsynth.gui.writers import write_image
from napari_mrsynth.io import read_image
from napari_mrsynth.session import Parts, SynthesisSession
from napari_mrsynth.session.job import ImmediateExecutor
from napari_mrsynth.synthesis import Engine
from phantoms import brain_study
from session.fakes import HandExecutor


@pytest.fixture
def synthesised(viewer, tmp_path):
    """A session that has made FLAIR from T1w and T2w, its study in the viewer."""
    store = BundleStore([tiny_model(tmp_path).parent])
    parts = Parts(store=lambda: store, engine=lambda cache: Engine(store, cache))
    session = SynthesisSession(ImmediateExecutor(), parts)
    study = brain_study(("T1w", "T2w"), shape=(20, 24, 18), spacing=(8.0, 8.0, 8.0))
    session.add([study.volume("T1w"), study.volume("T2w")])
    session.want("FLAIR", True)
    ViewerAdapter(viewer).show_study(session.study)
    session.synthesise()
    assert session.result is not None
    return session


def test_decodings_and_latents_are_shown_as_one_marked_layer(qtbot, viewer, synthesised):
    panel = InsidePanel()
    qtbot.addWidget(panel)
    presenter = InsidePresenter(panel, viewer, ImmediateExecutor(), lambda: synthesised)
    before = len(viewer.layers)
    panel.open.click()
    names = [panel.sheets.itemText(row) for row in range(panel.sheets.count())]
    wanted = [f"{contrast} from each input alone" for contrast in synthesised.result.request.wanted]
    assert names == [*wanted, "Latent of T1w", "Latent of T2w", "Fused latent", "Source map"]
    assert all(name in panel.said.text() for name in ("T1w", "T2w", "all inputs"))
    assert len(viewer.layers) == before + 1
    layer = viewer.layers[-1]
    assert is_synthetic(layer)
    height, width = synthesised.study.grid.display.shape[1:]
    assert layer.data.shape == (1, height, 3 * width)
    panel.sheet_chosen.emit(names.index("Fused latent"))
    assert len(viewer.layers) == before + 1
    assert layer.name == "Fused latent (synthetic)"
    assert np.isfinite(layer.data).all()
    assert layer.data.any()
    panel.sheet_chosen.emit(names.index("Source map"))
    assert panel.said.text() == "Source map: 1 T1w, 2 T2w."
    assert set(np.unique(layer.data)) <= {0, 1, 2}
    presenter.let_go()


def test_what_is_shown_is_saved_with_its_whole_record(qtbot, viewer, synthesised, tmp_path):
    panel = InsidePanel()
    qtbot.addWidget(panel)
    presenter = InsidePresenter(panel, viewer, ImmediateExecutor(), lambda: synthesised)
    panel.open.click()
    panel.sheet_chosen.emit(panel.sheets.findText("Latent of T1w"))
    layer = viewer.layers[-1]
    [path] = write_image(str(tmp_path / "seen.nii.gz"), layer.data, layer.as_layer_data_tuple()[1])
    np.testing.assert_array_equal(read_image(path).array, layer.data)
    told = json.loads((tmp_path / "seen.json").read_text())
    assert told["Provenance"]["contrast"] == "Latent of T1w"
    assert told["Provenance"]["bundle"]["id"] == "tiny"
    presenter.let_go()


@pytest.mark.parametrize("change", ["synthesise", "close"])
def test_what_was_opened_up_goes_with_the_result_it_belongs_to(qtbot, viewer, synthesised, change):
    panel = InsidePanel()
    qtbot.addWidget(panel)
    presenter = InsidePresenter(panel, viewer, ImmediateExecutor(), lambda: synthesised)
    panel.open.click()
    layer = viewer.layers[-1]
    synthesised.switch("T2w", False)
    synthesised.switch("T2w", True)
    assert layer in viewer.layers
    getattr(synthesised, change)()
    assert layer not in viewer.layers
    assert panel.sheets.count() == 0
    assert not panel.sheets.isEnabled()
    panel.sheet_chosen.emit(0)
    assert not any(is_synthetic(each) for each in viewer.layers)
    presenter.let_go()


def test_a_slice_that_was_opened_up_too_late_is_not_shown(qtbot, viewer, synthesised):
    executor = HandExecutor()
    panel = InsidePanel()
    qtbot.addWidget(panel)
    presenter = InsidePresenter(panel, viewer, executor, lambda: synthesised)
    before = list(viewer.layers)
    panel.open.click()
    synthesised.synthesise()
    executor.finish()
    assert list(viewer.layers) == before
    panel.open.click()
    executor.finish()
    assert len(viewer.layers) == len(before) + 1
    presenter.let_go()


def test_without_a_synthesis_it_says_what_to_do(qtbot, viewer):
    panel = InsidePanel()
    qtbot.addWidget(panel)
    presenter = InsidePresenter(panel, viewer, ImmediateExecutor(), lambda: None)
    panel.open.click()
    assert "Synthesis dock" in panel.said.text()
    assert not panel.sheets.isEnabled()
    presenter.let_go()
