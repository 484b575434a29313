"""The “Structure maps” dock with a viewer that has no window: choices, preview, keeping, saving, refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image

from lesion_models import lesion_models
from napari_mrsynth.bundles import BundleStore
from napari_mrsynth.generation import RandomAnatomy, anatomy_bundle
from napari_mrsynth.gui import scene
from napari_mrsynth.gui.layer_data import layer_tuple
from napari_mrsynth.gui.preferences import Preferences
from napari_mrsynth.gui.questions import Placement
from napari_mrsynth.gui.structure import presenter
from napari_mrsynth.gui.structure.dock import StructureDock
from napari_mrsynth.gui.structure.layers import slab_of
from napari_mrsynth.gui.structure.session import StructureSession
from napari_mrsynth.imaging import LabelVolume, Source
from napari_mrsynth.io import read_image
from napari_mrsynth.session import State
from napari_mrsynth.structure import StructureSettings, default_beta, map_plane
from phantoms import affine_of, lesion_labels, phantom
from session.fakes import HandExecutor

SHAPE = (36, 44, 32)
AFFINE = affine_of(SHAPE, codes="LPS", tilt_deg=(4, 0, 0))


class Answers:
    """Prepared answers."""

    def __init__(self, target: Path | None = None, placed: Placement | None = None) -> None:
        self._target, self._placed = target, placed
        self.asked: list[str] = []

    def target(self, title: str, suggested: str) -> Path | None:
        self.asked.append(suggested)
        return self._target

    def placement(self, name, shape, scale, reference) -> Placement | None:
        self.asked.append(name)
        return self._placed


@pytest.fixture
def scan():
    return phantom(SHAPE, AFFINE, "FLAIR", lesion=True, noise=0.02)


@pytest.fixture
def make(qtbot, viewer):
    def build(*images, executor=None, answers=None, store=None) -> StructureDock:
        for image in images:
            data, attributes, kind = layer_tuple(image)
            getattr(viewer, f"add_{kind}")(data, **attributes)
        dock = StructureDock(viewer, StructureSession(executor, store), answers or Answers())
        qtbot.addWidget(dock)
        return dock

    return build


def preview(dock: StructureDock) -> np.ndarray | None:
    """The preview that is shown, after the moment it waits for."""
    dock.presenter._soon.stop()
    dock.presenter._preview()
    layers = dock.presenter.layers.viewer.layers
    shown = [layer for layer in layers if layer.name == "structure (preview)" and layer.visible]
    return np.asarray(shown[0].data[0]) if shown else None


def test_without_a_scan_it_says_what_to_do_and_offers_nothing_dead(make):
    dock = make()
    assert dock.session.status.state is State.EMPTY
    assert not dock.run.run.isEnabled()
    assert not dock.run.save.isEnabled()
    assert preview(dock) is None


def test_the_visible_scan_is_chosen_with_its_contrasts_threshold(make, scan):
    dock = make(scan)
    assert dock.panel.scan.currentData() == "FLAIR"
    assert dock.session.settings.beta == default_beta("FLAIR")
    assert dock.panel.beta.value() == pytest.approx(default_beta("FLAIR"))
    assert dock.session.status.state is State.READY


def test_the_preview_is_the_displayed_slice_with_the_bits_of_the_library(make, viewer, scan):
    dock = make(scan)
    for index in (9, 20):
        z = viewer.layers["FLAIR"].data_to_world((index, 0, 0))[0]
        viewer.dims.set_point(0, z)
        wanted, _ = map_plane(scan, index, dock.session.settings)
        np.testing.assert_array_equal(preview(dock), wanted)
        layer = viewer.layers["structure (preview)"]
        under = viewer.layers["FLAIR"]
        np.testing.assert_allclose(layer.scale, under.scale)
        np.testing.assert_allclose(layer.data_to_world((0, 3, 5)), under.data_to_world((index, 3, 5)))


def test_each_slider_changes_the_preview_and_the_selection_stays_the_users(make, viewer, scan):
    dock = make(scan)
    viewer.layers.selection.active = viewer.layers["FLAIR"]
    before = preview(dock)
    for slider, value in ((dock.panel.beta, 0.15), (dock.panel.blur, 3.0), (dock.panel.expand, 0)):
        slider.setValue(value)
        after = preview(dock)
        assert not np.array_equal(before, after), value
        before = after
    assert dock.session.settings == StructureSettings(0.15, 3.0, 0)
    assert viewer.layers.selection.active is viewer.layers["FLAIR"]
    dock.panel.usual.click()
    assert dock.session.settings.beta == default_beta("FLAIR")


def test_the_brain_mask_can_be_laid_over(make, viewer, scan):
    dock = make(scan)
    preview(dock)
    assert "brain mask (preview)" not in viewer.layers
    dock.panel.brain.setChecked(True)
    preview(dock)
    assert viewer.layers["brain mask (preview)"].data.any()
    dock.panel.brain.setChecked(False)
    preview(dock)
    assert not viewer.layers["brain mask (preview)"].visible


def test_lesions_of_a_labels_layer_are_left_out_also_from_another_grid(make, viewer, scan):
    other = (50, 60, 40)
    dock = make(scan, lesion_labels(other, affine_of(other, (3, 3, 3.5), "RAS")))
    z = scan.grid.display.affine.apply((np.array(scan.grid.display.shape) - 1) / 2)[2] + 16.0
    viewer.dims.set_point(0, z)
    before = preview(dock)
    dock.panel.lesions_chosen.emit("lesions")
    assert "nearest voxels" in dock.session.status.hint
    after = preview(dock)
    assert (after <= before).all()
    assert after.sum() < before.sum()
    dock.panel.lesions_chosen.emit("")
    np.testing.assert_array_equal(preview(dock), before)


def test_a_kept_map_is_the_users_layer_on_the_scans_grid_and_is_saved_with_its_provenance(
    make, viewer, scan, tmp_path
):
    answers = Answers(tmp_path / "mine.nii.gz")
    dock = make(scan, answers=answers)
    dock.panel.brain.setChecked(True)
    dock.run.run.click()
    assert dock.session.status.state is State.DONE
    layer = viewer.layers["structure map of FLAIR"]
    assert "brain mask of FLAIR" in viewer.layers
    assert "structure (preview)" not in viewer.layers
    dock.run.save.click()
    assert answers.asked == ["structure_map_of_FLAIR.nii.gz"]
    saved = read_image(tmp_path / "mine.nii.gz", kind="labels")
    assert saved.grid.same_as(scan.grid)
    np.testing.assert_array_equal(saved.display, layer.data)
    assert (tmp_path / "mine.json").is_file()


def test_after_keeping_the_preview_comes_back_with_the_next_change_and_hides_the_kept_map(make, viewer, scan):
    dock = make(scan)
    dock.run.run.click()
    viewer.dims.set_point(0, 0.0)
    assert not dock.presenter._soon.isActive()
    dock.panel.beta.setValue(0.02)
    assert preview(dock) is not None
    assert not viewer.layers["structure map of FLAIR"].visible


def test_outside_the_axial_view_there_is_no_preview_and_the_switch_says_why(make, viewer, scan):
    dock = make(scan)
    assert preview(dock) is not None
    scene.look_at(viewer, scene.Plane.CORONAL)
    assert preview(dock) is None
    assert "axial" in dock.run.live.text()
    scene.look_at(viewer, scene.Plane.AXIAL)
    assert preview(dock) is not None


def test_while_busy_only_cancel_works_and_cancelling_leaves_nothing(make, viewer, scan):
    executor = HandExecutor()
    dock = make(scan, executor=executor)
    dock.run.run.click()
    assert dock.session.busy
    assert dock.run.cancel.isEnabled()
    assert not dock.panel.beta.isEnabled()
    dock.run.cancel.click()
    assert dock.session.status.state is State.READY
    assert {layer.name for layer in viewer.layers} == {"FLAIR"}


def test_what_cannot_be_saved_is_said_in_the_dock(make, scan, tmp_path):
    taken = tmp_path / "T1w.nii.gz"
    taken.write_bytes(b"somebody's scan")
    dock = make(scan, answers=Answers(taken))
    dock.run.run.click()
    dock.run.save.click()
    assert dock.session.status.state is State.FAILED
    assert "T1w.nii.gz" in dock.session.status.message
    assert taken.read_bytes() == b"somebody's scan"


def test_labels_of_another_head_are_refused_in_the_dock(make, scan):
    far = lesion_labels((8, 8, 8), affine_of((8, 8, 8), centre_mm=(900, 0, 0)))
    dock = make(scan, far)
    dock.panel.lesions_chosen.emit("lesions")
    assert dock.session.status.state is State.FAILED
    assert "share no space" in dock.session.status.message
    assert dock.panel.lesions.currentData() == ""


def test_the_canvas_says_which_side_is_which(make, viewer, scan):
    scene.show_side(viewer, "radiological")
    make(scan)
    left, right = (viewer.canvas.overlays[f"mrsynth_{side}"] for side in ("left", "right"))
    assert (left.text, right.text) == ("R", "L")
    scene.show_side(viewer, "neurological")
    assert (left.text, right.text) == ("L", "R")


@pytest.mark.parametrize("opened", ["before the dock", "after the dock"])
def test_a_scan_that_napari_opened_is_stood_upright_and_lettered(make, viewer, scan, opened):
    dock = make(*[scan] * (opened == "before the dock"))
    if opened == "after the dock":
        assert scene.side_of(viewer) is None
        data, attributes, _ = layer_tuple(scan)
        viewer.add_image(data, **attributes)
    assert dock.session.volume is not None
    assert scene.side_of(viewer) == "radiological"
    written = [viewer.canvas.overlays[f"mrsynth_{edge}"].text for edge in ("top", "left", "right", "bottom")]
    assert written == ["A", "R", "L", "P"]


def test_a_view_that_was_turned_stays_as_it_is(make, viewer, scan):
    viewer.scene.camera.orientation = ("away", "down", "left")
    make(scan)
    assert tuple(map(str, viewer.scene.camera.orientation)) == ("away", "down", "left")
    assert viewer.canvas.overlays["mrsynth_left"].text == "R"
    assert viewer.canvas.overlays["mrsynth_top"].text == "P"


@pytest.mark.parametrize(("convention", "side"), [("neurological", "neurological"), ("unchanged", None)])
def test_the_side_is_the_preferred_one(make, viewer, scan, monkeypatch, convention, side):
    monkeypatch.setattr(presenter, "preferences", lambda: Preferences(convention=convention))
    make(scan)
    assert scene.side_of(viewer) == side


def test_removing_the_scans_layer_empties_the_dock(make, viewer, scan):
    dock = make(scan)
    preview(dock)
    viewer.layers.remove("FLAIR")
    assert dock.session.status.state is State.EMPTY
    assert len(viewer.layers) == 0


def test_a_layer_that_does_not_say_where_it_lies_is_asked_about_only_when_chosen(make, viewer):
    viewer.add_layer(Image(np.random.default_rng(0).random((20, 30, 24), dtype=np.float32), name="bare"))
    answers = Answers(placed=Placement((2, 2, 2), "SAR"))
    dock = make(answers=answers)
    assert answers.asked == []
    dock.panel.scan_chosen.emit("bare")
    assert answers.asked == ["bare"]
    assert dock.session.volume is not None
    assert preview(dock) is not None


def test_thinking_better_of_it_changes_nothing(make, viewer, scan):
    dock = make(scan)
    viewer.add_layer(Image(np.ones((20, 30, 24), np.float32), name="bare"))
    dock.panel.scan_chosen.emit("bare")
    assert dock.panel.scan.currentData() == "FLAIR"
    assert dock.session.volume.contrast == "FLAIR"


def test_the_map_of_a_synthetic_scan_is_marked_as_such(make, viewer, scan):
    made = replace(scan, source=Source(synthetic={"model": "mean"}))
    dock = make(made)
    dock.run.run.click()
    (name,) = [layer.name for layer in viewer.layers if layer.name.startswith("structure map")]
    viewer.layers["FLAIR (synthetic)"].visible = False
    assert viewer.layers[name].visible
    assert viewer.canvas.overlays["mrsynth_warning"].visible


def test_a_map_is_drawn_from_a_seed_without_any_scan_marked_shown_and_saved(make, viewer, tmp_path):
    answers = Answers(tmp_path / "drawn.nii.gz")
    dock = make(store=lesion_models(tmp_path / "models", "anatomy"), answers=answers)
    dock.panel.brain.setChecked(True)
    dock.panel.seed.setValue(7)
    dock.panel.draw.click()
    assert dock.session.status.state is State.DONE
    assert "Seed 7" in dock.session.status.hint
    wanted = RandomAnatomy(anatomy_bundle(BundleStore([tmp_path / "models"]))).draw(7)
    drawn = next(layer for layer in viewer.layers if layer.name.startswith("structure map of random7"))
    np.testing.assert_array_equal(drawn.data, wanted.anatomy.structure_map().display)
    assert any(layer.name.startswith("brain of random7") for layer in viewer.layers)
    assert viewer.canvas.overlays["mrsynth_warning"].visible
    dock.run.save.click()
    saved = read_image(tmp_path / "drawn.nii.gz", kind="labels")
    np.testing.assert_array_equal(saved.display, drawn.data)
    assert saved.source.synthetic is not None


def test_a_drawn_map_is_gone_to_and_the_one_before_it_hidden(make, viewer, scan, tmp_path):
    dock = make(scan, store=lesion_models(tmp_path, "anatomy"))
    scene.look_at(viewer, scene.Plane.CORONAL)
    viewer.dims.set_point(0, 30.0)
    for seed in (1, 2):
        dock.panel.seed.setValue(seed)
        dock.panel.draw.click()
        assert scene.slice_on(viewer, dock.session.made.structure.grid) == 0
    shown = [layer.name for layer in viewer.layers if "random" in layer.name and layer.visible]
    assert len(shown) == 1
    assert "random2" in shown[0]
    dock.panel.beta.setValue(0.02)
    assert dock.session.volume is not None


def test_without_a_model_that_draws_the_dock_says_so(make, tmp_path):
    dock = make(store=BundleStore([tmp_path]))
    dock.panel.draw.click()
    assert dock.session.status.state is State.FAILED
    assert "draws random anatomy" in dock.session.status.message


def test_a_slab_lies_where_its_slice_lies():
    grid = LabelVolume(np.zeros(SHAPE, np.uint8), lesion_labels(SHAPE, AFFINE).grid).grid
    slab = slab_of(grid, 7)
    np.testing.assert_allclose(slab.affine.apply((0, 3, 5)), grid.display.affine.apply((7, 3, 5)))
    assert slab.to_display == ((0, 1, 2), (False, False, False))
