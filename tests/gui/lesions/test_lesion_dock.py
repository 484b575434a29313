"""The “Lesion studio” dock with a viewer that has no window: paint, stamp, erase, save, refuse."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lesions.conftest import SHAPE, blob
from napari_mrsynth.errors import InputError
from napari_mrsynth.gui import scene
from napari_mrsynth.gui.layer_data import layer_tuple
from napari_mrsynth.gui.lesions.dock import LesionDock
from napari_mrsynth.gui.lesions.session import LesionSession
from napari_mrsynth.imaging import LabelVolume
from napari_mrsynth.io import read_image
from napari_mrsynth.lesions import Placement, label_set
from napari_mrsynth.session import State
from phantoms import affine_of, lesion_labels, phantom, save
from session.fakes import HandExecutor

TILTED = affine_of(SHAPE, (2, 2, 2), "LPS", (6, -4, 0))
PAINTED = "painted tumour"


class Answers:
    """Prepared answers."""

    def __init__(self, folder: Path | None = None, target: Path | None = None) -> None:
        self._folder, self._target = folder, target

    def folder(self, title: str) -> Path | None:
        return self._folder

    def target(self, title: str, suggested: str) -> Path | None:
        return self._target


@pytest.fixture
def scan():
    return phantom(SHAPE, TILTED, "FLAIR")


@pytest.fixture(scope="session")
def shapes(tmp_path_factory) -> Path:
    """Two lesion maps: a whole tumour, and two separate spots of oedema."""
    folder = tmp_path_factory.mktemp("shapes")
    box = (60, 60, 60)
    place = LabelVolume(np.zeros(box, np.uint8), lesion_labels(box, affine_of(box, (1, 1, 1))).grid).grid
    save(LabelVolume(blob((0, 0, 0), 12, (2, 4, 1), place), place, "one"), folder / "one_seg.nii.gz")
    spots = blob((-14, 0, 0), 7, (2,), place) + blob((12, 8, 0), 5, (2,), place)
    save(LabelVolume(spots, place, "two"), folder / "two_seg.nii.gz")
    return folder


@pytest.fixture
def make(qtbot, viewer, scan):
    def build(*images, executor=None, answers=None, choose=True) -> LesionDock:
        for image in (scan, *images):
            data, attributes, kind = layer_tuple(image)
            getattr(viewer, f"add_{kind}")(data, **attributes)
        dock = LesionDock(viewer, LesionSession(executor), answers or Answers())
        qtbot.addWidget(dock)
        if choose:
            dock.paint.scan_chosen.emit("FLAIR")
        return dock

    return build


@pytest.fixture
def painting(make, shapes, tmp_path):
    dock = make(answers=Answers(shapes, tmp_path / "mine.nii.gz"))
    dock.paint.begin.click()
    return dock


def layer(dock: LesionDock):
    return dock.presenter.layers.painted


def measured(dock: LesionDock) -> None:
    dock.presenter._soon.stop()
    dock.presenter._measure()


def click(viewer, position, *, moves: int = 0, button: int = 1) -> None:
    event = SimpleNamespace(type="mouse_press", position=position, button=button, modifiers=())
    following = viewer.mouse_drag_callbacks[-1](viewer, event)
    next(following)
    event.type = "mouse_move"
    for _ in range(moves):
        next(following)
    event.type = "mouse_release"
    assert next(following, "end") == "end"


def test_without_a_scan_nothing_can_be_done_and_it_says_what_to_do(make):
    dock = make(choose=False)
    assert dock.session.status.state is State.EMPTY
    for button in (dock.paint.begin, dock.run.run, dock.run.save, dock.stamp.random):
        assert not button.isEnabled()
    assert not dock.paint.painting.isEnabled()


def test_start_painting_adds_labels_with_named_coloured_classes_and_takes_the_brush(painting, viewer, scan):
    made = layer(painting)
    assert made is viewer.layers[PAINTED]
    assert viewer.layers.selection.active is made
    assert (str(made.mode), made.selected_label) == ("paint", 1)
    assert list(made.features["class"]) == ["", "necrotic core", "oedema", "", "enhancing tumour"]
    for each in label_set("tumour").classes:
        wanted = [int(each.colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        np.testing.assert_allclose(made.get_color(each.value)[:3], wanted, atol=0.01)
    assert made.data.shape == scan.grid.display.shape


def test_the_brush_paints_the_chosen_class_on_the_scans_own_grid_and_undo_takes_it_back(
    painting, viewer, scan
):
    painting.paint.classes[4].click()
    made = layer(painting)
    made.paint((32, 44, 36), made.selected_label)
    labels = painting.presenter.layers.painted_labels()
    assert labels.present == (4,)
    assert labels.grid.same_as(scan.grid)
    measured(painting)
    assert "ml" in painting.paint.classes[4].text()
    made.undo()
    assert not painting.presenter.layers.painted_labels().array.any()
    measured(painting)
    assert painting.paint.classes[4].text() == "enhancing tumour"


def test_brush_presets_are_in_millimetres_and_may_be_balls(painting):
    painting.paint.brushes[14.0].click()
    assert layer(painting).brush_size == 7  # voxels of 2 mm
    assert layer(painting).n_edit_dimensions == 2
    painting.paint.solid.setChecked(True)
    assert layer(painting).n_edit_dimensions == 3


def test_tools_follow_naparis_own_controls(painting):
    painting.paint.tools["erase"].click()
    assert str(layer(painting).mode) == "erase"
    layer(painting).mode = "fill"
    layer(painting).selected_label = 2
    assert painting.paint.tools["fill"].isChecked()
    assert painting.paint.classes[2].isChecked()


def test_what_is_painted_outside_the_brain_is_measured(painting):
    layer(painting).data_setitem((np.array([1]), np.array([1]), np.array([1])), 2)
    measured(painting)
    assert painting.paint.outside.text() == "0.01 ml lies outside the brain."


def test_another_disease_has_its_own_classes_and_forgets_the_library(painting, shapes):
    painting.stamp.open.click()
    painting.paint.disease_chosen.emit("ms")
    assert [button.text() for button in painting.paint.classes.values()] == ["MS lesion"]
    assert painting.session.library is None
    assert not painting.paint.painting.isEnabled()  # the tumour's layer is no longer painted on


def test_a_lesion_of_the_library_is_shown_then_stamped_as_one_step(painting, viewer, scan):
    painting.stamp.open.click()
    assert painting.stamp.folder.text().endswith("2 maps")
    painting.stamp.shape_chosen.emit("one_seg")
    ghost = viewer.layers["lesion to stamp"]
    assert painting.session.status.state is State.READY
    under = viewer.layers["FLAIR"]
    painting.run.run.click()
    made = layer(painting)
    assert set(np.unique(made.data)) == {0, 1, 2, 4}
    first = np.argwhere(made.data).min(axis=0)  # where it was shown is where it lies
    inside = np.argwhere(np.asarray(ghost.data)).min(axis=0)
    np.testing.assert_allclose(ghost.data_to_world(inside), under.data_to_world(first), atol=1e-6)
    made.undo()
    assert not made.data.any()


def test_a_click_moves_the_lesion_and_a_drag_does_not(painting, viewer, scan):
    painting.stamp.open.click()
    painting.stamp.shape_chosen.emit("one_seg")
    wanted = (34, 50, 30)
    world = tuple(viewer.layers["FLAIR"].data_to_world(wanted))
    before = painting.session.placement
    click(viewer, world, moves=20)
    assert painting.session.placement == before
    click(viewer, world, button=2)
    assert painting.session.placement == before
    click(viewer, world, moves=2)
    np.testing.assert_allclose(
        painting.session.placement.centre_mm, scan.grid.display.affine.apply(wanted), atol=1e-6
    )
    middle = np.argwhere(painting.session.ghost.placed.labels({}).display).mean(axis=0)
    np.testing.assert_allclose(middle, wanted, atol=0.7)


def test_the_sliders_transform_the_lesion(painting, viewer):
    painting.stamp.open.click()
    painting.stamp.shape_chosen.emit("one_seg")
    before = painting.session.ghost.placed.voxels
    painting.stamp.scale.setValue(1.5)
    assert painting.session.ghost.placed.voxels == pytest.approx(1.5**3 * before, rel=0.15)
    painting.stamp.turns[2].setValue(90)
    painting.stamp.mirrors[0].setChecked(True)
    placement = painting.session.placement
    assert (placement.scale, placement.rotation_deg) == (1.5, (0.0, 0.0, 90.0))
    assert placement.mirror == (True, False, False)


def test_outside_the_brain_it_is_shown_pale_and_refused_with_the_reason(painting, viewer, scan):
    painting.stamp.open.click()
    painting.stamp.shape_chosen.emit("one_seg")
    edge = scan.grid.display.affine.apply((32, 44, 3))
    painting.session.move(centre_mm=tuple(edge))
    assert painting.session.status.state is State.BLOCKED
    assert "outside the brain" in painting.run.message.text()
    assert viewer.layers["lesion to stamp"].opacity < 0.5
    assert not painting.run.run.isEnabled()
    painting.presenter._tell(painting.session.stamp)
    assert not layer(painting).data.any()
    painting.session.move(centre_mm=(0.0, 0.0, 900.0))  # far from the field of view
    assert painting.session.status.state is State.BLOCKED
    assert not viewer.layers["lesion to stamp"].visible


def test_one_of_several_lesions_can_be_taken(painting):
    painting.stamp.open.click()
    painting.stamp.shape_chosen.emit("two_seg")
    assert painting.stamp.part.count() == 3
    whole = painting.session.ghost.placed.voxels
    painting.stamp.part_chosen.emit(1)
    assert painting.session.ghost.placed.voxels < 0.5 * whole


def test_a_random_lesion_fits_is_the_seeds_and_the_next_seed_is_another(painting, viewer):
    painting.stamp.open.click()
    painting.stamp.seed.setValue(7)
    painting.stamp.random.click()
    first = painting.session.placement
    assert painting.session.status.state is State.READY
    assert painting.stamp.seed.value() == 8
    painting.stamp.random.click()
    assert painting.session.placement != first
    painting.stamp.seed.setValue(7)
    painting.stamp.random.click()
    assert painting.session.placement == first
    painting.run.run.click()
    assert layer(painting).data.any()


def test_a_lesion_out_of_sight_brings_its_slice(painting, viewer, scan):
    painting.stamp.open.click()
    painting.stamp.shape_chosen.emit("one_seg")
    viewer.dims.set_point(0, viewer.layers["FLAIR"].data_to_world((2, 0, 0))[0])
    painting.session.move(centre_mm=tuple(scan.grid.display.affine.apply((34, 44, 36))))
    assert scene.slice_on(viewer, scan.grid) == 34


def test_a_click_removes_the_whole_lesion_under_it_and_no_other(painting, viewer):
    made = layer(painting)
    for centre in ((32, 40, 25), (32, 40, 50)):
        made.paint(centre, 2)
        made.paint(centre, 4)
    painting.paint.tools["remove"].click()
    click(viewer, tuple(made.data_to_world((32, 60, 60))))
    both = np.count_nonzero(made.data)
    click(viewer, tuple(made.data_to_world((32, 40, 25))))
    assert np.count_nonzero(made.data) == both / 2
    assert made.data[32, 40, 50]
    made.undo()
    assert np.count_nonzero(made.data) == both


def test_erase_all_can_be_undone(painting):
    made = layer(painting)
    made.paint((32, 40, 25), 2)
    count = np.count_nonzero(made.data)
    painting.paint.clear.click()
    assert not made.data.any()
    made.undo()
    assert np.count_nonzero(made.data) == count


def test_painting_begins_on_a_copy_of_existing_labels_fitted_to_disease_and_grid(make, viewer):
    other = (50, 60, 40)
    lesions = lesion_labels(other, affine_of(other, (3, 3, 3), "RAS"))
    dock = make(lesions)
    dock.paint.begin_asked.emit("lesions")
    assert set(np.unique(layer(dock).data)) == {0, 1, 2}
    assert "nearest voxels of FLAIR" in dock.session.status.hint
    layer(dock).data[:] = 0
    assert viewer.layers["lesions"].data.any()  # the original is untouched


def test_labels_with_foreign_classes_are_refused_in_the_dock(make, scan):
    wrong = LabelVolume(np.full(SHAPE, 9, np.uint8), scan.grid, "atlas")
    dock = make(wrong)
    dock.paint.begin_asked.emit("atlas")
    assert dock.session.status.state is State.FAILED
    assert "[9]" in dock.session.status.message
    assert layer(dock) is None


def test_a_library_with_nothing_usable_is_refused_in_the_dock(make, tmp_path):
    dock = make(answers=Answers(tmp_path))
    dock.stamp.open.click()
    assert dock.session.status.state is State.FAILED
    assert "no usable lesion map" in dock.session.status.message


def test_the_painted_labels_are_saved_on_the_scans_own_grid(painting, scan, tmp_path):
    painting.run.save.click()
    assert "Nothing has been painted" in painting.session.status.message
    layer(painting).paint((32, 44, 36), 4)
    painting.run.save.click()
    saved = read_image(tmp_path / "mine.nii.gz", kind="labels")
    assert saved.grid.same_as(scan.grid)
    np.testing.assert_array_equal(saved.display, layer(painting).data)


def test_while_the_brain_is_looked_for_only_cancel_works(make):
    executor = HandExecutor()
    dock = make(executor=executor)
    assert dock.session.busy
    assert dock.run.cancel.isEnabled()
    assert not dock.paint.begin.isEnabled()
    dock.run.cancel.click()
    assert dock.session.status.state is State.BLOCKED


def test_a_lesion_that_was_put_away_comes_back_with_a_click_and_cannot_be_stamped_unseen(painting, viewer):
    painting.stamp.open.click()
    painting.stamp.shape_chosen.emit("one_seg")
    assert painting.run.run.isEnabled()
    painting.session.put_away()
    assert not painting.run.run.isEnabled()
    assert "Click where the lesion should lie" in painting.run.run.toolTip()
    click(viewer, tuple(viewer.layers["FLAIR"].data_to_world((34, 50, 30))))
    assert painting.run.run.isEnabled()


def test_a_lesion_is_not_moved_behind_a_running_job(scan):
    session = LesionSession(HandExecutor())
    session.placement = Placement((0.0, 0.0, 0.0))
    session.choose(scan)
    assert session.busy
    with pytest.raises(InputError, match="one cannot move the lesion now"):
        session.move(scale=2.0)
    assert session.placement.scale == 1.0


def test_another_scan_or_disease_cannot_be_chosen_behind_a_running_job(make, viewer, scan):
    executor = HandExecutor()
    dock = make(executor=executor)
    shown = dock.presenter._scan
    assert not dock.paint.scan.isEnabled()
    assert not dock.paint.disease.isEnabled()
    dock.paint.scan_chosen.emit("")
    dock.paint.disease_chosen.emit("ms")
    assert dock.presenter._scan is shown
    assert dock.session.volume is not None
    assert dock.session.classes.id == "tumour"
    executor.finish()
    assert dock.paint.scan.isEnabled()


def test_a_generator_that_follows_the_brush_hears_of_every_stroke(painting):
    heard = []
    painting.presenter.painted.connect(heard.append)
    layer(painting).paint((32, 44, 36), 4)
    assert painting.presenter._soon.isActive()
    measured(painting)
    assert [labels.present for labels in heard] == [(4,)]


def test_the_canvas_says_which_side_is_which(make, viewer):
    scene.show_side(viewer, "radiological")
    make()
    left, right = (viewer.canvas.overlays[f"mrsynth_{side}"] for side in ("left", "right"))
    assert (left.text, right.text) == ("R", "L")
    scene.show_side(viewer, "neurological")
    assert (left.text, right.text) == ("L", "R")


def test_removing_the_scan_or_the_painted_layer_is_noticed(painting, viewer):
    viewer.layers.remove(PAINTED)
    assert not painting.paint.painting.isEnabled()
    viewer.layers.remove("FLAIR")
    assert painting.session.status.state is State.EMPTY
