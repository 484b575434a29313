"""A real napari window: from files to a saved NIfTI by clicking real buttons, and cancelling in time."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import napari
import nibabel as nib
import numpy as np
import pytest

from napari_mrsynth.bundles import BundleStore
from napari_mrsynth.errors import OutputError
from napari_mrsynth.gui import commands
from napari_mrsynth.gui.dock import SynthesisDock
from napari_mrsynth.gui.executor import QtExecutor
from napari_mrsynth.gui.layer_data import layer_tuple
from napari_mrsynth.gui.writers import write_image
from napari_mrsynth.imaging import LabelVolume
from napari_mrsynth.session import Parts, State, SynthesisSession
from napari_mrsynth.synthesis import Engine
from phantoms import brain_study, patient_folder
from session.fakes import FakeEngine, parts

pytestmark = pytest.mark.gui


def docked(viewer: napari.Viewer, given: Parts, questions: object = None) -> SynthesisDock:
    dock = SynthesisDock(viewer, SynthesisSession(QtExecutor(), given), questions)
    viewer.window.add_dock_widget(dock, name="Synthesis")
    return dock


class SaveInto:
    """Answers where to save."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folder(self, title: str) -> Path:
        return self._folder


def test_from_files_to_a_saved_nifti_by_clicking(window, qtbot, tiny_models, tmp_path):
    truth = brain_study(codes="LPS", name="p01")
    folder = patient_folder(tmp_path / "p01", truth)
    store = BundleStore([tiny_models])
    given = Parts(store=lambda: store, engine=lambda cache: Engine(store, cache))
    dock = docked(window, given, SaveInto(tmp_path / "out"))

    dock.presenter.open([folder])
    qtbot.waitUntil(lambda: len(window.layers) == 4, timeout=60_000)
    dock.table.rows["FLAIR"].switch.click()
    assert dock.make.boxes["FLAIR"].isChecked()
    qtbot.waitUntil(lambda: "FLAIR (preview)" in window.layers, timeout=60_000)
    dock.run.run.click()
    qtbot.waitUntil(lambda: dock.session.status.state is State.DONE, timeout=60_000)
    made = window.layers["FLAIR (synthetic)"]
    assert "FLAIR (preview)" not in window.layers
    assert window.canvas.overlays["mrsynth_warning"].visible
    dock.run.save.click()
    qtbot.waitUntil(lambda: not dock.session.unsaved, timeout=60_000)

    [path] = (tmp_path / "out").glob("*.nii.gz")
    saved = nib.load(path)
    np.testing.assert_allclose(saved.affine, truth.grid.affine.matrix, atol=1e-4)
    np.testing.assert_array_equal(saved.get_fdata(dtype=np.float32), truth.grid.from_display(made.data))
    assert "SYNTHETIC" in str(saved.header["descrip"])
    assert path.with_name(path.name.removesuffix(".nii.gz") + ".json").is_file()


class Yes:
    """Confirms whatever is asked, and remembers it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def confirm(self, title: str, text: str, action: str) -> bool:
        self.asked.append(text)
        return True


def test_opening_another_patient_from_a_folder_of_the_same_name_asks_and_leaves_nothing(window, qtbot):
    first = brain_study(("T1w", "T2w"), name="MR", lesion=True)
    second = brain_study(("T1w", "T2w"), name="MR", scale=8000, seed=1)
    patients = {"A": parts(first), "B": parts(second)}
    given = replace(patients["A"], read=lambda specs: patients[Path(specs[0]).parent.name].read(specs))
    questions = Yes()
    dock = docked(window, given, questions)
    dock.presenter.open([Path("A/MR")])
    qtbot.waitUntil(lambda: len(window.layers) == 3, timeout=60_000)
    dock.make.boxes["T1ce"].setChecked(False)
    dock.run.run.click()
    qtbot.waitUntil(lambda: "FLAIR (synthetic)" in window.layers, timeout=60_000)
    qtbot.waitUntil(lambda: dock.session.unsaved, timeout=60_000)

    dock.presenter.open([Path("B/MR")])
    assert "has not been saved" in questions.asked[-1]
    qtbot.waitUntil(lambda: not dock.session.busy, timeout=60_000)
    dock.presenter.finish_layers()
    assert {layer.name for layer in window.layers} == {"T1w", "T2w"}
    for contrast in ("T1w", "T2w"):
        shown, scan = window.layers[contrast], second.volume(contrast)
        np.testing.assert_array_equal(shown.data, scan.display)
        assert shown.contrast_limits[1] > 4000


def test_painting_on_the_mask_counts_and_editing_a_scan_fails_loudly(window, qtbot):
    study = brain_study(("T1w", "T1ce", "T2w"))
    dock = docked(window, parts(study))
    dock.presenter.open([Path("anywhere")])
    qtbot.waitUntil(lambda: len(window.layers) == 3, timeout=60_000)
    data, attributes, _ = layer_tuple(LabelVolume(study.mask.array.astype(np.uint8), study.grid, "brain"))
    mask = window.add_labels(data, **attributes)
    dock.load.mask_chosen.emit("brain")
    qtbot.waitUntil(lambda: dock.session.status.state is State.READY, timeout=60_000)
    chosen = dock.session.study.mask
    assert chosen.how == "given: brain"

    mask.selected_label, mask.brush_size = 3, 6
    mask.paint((0, 0, 0), 3)
    dock.run.run.click()
    qtbot.waitUntil(lambda: dock.session.status.state is State.DONE, timeout=60_000)
    painted = dock.session.study.mask.array
    np.testing.assert_array_equal(study.grid.as_display(painted), mask.data > 0)
    assert painted.sum() > chosen.array.sum()

    for name in ("T1w", "FLAIR (synthetic)"):
        with pytest.raises(ValueError, match="read-only"):
            window.layers[name].data[...] = 0
    window.layers["T1w"].data = np.zeros(study.grid.display.shape, np.float32)
    assert "T1w as it was read" in dock.run.message.text()
    dock.presenter.finish_layers()
    np.testing.assert_array_equal(window.layers["T1w"].data, study.volume("T1w").display)


def test_closing_the_dock_asks_nothing_and_leaves_its_layers_to_be_edited_and_saved(window, qtbot, tmp_path):
    questions = Yes()
    dock = docked(window, parts(brain_study(("T1w", "T1ce", "T2w"))), questions)
    dock.presenter.open([Path("anywhere")])
    qtbot.waitUntil(lambda: len(window.layers) == 3, timeout=60_000)
    dock.run.run.click()
    qtbot.waitUntil(lambda: dock.session.unsaved, timeout=60_000)
    with qtbot.waitSignal(dock.destroyed, timeout=10_000):
        window.window.remove_dock_widget(dock)
        dock.deleteLater()
    assert questions.asked == []
    assert {layer.name for layer in window.layers} == {"T1w", "T1ce", "T2w", "FLAIR (synthetic)"}
    window.layers["T1w"].data[...] = 0
    made = window.layers["FLAIR (synthetic)"]
    [path] = write_image(str(tmp_path / "made.nii.gz"), *made.as_layer_data_tuple()[:2])
    assert "SYNTHETIC" in str(nib.load(path).header["descrip"])
    assert "mean" in (tmp_path / "made.json").read_text(encoding="utf-8")


class SlowEngine(FakeEngine):
    """Yields for ever, as long as nobody closes it."""

    def __init__(self) -> None:
        super().__init__(slices=10**9)
        self.let_go = threading.Event()

    def run(self, study, request, first_slice=None):
        try:
            for step in super().run(study, request, first_slice):
                yield step
                self.let_go.wait(0.01)
        finally:
            self.let_go.set()


def test_cancel_lets_the_engine_go_at_once_and_leaves_no_layer(window, qtbot):
    engine = SlowEngine()
    dock = docked(window, parts(brain_study(("T1w", "T1ce", "T2w")), engine))
    dock.presenter.open([Path("anywhere")])
    qtbot.waitUntil(lambda: len(window.layers) == 3, timeout=60_000)
    dock.run.run.click()
    qtbot.waitUntil(lambda: "FLAIR (preview)" in window.layers, timeout=60_000)
    dock.run.cancel.click()
    assert engine.let_go.wait(timeout=0.5), "the engine was not let go in time"
    assert {layer.name for layer in window.layers} == {"T1w", "T1ce", "T2w"}
    assert dock.session.status.state is State.READY


def test_work_runs_beside_the_window(window, qtbot):
    seen = []
    given = parts(brain_study(("T1w", "T2w")))
    read = given.read

    def reading(specs):
        seen.append(threading.current_thread() is threading.main_thread())
        return read(specs)

    dock = docked(window, replace(given, read=reading))
    dock.presenter.open([Path("anywhere")])
    assert dock.session.busy
    assert dock.run.frame.property("state") == "busy"
    qtbot.waitUntil(lambda: len(window.layers) == 2, timeout=60_000)
    assert seen == [False]


def test_the_plugins_dock_opens_from_the_menu_and_lets_go_when_it_is_closed(window, qtbot):
    widget, dock = window.window.add_plugin_dock_widget("napari-mrsynth", "Synthesis")
    assert isinstance(dock, SynthesisDock)
    session = dock.session
    assert session.status.state is State.EMPTY
    with qtbot.waitSignal(dock.destroyed, timeout=10_000):
        window.window.remove_dock_widget(widget)
        dock.deleteLater()
    window.add_image(np.zeros((4, 5, 6)))
    window.dims.ndisplay = 3
    window.theme = "light"
    session.report(OutputError("Nobody hears this."))


def test_synthesise_from_the_layers_menu_opens_the_dock_with_the_layers(window, qtbot):
    for contrast in ("T1w", "T2w"):
        data, attributes, _ = layer_tuple(brain_study((contrast,)).volume(contrast))
        window.add_image(data, **attributes)
    window.layers.selection = set(window.layers)
    commands.synthesise_layers()
    dock = commands.the_dock()
    qtbot.waitUntil(lambda: dock.session.study is not None, timeout=60_000)
    assert dock.session.study.contrasts == ("T1w", "T2w")
