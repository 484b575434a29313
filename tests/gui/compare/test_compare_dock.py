"""The Compare dock on a viewer without a window: pairs by itself, shows, measures, exports and gives back."""

from __future__ import annotations

import gc
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Image, Layer
from qtpy.QtCore import Qt

from napari_mrsynth.cli import main
from napari_mrsynth.errors import GridError
from napari_mrsynth.evaluation import METRICS
from napari_mrsynth.evaluation.matching import Matching
from napari_mrsynth.evaluation.words import shown
from napari_mrsynth.gui import scene
from napari_mrsynth.gui.compare.dock import CompareDock
from napari_mrsynth.gui.compare.stage import Way
from napari_mrsynth.gui.layer_data import layer_tuple
from napari_mrsynth.gui.writers import write_image
from napari_mrsynth.imaging import Grid, Source, known_voxels
from napari_mrsynth.io import read_image, write_volume
from napari_mrsynth.preprocess.resample import resample
from napari_mrsynth.session.job import ImmediateExecutor
from phantoms import affine_of, lesion_labels, phantom, save
from session.fakes import HandExecutor

SHAPE, SPACING = (24, 28, 22), (7.5, 7.5, 7.5)
SPOT = (slice(14, 17), slice(18, 21), slice(13, 16))


class SaveAs:
    """Answers where an export goes."""

    path = None

    def save_as(self, title):
        return self.path


@pytest.fixture(scope="module")
def truth():
    return phantom(SHAPE, affine_of(SHAPE, SPACING, "LPS"), "FLAIR", lesion=True, noise=0.02)


def made_from(truth, factor=0.5, name="FLAIR (synthetic)"):
    array = truth.array * np.float32(factor)
    array[SPOT] *= 1.6
    source = Source(format="synthetic", synthetic={"bundle": {"id": "m"}, "inputs": {"T1w": {}}})
    return replace(truth, array=array, source=source, name=name)


def added(viewer, image, name=None):
    layer = Layer.create(*layer_tuple(image, name=name))
    viewer.add_layer(layer)
    return layer


@pytest.fixture
def questions():
    return SaveAs()


@pytest.fixture
def dock(qtbot, viewer, truth, questions):
    """A dock beside a truth, a prediction of it, another scan and lesions."""
    added(viewer, truth)
    added(viewer, phantom(SHAPE, truth.grid.affine, "T1w"))
    added(viewer, lesion_labels(SHAPE, truth.grid.affine), "lesions")
    added(viewer, made_from(truth))
    viewer.dims.set_point(0, 0.0)
    dock = CompareDock(viewer, ImmediateExecutor(), questions)
    qtbot.addWidget(dock)
    return dock


def test_a_prediction_finds_its_truth_and_the_lesions_by_itself(dock):
    assert dock.choices.ticked == ["FLAIR (synthetic)"]
    assert dock.choices.truth_name == "FLAIR"
    assert dock.choices.lesions_name == "lesions"
    assert dock.run.run.isEnabled()


def test_a_prediction_that_arrives_later_is_ticked(qtbot, viewer, truth, questions):
    added(viewer, truth)
    dock = CompareDock(viewer, ImmediateExecutor(), questions)
    qtbot.addWidget(dock)
    assert not dock.choices.ticked
    assert not dock.run.run.isEnabled()
    added(viewer, made_from(truth))
    dock.presenter.offer()
    assert dock.choices.ticked == ["FLAIR (synthetic)"]
    assert dock.choices.truth_name == "FLAIR"


def test_the_table_shows_the_digits_of_the_command_line(dock, truth, tmp_path, capsys):
    dock.run.run.click()
    [looked] = dock.presenter.looked
    files = {
        "truth": save(truth, tmp_path / "p_FLAIR.nii.gz"),
        "pred": write_volume(tmp_path / "sub-p_desc-synthetic_FLAIR.nii.gz", made_from(truth)),
        "lesions": save(lesion_labels(SHAPE, truth.grid.affine), tmp_path / "p_seg.nii.gz"),
    }
    given = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    assert main(["evaluate", *given, "--match", "mean", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    for column, region in enumerate(("whole", "brain", "healthy", "lesion")):
        assert dock.table.horizontalHeaderItem(column).text() == region
        for row, metric in enumerate(METRICS):
            value = getattr(looked.comparison.scores.regions[region], metric)
            assert told["regions"][region][metric] == value
            assert dock.table.item(row, column).text() == shown(metric, value)
    assert "multiplied by one number" in dock.how.text()


def view_of(dock):
    [view] = [layer for layer in dock.presenter.stage.own if layer.name.startswith("comparison")]
    return view


def test_each_way_shows_the_voxels_it_should(dock, viewer, truth):
    scene.show_side(viewer, "radiological")
    dock.run.run.click()
    pair = dock.presenter.looked[0].comparison.pair
    real, made = (truth.grid.as_display(array) for array in (pair.truth, pair.pred))
    index = dock.presenter.stage.place.sliced()[1]
    plane = (index, slice(None), slice(None))
    width = real.shape[2]

    def look(way):
        dock.ways.buttons[way].click()
        return np.asarray(view_of(dock).data[plane])

    beside = look(Way.SIDE)
    cut = dock.presenter.looked[0].across[2]
    expected = np.concatenate(
        [made[cut][plane], real[cut][plane]], axis=1
    )  # the first is on the screen's left
    np.testing.assert_allclose(beside, expected, rtol=1e-6)
    swiped = look(Way.SWIPE)
    np.testing.assert_allclose(swiped[:, width // 2 :], real[plane][:, width // 2 :], rtol=1e-6)
    np.testing.assert_allclose(swiped[:, : width // 2], made[plane][:, : width // 2], rtol=1e-6)
    dock.ways.slider.setValue(100)
    np.testing.assert_allclose(look(Way.SWIPE), real[plane], rtol=1e-6)
    tiles = look(Way.CHECKER)
    assert (tiles == real[plane].astype(np.float32)).any()
    assert (tiles == made[plane].astype(np.float32)).any()
    first = look(Way.FLICKER)
    dock.ways.flickered.emit()
    second = np.asarray(view_of(dock).data[plane])
    assert not np.array_equal(first, second)
    np.testing.assert_allclose(look(Way.DIFFERENCE), made[plane] - real[plane], rtol=1e-4, atol=1e-2)
    view = view_of(dock)
    assert view.colorbar.visible
    low, high = view.contrast_limits
    assert low == -high
    np.testing.assert_allclose(look(Way.EDGES), made[plane], rtol=1e-6)
    assert any(layer.visible and layer.name.startswith("edges") for layer in dock.presenter.stage.own)
    assert not view.colorbar.visible


def test_the_truth_is_on_the_left_of_the_screen_also_where_the_view_is_upside_down(dock, viewer, truth):
    dock.run.run.click()
    dock.ways.buttons[Way.SWIPE].click()
    real = truth.grid.as_display(dock.presenter.looked[0].comparison.pair.truth)
    plane = (dock.presenter.stage.place.sliced()[1], slice(None), slice(None))
    width = real.shape[2]
    for horizontal, half in (("left", slice(width // 2, None)), ("right", slice(width // 2))):
        viewer.scene.camera.orientation = ("towards", "down", horizontal)
        shown = np.asarray(view_of(dock).data[plane])
        np.testing.assert_allclose(shown[:, half], real[plane][:, half], rtol=1e-6)
        assert not np.allclose(shown, real[plane])


def test_limits_set_on_the_grey_view_come_back_after_the_difference(dock):
    dock.run.run.click()
    view_of(dock).contrast_limits = (10, 200)
    dock.ways.buttons[Way.DIFFERENCE].click()
    dock.ways.buttons[Way.SWIPE].click()
    assert tuple(view_of(dock).contrast_limits) == (10, 200)


def test_the_colour_bar_is_made_before_it_is_needed_and_stays_unseen_till_then(dock):
    dock.run.run.click()
    bar = view_of(dock).colorbar
    assert (bar.visible, bar.opacity) == (False, 1)
    dock.ways.buttons[Way.DIFFERENCE].click()
    assert (bar.visible, bar.opacity) == (True, 1)


def test_a_difference_that_is_looked_at_again_has_its_colours(dock):
    dock.run.run.click()
    dock.ways.buttons[Way.DIFFERENCE].click()
    coloured = view_of(dock).colormap
    dock.end.click()
    dock.run.run.click()
    view = view_of(dock)
    assert dock.presenter.stage.way is Way.DIFFERENCE
    assert view.colormap == coloured
    assert view.colorbar.visible
    assert view.contrast_limits[0] == -view.contrast_limits[1]


@pytest.mark.skipif(sys.platform == "win32", reason="there the search is needed")
def test_ending_spares_the_search_for_garbage(dock, viewer):
    dock.run.run.click()
    hidden = []
    viewer.layers.events.removed.connect(lambda _: hidden.append(gc.get_freeze_count() > 0))
    dock.end.click()
    assert hidden == [True, True]


def test_comparing_again_on_another_grid_moves_the_layers_there(dock, viewer, truth):
    dock.run.run.click()
    dock.ways.buttons[Way.DIFFERENCE].click()
    own = dock.presenter.stage.own
    elsewhere = phantom((20, 24, 18), affine_of((20, 24, 18), (9.0, 9.0, 9.0), "RAS"), "FLAIR", noise=0.03)
    added(viewer, elsewhere, "coarse FLAIR")
    dock.presenter.offer()
    for row in range(dock.choices.predictions.count()):
        item = dock.choices.predictions.item(row)
        chosen = item.text() == "coarse FLAIR"
        item.setCheckState(Qt.CheckState.Checked if chosen else Qt.CheckState.Unchecked)
    dock.run.run.click()
    assert dock.presenter.stage.own == own
    view = view_of(dock)
    assert view.data.shape == elsewhere.display.shape
    np.testing.assert_allclose(view.scale, (9.0, 9.0, 9.0))
    top = dock.presenter.looked[0].difference_top
    assert tuple(view.contrast_limits) == (-top, top)


def test_the_users_view_comes_back_when_comparing_ends(dock, viewer):
    viewer.layers["T1w"].visible = False
    viewer.canvas.grid.enabled = True
    viewer.layers.selection.active = viewer.layers["T1w"]
    viewer.dims.order = (1, 0, 2)
    viewer.scene.camera.zoom = 3.25
    viewer.scene.camera.center = (0.0, 4.0, 9.0)
    before = [(layer, layer.visible) for layer in viewer.layers], tuple(viewer.dims.point)
    dock.run.run.click()
    assert not viewer.canvas.grid.enabled
    assert {layer for layer in viewer.layers if layer.visible} <= dock.presenter.stage.own
    for way in Way:
        dock.ways.buttons[way].click()
    dock.places.place_chosen.emit(dock.presenter.looked[0].comparison.worst[0])
    dock.end.click()
    assert ([(layer, layer.visible) for layer in viewer.layers], tuple(viewer.dims.point)) == before
    assert viewer.canvas.grid.enabled
    assert tuple(viewer.dims.order) == (1, 0, 2)
    assert viewer.scene.camera.zoom == 3.25
    assert tuple(viewer.scene.camera.center) == (0.0, 4.0, 9.0)
    assert viewer.layers.selection == {viewer.layers["T1w"]}


def test_a_click_on_the_worst_place_goes_to_the_slice_that_was_spoiled(dock, viewer, truth):
    dock.run.run.click()
    dock.places.itemClicked.emit(dock.places.item(0))
    assert 12 <= dock.presenter.stage.place.sliced()[1] <= 16
    scene.look_at(viewer, scene.Plane.SAGITTAL)
    dock.places.itemClicked.emit(dock.places.item(0))
    axis, index = dock.presenter.stage.place.sliced()
    assert axis == 2
    assert SHAPE[0] - 1 - 17 <= index <= SHAPE[0] - 1 - 13  # the first native axis points left


def test_a_click_on_the_curve_goes_to_the_slice(dock):
    dock.run.run.click()
    dock.curve.slice_chosen.emit(11)
    assert dock.presenter.stage.place.sliced() == (0, 11)


def test_several_predictions_stand_side_by_side(dock, viewer, truth):
    added(viewer, made_from(truth, 0.8, "other"), "other (synthetic)")
    dock.presenter.offer()
    dock.run.run.click()
    assert len(dock.presenter.looked) == 2
    assert dock.table.columnCount() == 2
    cut = dock.presenter.looked[0].across[2]
    one = truth.display[cut].shape[2]
    assert view_of(dock).data.shape[2] == 3 * one
    dock.ways.prediction_chosen.emit(1)
    dock.ways.buttons[Way.DIFFERENCE].click()
    other = dock.presenter.looked[1].comparison.pair.difference
    np.testing.assert_array_equal(np.asarray(view_of(dock).data), truth.grid.as_display(other))


def stored_otherwise(image, codes):
    """Return the same voxels in the same places, stored in another order of axes."""
    shape = tuple(image.display.shape["SAR".index(letter)] for letter in codes.translate(UNSIGNED))
    return resample(image, Grid(shape, affine_of(shape, SPACING, codes)))


UNSIGNED = str.maketrans("LPI", "RAS")


@pytest.mark.parametrize("codes", ["RAS", "RPI", "IAR", "ASL"])
@pytest.mark.parametrize("way", list(Way))
def test_predictions_stored_in_other_axis_orders_are_shown_the_same_way_round(
    dock, viewer, truth, codes, way
):
    twin = stored_otherwise(made_from(truth, name="twin"), codes)
    added(viewer, twin, "twin (synthetic)")
    dock.presenter.offer()
    dock.run.run.click()
    assert [each.note for each in dock.presenter.looked] == ["", ""]
    names = [each.comparison.name for each in dock.presenter.looked]

    def seen(name):
        dock.ways.prediction_chosen.emit(names.index(name))
        dock.ways.buttons[way].click()
        return np.asarray(view_of(dock).data)

    np.testing.assert_allclose(seen("twin (synthetic)"), seen("FLAIR (synthetic)"), rtol=1e-5, atol=1e-3)
    if way is Way.SIDE:
        volumes = np.split(seen("FLAIR (synthetic)"), 3, axis=2)
        np.testing.assert_allclose(volumes[1], volumes[2], rtol=1e-5, atol=1e-3)
    dock.ways.prediction.setCurrentIndex(names.index("twin (synthetic)"))
    dock.ways.prediction_chosen.emit(names.index("twin (synthetic)"))
    dock.places.itemClicked.emit(dock.places.item(0))
    assert 12 <= dock.presenter.stage.place.sliced()[1] <= 16


def test_a_prediction_on_a_coarser_grid_is_resampled_to_be_shown_and_that_is_said(dock, viewer, truth):
    shape = tuple(n // 2 for n in SHAPE)
    coarse = resample(made_from(truth, name="coarse"), Grid(shape, affine_of(shape, (15.0,) * 3, "RAS")))
    added(viewer, coarse, "coarse (synthetic)")
    dock.presenter.offer()
    dock.run.run.click()
    looked = {each.comparison.name: each for each in dock.presenter.looked}
    moved, first = dock.presenter.looked[1], dock.presenter.looked[0]
    assert moved.note
    assert moved.note in dock.how.text()
    assert looked["coarse (synthetic)"].comparison.pair.grid.shape == shape
    for index in (1, 0):
        dock.ways.prediction_chosen.emit(index)
        for way in Way:
            dock.ways.buttons[way].click()
            if way is not Way.SIDE:
                assert view_of(dock).data.shape == first.comparison.pair.grid.display.shape
            assert np.isfinite(np.asarray(view_of(dock).data)).all()
    dock.ways.buttons[Way.SIDE].click()
    caption = viewer.canvas.overlays["mrsynth_compare"].text
    assert f"{moved.comparison.name} (resampled)" in caption
    assert f"{first.comparison.name} (resampled)" not in caption
    for axis, errors in enumerate(moved.looks["brain"].by_slice):
        assert errors.size == first.comparison.pair.grid.display.shape[axis]
    assert np.corrcoef(moved.shown.pred.ravel(), first.shown.pred.ravel())[0, 1] > 0.9


def test_while_anything_synthetic_is_compared_the_canvas_says_so(dock, viewer):
    viewer.layers["FLAIR (synthetic)"].visible = False
    overlay = viewer.canvas.overlays["mrsynth_warning"]
    assert not overlay.visible
    dock.run.run.click()
    for way in Way:
        dock.ways.buttons[way].click()
        assert overlay.visible
    assert all("synthetic" in layer.name for layer in dock.presenter.stage.own)
    dock.end.click()
    assert not overlay.visible


def choose_predictions(dock, *names):
    for row in range(dock.choices.predictions.count()):
        item = dock.choices.predictions.item(row)
        chosen = item.text() in names
        item.setCheckState(Qt.CheckState.Checked if chosen else Qt.CheckState.Unchecked)
    dock.presenter.offer()


def bare_copy(viewer, layer, name):
    copy = Image(layer.data.copy(), name=name, scale=layer.scale, translate=layer.translate)
    viewer.add_layer(copy)
    viewer.layers.remove(layer)
    return copy


@pytest.mark.parametrize("side", ["prediction", "truth"])
def test_a_bare_copy_of_a_synthetic_layer_stays_marked_while_compared_and_when_saved(
    dock, viewer, tmp_path, side
):
    bare_copy(viewer, viewer.layers["FLAIR (synthetic)"], "copy FLAIR")
    dock.presenter.offer()
    choose_predictions(dock, "copy FLAIR" if side == "prediction" else "FLAIR")
    dock.choices.truth.setCurrentText("FLAIR" if side == "prediction" else "copy FLAIR")
    dock.choices.changed.emit()
    dock.run.run.click()
    assert dock.presenter.looked
    for way in Way:
        dock.ways.buttons[way].click()
        for _ in range(2):
            dock.ways.flickered.emit()
            assert viewer.canvas.overlays["mrsynth_warning"].visible
            for layer in dock.presenter.stage.own:
                data, meta, _ = layer.as_layer_data_tuple()
                [path] = write_image(str(tmp_path / "seen.nii.gz"), data, meta)
                assert read_image(path).source.synthetic is not None


def test_a_bare_copy_of_a_synthetic_layer_is_taken_for_a_prediction(dock, viewer):
    bare_copy(viewer, viewer.layers["FLAIR (synthetic)"], "another FLAIR")
    dock.presenter.offer()
    assert dock.choices.ticked == ["another FLAIR"]
    assert dock.choices.truth_name == "FLAIR"


def test_matched_voxels_of_a_prediction_are_known_again_where_their_layer_lost_its_record(dock, viewer):
    dock.run.run.click()
    assert dock.presenter.looked[0].comparison.pair.factor != 1
    dock.ways.buttons[Way.EDGES].click()
    assert known_voxels.record_of(np.asarray(view_of(dock).data)) is not None
    dock.end.click()
    assert known_voxels.record_of(viewer.layers["FLAIR"].data) is None


def test_what_was_acquired_is_compared_and_saved_without_a_mark(dock, viewer, tmp_path):
    dock.presenter.offer()
    choose_predictions(dock, "T1w")
    viewer.layers["FLAIR (synthetic)"].visible = False
    dock.run.run.click()
    assert dock.presenter.looked
    assert not viewer.canvas.overlays["mrsynth_warning"].visible
    data, meta, _ = view_of(dock).as_layer_data_tuple()
    [path] = write_image(str(tmp_path / "seen.nii.gz"), data, meta)
    assert read_image(path).source.synthetic is None


@pytest.mark.parametrize("ending", [".csv", ".json", ".png", ".html"])
def test_everything_can_be_exported(dock, questions, tmp_path, ending):
    dock.run.run.click()
    questions.path = tmp_path / f"comparison{ending}"
    dock.run.save.click()
    assert questions.path.stat().st_size > 200
    assert "Wrote" in dock.run.message.text()


def test_what_cannot_be_compared_is_said_and_the_view_stays(dock, viewer, truth):
    far = replace(truth, grid=phantom(SHAPE, affine_of(SHAPE, SPACING, centre_mm=(900, 0, 0))).grid)
    added(viewer, far, "far away")
    dock.presenter.offer()
    dock.choices.truth.setCurrentText("far away")
    dock.run.run.click()
    assert "does not meet" in dock.run.message.text()
    assert not dock.presenter.stage.is_on
    assert viewer.layers["FLAIR"].visible


@pytest.mark.parametrize("name", ["comparison (synthetic)", "edges (synthetic)"])
def test_removing_a_layer_of_the_comparison_ends_it_and_gives_the_view_back(dock, viewer, name):
    viewer.layers["T1w"].visible = False
    before = [(layer, layer.visible) for layer in viewer.layers]
    dock.run.run.click()
    dock.ways.buttons[Way.EDGES].click()
    viewer.layers.remove(name)
    dock.presenter.offer()
    assert [(layer, layer.visible) for layer in viewer.layers] == before
    assert not dock.end.isVisibleTo(dock)
    assert "ended" in dock.run.message.text()
    dock.run.run.click()
    assert dock.presenter.stage.is_whole
    assert "Compared" in dock.run.message.text()


@pytest.mark.parametrize("error", [GridError("It does not fit.", hint="Choose."), RuntimeError("broken")])
def test_where_showing_fails_the_view_comes_back_and_the_dock_says_why(dock, viewer, monkeypatch, error):
    def fail(*_):
        raise error

    viewer.layers["T1w"].visible = False
    before = [(layer, layer.visible) for layer in viewer.layers]
    monkeypatch.setattr(dock.presenter.stage, "look", fail)
    dock.run.run.click()
    assert [(layer, layer.visible) for layer in viewer.layers] == before
    assert str(error).split(".", maxsplit=1)[0] in dock.run.message.text()
    assert "Compared" not in dock.run.message.text()
    assert not dock.presenter.stage.is_on
    assert not dock.end.isVisibleTo(dock)
    monkeypatch.undo()
    dock.run.run.click()
    assert "Compared" in dock.run.message.text()
    assert dock.end.isVisibleTo(dock)


def test_a_layer_without_geometry_is_taken_as_it_is_shown_and_said(dock, viewer, truth):
    foreign = Image(np.ascontiguousarray(truth.display) * 1.1, name="foreign FLAIR", scale=SPACING)
    foreign.translate = viewer.layers["FLAIR"].translate
    viewer.add_layer(foreign)
    dock.presenter.offer()
    for row in range(dock.choices.predictions.count()):
        item = dock.choices.predictions.item(row)
        chosen = item.text() == "foreign FLAIR"
        item.setCheckState(Qt.CheckState.Checked if chosen else Qt.CheckState.Unchecked)
    dock.run.run.click()
    [looked] = dock.presenter.looked
    assert looked.comparison.scores.regions["brain"].nmse == pytest.approx(0, abs=1e-6)
    assert "axes taken as S, A, R" in dock.how.text()


def test_intensities_can_be_compared_as_they_are(dock):
    dock.choices.matching.setCurrentIndex(dock.choices.matching.findData(Matching.NONE))
    dock.run.run.click()
    assert dock.presenter.looked[0].comparison.pair.factor == 1
    assert "difference of scale" in dock.how.text()


def of_another_patient(truth):
    return phantom(SHAPE, truth.grid.affine, "FLAIR", noise=0.02, seed=5)


def assert_ended(dock):
    assert dock.presenter.looked == ()
    assert not dock.presenter.stage.is_on
    assert not dock.presenter.stage.own
    assert not dock.end.isVisibleTo(dock)
    assert not dock.run.save.isEnabled()
    assert "not shown any more" in dock.run.message.text()


@pytest.mark.parametrize("name", ["FLAIR", "FLAIR (synthetic)"])
def test_a_comparison_ends_when_a_layer_that_was_compared_leaves_the_viewer(dock, viewer, truth, name):
    dock.run.run.click()
    viewer.layers.remove(name)
    other = of_another_patient(truth)
    added(viewer, other if name == "FLAIR" else made_from(other), name)
    dock.presenter.offer()
    assert_ended(dock)
    assert dock.choices.ticked == ["FLAIR (synthetic)"]
    dock.run.run.click()
    assert "Compared" in dock.run.message.text()


@pytest.mark.parametrize("name", ["FLAIR", "FLAIR (synthetic)"])
def test_a_comparison_ends_when_a_layer_that_was_compared_shows_other_voxels(
    dock, viewer, truth, qtbot, name
):
    dock.run.run.click()
    viewer.layers[name].data = of_another_patient(truth).display
    qtbot.waitUntil(lambda: not dock.presenter.looked, timeout=5000)
    assert_ended(dock)
    dock.presenter.offer()
    assert_ended(dock)


def test_a_comparison_stays_when_other_layers_change_or_the_same_voxels_are_shown_through_another_view(
    dock, viewer, truth
):
    dock.run.run.click()
    viewer.layers["FLAIR"].data = viewer.layers["FLAIR"].data.view()
    viewer.layers["T1w"].data = viewer.layers["T1w"].data * 2
    viewer.layers.remove("lesions")
    dock.presenter.offer()
    assert dock.presenter.looked
    assert dock.presenter.stage.is_on


def test_what_changed_while_it_was_measured_is_not_shown(qtbot, viewer, truth, questions):
    executor = HandExecutor()
    added(viewer, truth)
    added(viewer, made_from(truth))
    dock = CompareDock(viewer, executor, questions)
    qtbot.addWidget(dock)
    dock.run.run.click()
    viewer.layers["FLAIR (synthetic)"].data = of_another_patient(truth).display
    executor.finish()
    assert_ended(dock)


def test_where_all_layers_were_replaced_the_place_that_is_looked_at_stays(dock, viewer, truth):
    dock.run.run.click()
    kept = [layer for layer in viewer.layers if layer not in dock.presenter.stage.own]
    for layer in kept:
        viewer.layers.remove(layer)
    added(viewer, of_another_patient(truth), "FLAIR")
    viewer.scene.camera.center = (0.0, 11.0, 12.0)
    viewer.dims.set_point(0, 15.0)
    place = tuple(viewer.dims.point)
    dock.presenter.offer()
    assert_ended(dock)
    assert tuple(viewer.scene.camera.center) == (0.0, 11.0, 12.0)
    assert tuple(viewer.dims.point) == place


def test_a_comparison_that_ended_while_a_file_was_chosen_is_not_exported(dock, viewer, tmp_path, questions):
    path = tmp_path / "figures.csv"

    def save_as(title):
        viewer.layers.remove("FLAIR (synthetic)")
        return path

    dock.run.run.click()
    questions.save_as = save_as
    dock.run.save.click()
    assert not path.exists()
    assert "ended before it was exported" in dock.run.message.text()
