"""A study, its previews and its results as layers of a viewer without a window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Image

from napari_mrsynth.gui.adapter import ViewerAdapter
from napari_mrsynth.gui.layer_data import KEY, layer_tuple
from napari_mrsynth.imaging import LabelVolume, Member, Study
from napari_mrsynth.preprocess.study import build_study
from napari_mrsynth.session.edit import renamed
from napari_mrsynth.synthesis import Request, Result
from phantoms import affine_of, brain_study, phantom
from session.fakes import FakeEngine


@pytest.fixture
def adapter(viewer) -> ViewerAdapter:
    return ViewerAdapter(viewer)


def names(adapter: ViewerAdapter) -> set[str]:
    return {layer.name for layer in adapter.viewer.layers}


def result_of(study: Study, *wanted: str) -> Result:
    used = tuple(c for c in study.contrasts if c not in wanted)
    steps = FakeEngine().run(study, Request(wanted, used))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_a_study_becomes_one_layer_per_contrast_and_one_of_lesions(adapter):
    adapter.show_study(brain_study(("T1w", "FLAIR"), lesion=True))
    assert names(adapter) == {"T1w", "FLAIR", "lesions"}
    assert adapter.layer_of("T1w").visible
    assert not adapter.layer_of("FLAIR").visible
    assert all(str(unit) == "millimeter" for unit in adapter.layer_of("T1w").units)


def test_hidden_scans_have_a_picture_in_the_list_of_layers(adapter):
    adapter.show_study(brain_study(("T1w", "T2w", "FLAIR")))
    hidden = [layer for layer in adapter.viewer.layers if not layer.visible]
    assert len(hidden) == 2
    for layer in hidden:
        assert np.count_nonzero(layer.thumbnail[..., 0] > 50) > layer.thumbnail[..., 0].size // 4


def test_every_side_of_the_patient_is_where_the_layer_says(adapter):
    study = brain_study(("T1w",), codes="LPS", noise=0)
    adapter.show_study(study)
    layer = adapter.layer_of("T1w")
    for place in ((47.0, 4.0, 6.0), (-46.0, -8.0, 3.0), (8.0, 63.0, 0.0), (7.0, 10.0, 45.0)):
        native = tuple(np.round(study.grid.affine.unapply(place)).astype(int))
        x, y, z = study.grid.affine.apply(native)
        shown = tuple(np.round(layer.world_to_data((z, y, x))).astype(int))
        assert layer.data[shown] == study.volume("T1w").array[native]


def test_showing_the_same_study_again_changes_nothing(adapter):
    study = brain_study(("T1w", "T2w"))
    adapter.show_study(study)
    before = list(adapter.viewer.layers)
    adapter.show_study(study.switched(T2w=False))
    assert list(adapter.viewer.layers) == before


def test_a_renamed_contrast_keeps_its_layer(adapter):
    study = brain_study(("T1w", "T2w"))
    adapter.show_study(study)
    layer = adapter.layer_of("T2w")
    adapter.show_study(renamed(study, "T2w", "FLAIR"))
    assert adapter.layer_of("FLAIR") is layer
    assert layer.name == "FLAIR"
    assert layer.metadata[KEY]["contrast"] == "FLAIR"


def test_a_layer_keeps_the_name_that_its_user_gave_it(adapter):
    study = brain_study(("T1w", "T2w"))
    adapter.show_study(study)
    adapter.show_result(study, result_of(study, "FLAIR"))
    adapter.layer_of("T1w").name = "my T1"
    adapter.layer_of("T2w").name = "my T2"
    adapter.result_of("FLAIR").name = "the good one"
    adapter.show_study(renamed(study, "T2w", "PDw"))
    adapter.show_result(study, result_of(study, "FLAIR"))
    assert names(adapter) == {"my T1", "my T2", "the good one"}


def test_another_patient_replaces_the_first_and_its_results(adapter):
    study = brain_study(("T1w", "T2w"))
    adapter.show_study(study)
    adapter.show_result(study, result_of(study, "T2w"))
    adapter.show_study(brain_study(("FLAIR",)), patient=1)
    assert names(adapter) == {"FLAIR"}


def test_nothing_of_a_patient_is_left_on_the_next_one_of_the_same_name(adapter):
    first = brain_study(("T1w", "T2w"), lesion=True)
    adapter.show_study(first)
    for _ in range(2):
        adapter.show_result(first, result_of(first, "FLAIR"), keep_earlier=True)
    bright = brain_study(("T1w", "T2w"), scale=8000)
    adapter.show_study(bright, patient=1)
    assert names(adapter) == {"T1w", "T2w"}
    assert adapter.layer_of("T1w").contrast_limits[1] > 4000


def test_each_patient_of_a_name_has_the_lesions_of_its_own(adapter):
    adapter.show_study(brain_study(("T1w",), lesion=True))
    other = brain_study(("T1w",), lesion=True, codes="RAS")
    adapter.show_study(other, patient=1)
    [lesions] = [layer for layer in adapter.viewer.layers if layer.name == "lesions"]
    np.testing.assert_array_equal(lesions.data, other.lesions.display)


def test_lesions_that_were_painted_on_stay_hidden_with_the_user(adapter):
    study = brain_study(("T1w",), lesion=True)
    as_read = study.lesions.array.copy()
    adapter.show_study(study, patient=1)
    [layer] = [layer for layer in adapter.viewer.layers if layer.name == "lesions"]
    layer.data_setitem((np.array([2]), np.array([2]), np.array([2])), 1)
    np.testing.assert_array_equal(study.lesions.array, as_read)
    adapter.show_study(brain_study(("T1w",), lesion=True), patient=2)
    assert names(adapter) == {"T1w", "lesions", "lesions, edited"}
    assert not layer.visible
    assert layer.data[2, 2, 2] == 1


def test_a_layer_of_the_user_is_hidden_under_another_patient(adapter):
    study = brain_study(("T1w",))
    data, attributes, _ = layer_tuple(study.volume("T1w"), name="mine")
    mine = adapter.viewer.add_image(data, **attributes)
    adapter.lend(study.volume("T1w"), mine)
    adapter.show_study(study)
    adapter.show_study(brain_study(("T1w",)), patient=1)
    assert mine in adapter.viewer.layers
    assert not mine.visible


def test_a_moved_contrast_is_updated_in_its_layer(adapter):
    study = brain_study(("T1w", "T2w"))
    adapter.show_study(study)
    layer = adapter.layer_of("T2w")
    moved = study.volume("T2w").with_array(np.roll(study.volume("T2w").array, 2, axis=0))
    members = {**study.members, "T2w": Member(study.members["T2w"].native, moved)}
    adapter.show_study(replace(study, members=members))
    assert adapter.layer_of("T2w") is layer
    np.testing.assert_array_equal(layer.data, moved.display)


def test_a_layer_of_the_user_is_adopted_and_stays_when_the_patient_is_closed(adapter):
    study = brain_study(("T1w",))
    data, attributes, _ = layer_tuple(study.volume("T1w"), name="mine")
    mine = Image(data, **attributes)
    adapter.viewer.add_layer(mine)
    adapter.lend(study.volume("T1w"), mine)
    adapter.show_study(study)
    assert list(adapter.viewer.layers) == [mine]
    assert adapter.spare_layers == []
    adapter.show_study(None)
    assert list(adapter.viewer.layers) == [mine]


def test_the_voxels_of_a_users_layer_are_never_replaced_by_resampled_ones(adapter):
    first = phantom(contrast="T1w")
    other = phantom((18, 22, 16), affine_of((18, 22, 16), (8, 8, 8)), contrast="T2w")
    data, attributes, _ = layer_tuple(other, name="mine")
    mine = Image(data, **attributes)
    adapter.viewer.add_layer(mine)
    adapter.lend(other, mine)
    study = build_study([first, other], name="p", reference="T1w")
    adapter.show_study(study)
    assert mine.data is data
    assert not mine.visible
    assert adapter.layer_of("T2w").data.shape == study.grid.display.shape
    assert "grid of T1w" in adapter.layer_of("T2w").name


@pytest.mark.parametrize("contrast", ["T1w", "FLAIR (synthetic)"])
def test_scans_and_results_cannot_be_edited_in_place(adapter, contrast):
    study = brain_study(("T1w", "T2w"))
    adapter.show_study(study)
    adapter.show_result(study, result_of(study, "FLAIR"))
    for _ in range(2):
        with pytest.raises(ValueError, match="read-only"):
            adapter.viewer.layers[contrast].data[...] = 0
        adapter.show_result(study, result_of(study, "FLAIR"))


def test_a_layer_of_the_user_can_be_edited_again_once_the_patient_is_closed(adapter):
    study = brain_study(("T1w",))
    data, attributes, _ = layer_tuple(study.volume("T1w"), name="mine")
    mine = adapter.viewer.add_image(data, **attributes)
    adapter.lend(study.volume("T1w"), mine)
    adapter.show_study(study)
    with pytest.raises(ValueError, match="read-only"):
        mine.data[...] = 0
    adapter.show_study(None)
    mine.data[0, 0, 0] = 7
    assert data[0, 0, 0] == 7


def test_a_layer_that_was_given_other_voxels_is_the_users_and_the_scan_is_shown_anew(adapter):
    study = brain_study(("T1w", "T2w"))
    adapter.show_study(study)
    news = []
    adapter.let_go.connect(lambda contrast, layer: news.append((contrast, layer)))
    edited = adapter.layer_of("T1w")
    edited.data = edited.data[::-1] * 2
    assert news == [("T1w", edited)]
    assert edited in adapter.spare_layers
    assert edited.metadata[KEY]["source"].path is None
    assert edited.metadata[KEY]["source"].format == "layer"
    adapter.show_study(study)
    assert adapter.layer_of("T1w") is not edited
    assert not adapter.layer_of("T1w").visible
    np.testing.assert_array_equal(adapter.layer_of("T1w").data, study.volume("T1w").display)
    adapter.show_study(brain_study(("T1w", "T2w")), patient=1)
    assert edited in adapter.viewer.layers
    assert not edited.visible


def test_updating_its_own_layers_lets_none_of_them_go(adapter):
    study = brain_study(("T1w", "T2w"))
    adapter.show_study(study)
    news = []
    adapter.let_go.connect(lambda contrast, layer: news.append(contrast))
    moved = study.volume("T2w").with_array(np.roll(study.volume("T2w").array, 2, axis=0))
    adapter.show_study(
        replace(study, members={**study.members, "T2w": Member(study.members["T2w"].native, moved)})
    )
    for wanted in (("FLAIR",), ("FLAIR", "T1ce")):
        adapter.show_result(study, result_of(study, *wanted))
    assert news == []


def test_a_preview_is_one_slice_thick_at_its_height_and_goes_without_a_trace(adapter):
    study = brain_study(("T1w",))
    adapter.show_study(study)
    plane = study.volume("T1w").display[9].copy()
    adapter.show_planes(study, {"FLAIR": (9, plane)})
    layer = adapter.viewer.layers["FLAIR (preview)"]
    assert layer.data.shape == (1, *plane.shape)
    assert layer.translate[0] == pytest.approx(study.grid.display.affine.origin[2] + 9 * layer.scale[0])
    adapter.show_planes(study, {"FLAIR": (10, plane)})
    assert layer.translate[0] == pytest.approx(study.grid.display.affine.origin[2] + 10 * layer.scale[0])
    assert adapter.viewer.canvas.overlays["mrsynth_warning"].visible
    adapter.drop_previews()
    assert names(adapter) == {"T1w"}


def test_a_preview_grows_into_the_result(adapter):
    study = brain_study(("T1w", "T2w"))
    adapter.show_study(study)
    adapter.show_planes(study, {"FLAIR": (9, study.volume("T1w").display[9].copy())})
    layer = adapter.viewer.layers["FLAIR (preview)"]
    result = result_of(study, "FLAIR")
    adapter.show_result(study, result)
    assert adapter.result_of("FLAIR") is layer
    assert names(adapter) == {"T1w", "T2w", "FLAIR (synthetic)"}
    np.testing.assert_array_equal(layer.data, result.outputs["FLAIR"].display)
    assert layer.metadata[KEY]["kind"] == "synthetic"
    assert layer.translate == pytest.approx(adapter.layer_of("T1w").translate)


def test_a_result_is_marked_carries_its_provenance_and_follows_its_truth(adapter):
    study = brain_study(("T1w", "T2w", "FLAIR"))
    adapter.show_study(study)
    adapter.show_result(study, result_of(study, "FLAIR"))
    made, truth = adapter.result_of("FLAIR"), adapter.layer_of("FLAIR")
    assert made.name == "FLAIR (synthetic)"
    assert {layer.name for layer in adapter.viewer.layers if layer.visible} == {"FLAIR (synthetic)", "FLAIR"}
    assert made.metadata[KEY]["provenance"] == {"model": "mean", "inputs": ["T1w", "T2w"]}
    ratio = made.contrast_limits[1] / truth.contrast_limits[1]
    truth.contrast_limits = (10.0, 300.0)
    assert made.contrast_limits == pytest.approx([10 * ratio, 300 * ratio])
    made.contrast_limits = (0.0, 200.0)
    assert truth.contrast_limits == pytest.approx([0.0, 200 / ratio])


def test_limits_are_linked_in_proportion_to_each_ones_brain_mean(adapter):
    study = brain_study(("T1w", "FLAIR"))
    bright = study.volume("FLAIR").with_array(study.volume("FLAIR").array * 10)
    study = replace(study, members={**study.members, "FLAIR": Member(bright, bright)})
    adapter.show_study(study)
    adapter.show_result(study, result_of(study, "FLAIR"))
    inside = study.mask.array
    expected = study.volume("T1w").array[inside].mean() / bright.array[inside].mean()
    made, truth = adapter.result_of("FLAIR"), adapter.layer_of("FLAIR")
    assert made.contrast_limits[1] / truth.contrast_limits[1] == pytest.approx(expected, rel=0.05)


def test_a_second_run_replaces_the_layer_or_keeps_the_first_aside(adapter):
    study = brain_study(("T1w", "T2w"))
    adapter.show_study(study)
    adapter.show_result(study, result_of(study, "FLAIR"))
    first = adapter.result_of("FLAIR")
    adapter.show_result(study, result_of(study, "FLAIR"))
    assert adapter.result_of("FLAIR") is first
    adapter.show_result(study, result_of(study, "FLAIR"), keep_earlier=True)
    assert adapter.result_of("FLAIR") is not first
    assert first in adapter.viewer.layers
    assert first.name == "FLAIR (synthetic), earlier"


def test_the_source_map_is_a_label_layer_that_names_the_scans(adapter):
    study = brain_study(("T1w", "T2w"))
    adapter.show_study(study)
    labels = LabelVolume(np.ones(study.grid.shape, np.uint8), study.grid, "m", labels={1: "T1w", 2: "T2w"})
    adapter.show_result(study, replace(result_of(study, "FLAIR"), source_map=labels))
    layer = adapter.viewer.layers["source map (synthetic)"]
    assert list(layer.features["scan"]) == ["", "T1w", "T2w"]


def test_a_source_map_goes_when_its_contrast_is_made_without_one_and_stays_for_another(adapter):
    study = brain_study(("T1w", "T2w"))
    adapter.show_study(study)
    labels = LabelVolume(np.ones(study.grid.shape, np.uint8), study.grid, "m", labels={1: "T1w"})
    adapter.show_result(study, replace(result_of(study, "FLAIR"), source_map=labels))
    adapter.show_result(study, result_of(study, "T1ce"))
    assert "source map (synthetic)" in names(adapter)
    adapter.show_result(study, result_of(study, "FLAIR"))
    assert not any("source map" in name for name in names(adapter))


def test_an_earlier_source_map_is_kept_aside_with_the_result_it_belongs_to(adapter):
    study = brain_study(("T1w", "T2w"))
    adapter.show_study(study)
    labels = LabelVolume(np.ones(study.grid.shape, np.uint8), study.grid, "m", labels={1: "T1w"})
    adapter.show_result(study, replace(result_of(study, "FLAIR"), source_map=labels))
    adapter.show_result(study, result_of(study, "FLAIR"), keep_earlier=True)
    earlier = adapter.viewer.layers["source map (synthetic), earlier"]
    assert not earlier.visible
    adapter.show_study(brain_study(("FLAIR",)), patient=1)
    assert names(adapter) == {"FLAIR"}
