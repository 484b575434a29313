"""“Make images” of the “Lesion studio” dock: live slices, volumes, twins, real scans, random anatomy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lesion_models import CONTRASTS, lesion_models
from napari_mrsynth.bundles import BundleStore
from napari_mrsynth.gui import marking, scene
from napari_mrsynth.gui.layer_data import image_of, layer_tuple
from napari_mrsynth.gui.lesions.dock import LesionDock
from napari_mrsynth.gui.lesions.session import LesionSession
from napari_mrsynth.io import read_image
from napari_mrsynth.io.provenance import recognise
from napari_mrsynth.session import State
from phantoms import affine_of, lesion_labels, nifti_file, phantom
from session.fakes import HandExecutor

SHAPE = (36, 44, 32)
AFFINE = affine_of(SHAPE, (4, 4, 4), "LPS")


class Answers:
    def __init__(self, folder: Path) -> None:
        self._folder, self.asked = folder, 0

    def folder(self, title: str) -> Path:
        return self._folder

    def confirm(self, title: str, text: str, yes: str) -> bool:
        self.asked += 1
        return True


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> BundleStore:
    return lesion_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def make(qtbot, viewer, store, tmp_path):
    def build(models=store, executor=None) -> LesionDock:
        for contrast in ("FLAIR", "T1w"):
            data, attributes, _ = layer_tuple(phantom(SHAPE, AFFINE, contrast, noise=0.02))
            viewer.add_image(data, **attributes)
        scene.look_at(viewer, scene.Plane.AXIAL)
        dock = LesionDock(viewer, LesionSession(executor), Answers(tmp_path / "out"), models)
        qtbot.addWidget(dock)
        return dock

    return build


@pytest.fixture
def painting(make, viewer):
    dock = make()
    dock.paint.scan_chosen.emit("T1w")
    dock.paint.begin.click()
    lesion = lesion_labels(SHAPE, AFFINE)
    layer = dock.presenter.layers.painted
    layer.data_setitem(np.nonzero(lesion.display), lesion.display[np.nonzero(lesion.display)])
    height = np.argwhere(lesion.display)[:, 0].mean()
    viewer.dims.set_point(0, layer.data_to_world((round(height), 0, 0))[0])
    return dock


def names(viewer, word: str) -> set[str]:
    return {layer.name for layer in viewer.layers if word in layer.name}


def stroke(dock) -> None:
    """Change a voxel of the displayed slice, and let the live slice come now."""
    layer = dock.presenter.layers.painted
    shown = dock.making._shown()
    at = (np.array([shown]), np.array([20]), np.array([18]))
    layer.data_setitem(at, np.array([4 - int(layer.data[shown, 20, 18])]))
    assert dock.making._soon.isActive()
    live(dock)


def live(dock) -> None:
    dock.making._soon.stop()
    dock.making.preview()


def test_a_stroke_remakes_the_displayed_slice_of_every_ticked_contrast(painting, viewer):
    dock = painting
    dock.make.boxes["T2w"].click()
    dock.make.live.setChecked(True)
    stroke(dock)
    assert names(viewer, "(preview)") == {f"{name} (preview)" for name in CONTRASTS if name != "T2w"}
    flair = viewer.layers["FLAIR (preview)"]
    assert flair.data.shape == (1, 44, 36)
    assert marking.is_synthetic(flair)
    dock.making._soon.stop()
    dock.presenter.layers.painted.refresh()
    assert not dock.making._soon.isActive()  # drawn anew is not painted
    assert dock.presenter.layers.painted.contour == 1
    before = flair.data.copy()
    dock.presenter.layers.erase_all()
    assert dock.making._soon.isActive()
    live(dock)
    assert not np.array_equal(viewer.layers["FLAIR (preview)"].data, before)
    dock.make.live.setChecked(False)
    assert not names(viewer, "(preview)")


def test_the_preview_follows_the_displayed_slice(painting, viewer):
    painting.make.live.setChecked(True)
    stroke(painting)
    at = viewer.layers["T1w (preview)"].translate[0]
    viewer.dims.set_point(0, viewer.dims.point[0] + 12)
    painting.making._soon.stop()
    painting.making.preview()
    assert viewer.layers["T1w (preview)"].translate[0] == pytest.approx(at + 12)


def test_the_volume_comes_as_registered_marked_layers_with_twin_difference_and_dice(painting, viewer):
    dock = painting
    dock.make.twin.setChecked(True)
    dock.make.into.setChecked(True)
    dock.make.make.click()
    assert dock.session.status.state is State.DONE, dock.session.status
    assert "Dice" in dock.session.status.message
    assert "whole lesion" in dock.make.dice.text()
    real = viewer.layers["T1w"]
    for name in CONTRASTS:
        for what in ("synthetic", "healthy twin", "lesion's difference"):
            layer = viewer.layers[f"{name} ({what})"]
            assert marking.is_synthetic(layer)
            assert image_of(layer).grid.same_as(image_of(real).grid)
    inside = viewer.layers["T1w (synthetic lesion)"]
    assert marking.is_synthetic(inside)
    assert inside.visible
    changed = inside.data != real.data
    assert 0 < changed.sum() < 0.2 * changed.size
    assert names(viewer, "synthetic lesion") == {"T1w (synthetic lesion)", "FLAIR (synthetic lesion)"}
    dock.make.twin.setChecked(False)
    dock.make.make.click()
    assert not names(viewer, "twin")
    assert len(names(viewer, "(synthetic)")) == len(CONTRASTS)


def test_what_was_made_as_a_whole_is_not_covered_by_a_live_slice_until_the_next_stroke(painting, viewer):
    dock = painting
    dock.make.live.setChecked(True)
    stroke(dock)
    dock.make.make.click()
    assert viewer.layers["T1w (synthetic)"].visible
    viewer.dims.set_point(0, viewer.dims.point[0] + 8)
    assert not dock.making._soon.isActive()
    assert not names(viewer, "(preview)")
    stroke(dock)
    assert names(viewer, "(preview)")
    assert not viewer.layers["T1w (synthetic)"].visible


def test_everything_that_was_made_is_saved_marked_and_asked_about_before_it_is_replaced(painting, tmp_path):
    dock = painting
    assert not dock.make.save.isEnabled()
    dock.make.make.click()
    dock.make.save.click()
    written = sorted((tmp_path / "out").glob("*.nii.gz"))
    assert len(written) == len(CONTRASTS) + 2
    assert all(recognise(path) is not None for path in written)
    dock.make.save.click()
    assert dock.making._questions.asked == 1
    assert "Saved" in dock.session.status.message


def test_no_image_of_an_earlier_lesion_stays_beside_another_ones_label(painting, tmp_path):
    painting.make.make.click()
    painting.make.save.click()
    for contrast in CONTRASTS[1:]:
        painting.make.ticked.emit(contrast, False)
    painting.presenter.layers.painted.data_setitem(
        (np.array([16]), np.array([20]), np.array([18])), np.array([2])
    )
    painting.make.make.click()
    painting.make.save.click()
    assert painting.making._questions.asked == 1
    left = {path.name for path in (tmp_path / "out").glob("*.nii.gz")}
    assert not [name for name in left if name.endswith(("T1ce.nii.gz", "T2w.nii.gz", "FLAIR.nii.gz"))]
    assert len(left) == 3


def test_what_is_missing_is_said_on_the_button(make, viewer, tmp_path):
    dock = make(BundleStore([tmp_path / "none"]))
    dock.paint.scan_chosen.emit("T1w")
    dock.paint.begin.click()
    assert not dock.make.make.isEnabled()
    assert not dock.make.draw.isEnabled()
    assert "is installed" in dock.make.models.text()
    assert "mrsynth train" in dock.make.models.text()


def test_without_labels_or_lesion_nothing_is_made_and_it_says_why(make):
    dock = make()
    assert "Choose a scan" in dock.make.make.toolTip()
    dock.paint.scan_chosen.emit("T1w")
    assert "Start painting" in dock.make.make.toolTip()
    dock.paint.begin.click()
    dock.make.make.click()
    assert (dock.session.status.state, dock.session.status.message) == (
        State.FAILED,
        "Nothing has been painted yet.",
    )


def test_a_lesion_outside_the_brain_is_refused_with_the_share(painting):
    layer = painting.presenter.layers.painted
    layer.data_setitem((np.array([0]), np.array([0]), np.array([0])), np.array([2]))
    painting.make.make.click()
    assert painting.session.status.state is State.FAILED
    assert "outside the brain" in painting.session.status.message


def test_random_anatomy_comes_as_a_slice_to_paint_into_and_its_brain_is_known(make, viewer, monkeypatch):
    from generation.test_into_and_random import Drawing
    from napari_mrsynth.generation import RandomAnatomy

    drawing = Drawing()
    monkeypatch.setattr(RandomAnatomy, "_loaded", lambda self: drawing)
    dock = make()
    dock.make.seed.setValue(8)
    dock.make.draw.click()
    assert "Seed 8, 3 drawn" in dock.session.status.hint
    assert dock.session.volume.is_synthetic
    assert dock.session.brain.how == "drawn with seed 8"
    dock.paint.begin.click()
    layer = dock.presenter.layers.painted
    assert layer.data.shape == (1, 96, 96)
    layer.data_setitem((np.array([0, 0]), np.array([48, 49]), np.array([48, 48])), np.array([2, 2]))
    dock.make.make.click()
    assert dock.session.status.state is State.DONE, dock.session.status
    assert dock.images.result.generated.anatomy.record["seed"] == 8
    first = dock.session.volume
    dock.make.draw.click()
    assert dock.images.brain_of(first).how == "drawn with seed 8"  # drawing another does not forget it


def test_a_run_can_be_cancelled_and_leaves_no_layer(make, viewer):
    executor = HandExecutor()
    dock = make(executor=executor)
    dock.paint.scan_chosen.emit("T1w")
    executor.finish()
    dock.paint.begin.click()
    executor.finish()
    layer = dock.presenter.layers.painted
    layer.data_setitem((np.array([16]), np.array([22]), np.array([18])), np.array([2]))
    dock.make.make.click()
    executor.step()
    executor.step()
    assert not dock.make.make.isEnabled()
    dock.run.cancel.click()
    executor.finish()
    assert dock.make.make.isEnabled()
    assert not names(viewer, "(synthetic)")


def test_choosing_the_patients_own_lesion_changes_the_anatomy(painting, viewer):
    lesion = lesion_labels(SHAPE, AFFINE)
    data, attributes, _ = layer_tuple(lesion, name="own")
    viewer.add_labels(data, **attributes)
    painting.make.own_chosen.emit("own")
    painting.make.make.click()
    record = painting.images.result.generated.anatomy.record
    assert record["lesions_removed"]["classes"] == [1, 2]


def test_a_stroke_on_the_patients_own_lesions_changes_the_anatomy_too(painting, viewer):
    data, attributes, _ = layer_tuple(lesion_labels(SHAPE, AFFINE), name="own")
    layer = viewer.add_labels(data, **attributes)
    painting.make.own_chosen.emit("own")
    painting.make.make.click()
    before = painting.images.result.generated.anatomy
    painting.make.make.click()
    assert painting.images.result.generated.anatomy is before
    layer.data[...] = 0
    layer.data[14:18, 20:24, 16:20] = 1
    painting.make.make.click()
    after = painting.images.result.generated.anatomy
    assert after is not before
    assert after.record["lesions_removed"]["classes"] == [1]


def test_a_live_slice_of_one_patient_does_not_lie_over_the_next(painting, viewer):
    painting.make.live.setChecked(True)
    stroke(painting)
    live(painting)
    assert names(viewer, "(preview)")
    painting.paint.scan_chosen.emit("FLAIR")
    assert not names(viewer, "(preview)")


def test_two_patients_on_equal_grids_are_never_mixed(qtbot, viewer, store, tmp_path):
    for seed, patient in enumerate(("p1", "p2")):
        for contrast in ("T1w", "FLAIR"):
            scan = phantom(SHAPE, AFFINE, contrast, noise=0.02, seed=seed)
            file = nifti_file(tmp_path / patient / f"{patient}_{contrast}.nii.gz", scan.array, AFFINE)
            data, attributes, _ = layer_tuple(read_image(file, kind="scan"), name=f"{contrast} of {patient}")
            viewer.add_image(data, **attributes)
    data, attributes, _ = layer_tuple(lesion_labels(SHAPE, AFFINE), name="lesion of p1")
    viewer.add_labels(data, **attributes)
    dock = LesionDock(viewer, LesionSession(), Answers(tmp_path / "out"), store)
    qtbot.addWidget(dock)
    dock.paint.scan_chosen.emit("T1w of p1")
    dock.make.own_chosen.emit("lesion of p1")
    dock.paint.scan_chosen.emit("FLAIR of p1")
    assert dock.images.own is not None
    dock.paint.scan_chosen.emit("T1w of p2")
    assert dock.images.own is None
    assert dock.make.own.currentText() == "none"
    dock.paint.begin.click()
    layer, lesion = dock.presenter.layers.painted, lesion_labels(SHAPE, AFFINE).display
    layer.data_setitem(np.nonzero(lesion), lesion[np.nonzero(lesion)])
    dock.make.into.setChecked(True)
    dock.make.make.click()
    made = dock.images.result
    assert {name: scan.source.synthetic["into"]["scan"] for name, scan in made.into.items()} == {
        "T1w": "T1w of p2",
        "FLAIR": "FLAIR of p2",
    }
    dock.make.save.click()
    assert {file.name.split("_")[0] for file in (tmp_path / "out").iterdir()} == {"sub-p2"}


def test_the_dice_is_shown_only_beside_the_labels_it_was_counted_on(painting):
    dock = painting
    dock.make.make.click()
    assert dock.make.dice.text()
    painted = dock.presenter.layers.painted
    dock.presenter.layers.erase_all()
    dock.presenter._measure()
    assert not dock.make.dice.text()
    painted.undo()
    dock.presenter._measure()
    assert dock.make.dice.text()
    dock.paint.disease_chosen.emit("ms")
    assert not dock.make.dice.text()


def test_a_refusal_goes_away_once_what_is_painted_has_changed(make):
    dock = make()
    dock.paint.scan_chosen.emit("T1w")
    dock.paint.begin.click()
    dock.presenter._measure()
    dock.make.make.click()
    assert dock.session.status.message == "Nothing has been painted yet."
    dock.presenter._measure()
    assert dock.session.status.state is State.FAILED  # nothing was put right
    dock.presenter.layers.painted.data_setitem(
        (np.array([16]), np.array([22]), np.array([18])), np.array([2])
    )
    dock.presenter._measure()
    assert dock.session.status.state is State.READY


def test_what_was_made_is_never_covered_by_a_scan_or_a_refused_lesion(painting, viewer):
    data, attributes, _ = layer_tuple(phantom(SHAPE, AFFINE, "T2w"), name="opened later")
    viewer.add_image(data, **attributes)
    painting.make.make.click()
    shown = viewer.layers["T1w (synthetic)"]
    assert shown.visible
    above = viewer.layers[viewer.layers.index(shown) + 1 :]
    assert viewer.layers["opened later"] in above
    assert not [
        layer.name for layer in above if layer.visible and layer is not painting.presenter.layers.painted
    ]


def test_random_anatomy_lies_under_the_labels_says_its_seed_and_takes_stamps(
    make, viewer, monkeypatch, tmp_path
):
    from generation.test_into_and_random import Drawing
    from lesions.conftest import blob
    from napari_mrsynth.generation import RandomAnatomy
    from napari_mrsynth.imaging import Grid, LabelVolume
    from phantoms import save

    drawing = Drawing()
    monkeypatch.setattr(RandomAnatomy, "_loaded", lambda self: drawing)
    dock = make()
    dock.paint.scan_chosen.emit("T1w")
    dock.paint.begin.click()
    folder = tmp_path / "shapes"
    folder.mkdir()
    place = Grid((40, 40, 40), affine_of((40, 40, 40), (1, 1, 1), centre_mm=(90, 80, 70)))
    shape = LabelVolume(blob((90, 80, 70), 9, (2, 4), place), place, "one")
    save(shape, folder / "one_seg.nii.gz")
    dock.session.open_library(folder)
    dock.session.take("one_seg")
    dock.session.move(centre_mm=(90.0, 80.0, 70.0))  # far from where the next brain lies
    dock.make.seed.setValue(8)
    dock.make.draw.click()
    drawn = viewer.layers["random anatomy, seed 8 (T1w, synthetic)"]
    assert viewer.layers.index(drawn) < viewer.layers.index(viewer.layers["painted tumour"])
    dock.paint.begin.click()
    assert dock.session.ghost.refusal is None, dock.session.ghost.refusal
    dock.run.run.click()
    stamped = dock.presenter.layers.painted.data
    assert stamped.shape[0] == 1
    assert set(np.unique(stamped)) == {0, 2, 4}
    dock.session.draw(5, single=True)
    assert dock.session.ghost.refusal is None
    assert "seed 5" in dock.session.status.message
    dock.make.make.click()
    assert dock.session.status.state is State.DONE, dock.session.status
    made = viewer.layers["T1w (synthetic)"]
    above = viewer.layers[viewer.layers.index(made) + 1 :]
    assert made.visible
    assert not any(layer.visible for layer in above if layer.name.startswith(("random", "lesion to stamp")))
