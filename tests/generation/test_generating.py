"""Scans made of painted lesions: whose anatomy, which grid, slice and volume alike, the twin, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bad.models import tiny_model
from lesion_models import CONTRASTS, SPACING_MM, lesion_models
from napari_mrsynth.bundles import BundleStore
from napari_mrsynth.errors import BundleError, ContrastError, LabelError
from napari_mrsynth.generation import (
    LesionCheck,
    LesionMaker,
    generator_bundle,
    paint_on,
    paint_slice,
    patient_anatomy,
    segmenter_bundle,
)
from napari_mrsynth.generation.saving import save
from napari_mrsynth.imaging import Affine, Grid, LabelVolume
from napari_mrsynth.io import read_image
from napari_mrsynth.io.provenance import recognise
from napari_mrsynth.lesions import label_set
from napari_mrsynth.progress import ended
from napari_mrsynth.structure import StructureSettings, default_beta, map_volume
from phantoms import affine_of, brain_study, lesion_labels, phantom

TUMOUR = label_set("tumour")
SHAPE = (36, 44, 32)
AFFINE = affine_of(SHAPE, (4, 4, 4), "LPS", (6, -4, 0))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return lesion_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def maker(store):
    return LesionMaker(generator_bundle(store, TUMOUR), device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def scan():
    return phantom(SHAPE, AFFINE, "T1w", noise=0.02, name="T1w")


@pytest.fixture(scope="module")
def labels():
    return lesion_labels(SHAPE, AFFINE)


@pytest.fixture(scope="module")
def anatomy(scan):
    return patient_anatomy(scan, SPACING_MM, name="p")


@pytest.fixture(scope="module")
def painted(labels, anatomy):
    return paint_on(labels, TUMOUR, anatomy)


def finish(steps):
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return end.value, seen


@pytest.fixture(scope="module")
def made(maker, anatomy, painted):
    return finish(maker.run(anatomy, painted, CONTRASTS, healthy=True, first_slice=20))


def test_every_contrast_lies_on_the_patients_own_grid_and_is_nothing_outside_the_brain(made, scan, anatomy):
    result, _ = made
    assert set(result.outputs) == set(CONTRASTS)
    for contrast, volume in result.outputs.items():
        assert volume.grid.same_as(scan.grid)
        assert not volume.array[~anatomy.brain.array].any()
        assert volume.array[anatomy.brain.array].any()
        assert (volume.contrast, volume.is_synthetic) == (contrast, True)
        assert volume.source.synthetic["anatomy"]["scan"]["fingerprint"] == scan.fingerprint


def test_the_displayed_slice_comes_first_and_is_that_of_the_volume(made, maker, anatomy, painted):
    result, seen = made
    shown = [step.planes for step in seen if step.planes]
    assert len(shown) == 1
    assert seen.index(next(step for step in seen if step.planes)) < len(seen) / 2
    preview = maker.preview(anatomy, painted, CONTRASTS, 20)
    for contrast, (index, plane) in shown[0].items():
        assert index == 20
        np.testing.assert_allclose(plane, result.outputs[contrast].display[20], rtol=1e-4, atol=1e-2)
        np.testing.assert_allclose(preview[contrast], plane, rtol=1e-4, atol=1e-2)


def test_the_healthy_twin_differs_in_slices_with_lesion_only(made, painted):
    result, _ = made
    marked = np.asarray(painted.labels.display).any(axis=(1, 2))
    for contrast in CONTRASTS:
        difference = result.difference[contrast]
        np.testing.assert_array_equal(
            difference.array, result.outputs[contrast].array - result.healthy[contrast].array
        )
        shown = np.asarray(difference.display)
        assert not shown[~marked].any()
        assert shown[marked].any()
        assert result.healthy[contrast].source.synthetic["lesion"] is None
        assert difference.is_synthetic


def test_structure_agreement_is_given_per_contrast(made):
    result, _ = made
    assert set(result.structure_f1) == set(CONTRASTS)
    assert all(0 <= value <= 1 for value in result.structure_f1.values())


def test_no_edge_is_kept_in_the_patients_own_lesion(scan, labels, anatomy):
    bare = patient_anatomy(scan, SPACING_MM, lesions=labels)
    inside = bare.in_frame(labels) > 0
    assert anatomy.structure[inside].any()
    assert not bare.structure[inside].any()
    np.testing.assert_array_equal(bare.structure[~inside], anatomy.structure[~inside])


def test_the_map_that_is_shown_and_saved_is_the_one_that_is_drawn_from():
    shape = (70, 80, 32)  # much air: the means of a map are not to depend on it
    scan = phantom(shape, affine_of(shape, (4, 4, 4), "LPS"), "T1w", noise=0.02)
    drawn_from = patient_anatomy(scan, SPACING_MM)
    shown = ended(map_volume(scan, StructureSettings(default_beta("T1w"))))
    s, a, r = drawn_from.frame.box
    np.testing.assert_array_equal(shown.structure.display[s, a, r], drawn_from.structure)
    np.testing.assert_array_equal(shown.brain.display[s, a, r], drawn_from.inside)
    assert shown.structure.array.sum() == drawn_from.structure.sum() > 0


def test_thick_slices_are_made_on_their_own_grid(maker, labels):
    shape, affine = (30, 40, 20), affine_of((30, 40, 20), (5.0, 4.5, 7.0), "ASL")
    scan = phantom(shape, affine, "FLAIR")
    anatomy = patient_anatomy(scan, SPACING_MM)
    painted = paint_on(labels, TUMOUR, anatomy)
    assert any("another grid" in note for note in painted.labels.notes)
    result, _ = finish(maker.run(anatomy, painted, ["T2w"]))
    assert result.outputs["T2w"].grid.same_as(scan.grid)
    assert any("another grid" in warning for warning in result.warnings)


def test_a_lesion_at_the_brains_edge_survives_another_grid_and_one_outside_does_not(anatomy):
    brain = anatomy.brain.array
    coarse = anatomy.grid.affine.matrix.copy()
    coarse[:3, :3] *= 2
    coarse[:3, 3] = anatomy.grid.affine.apply((0.5, 0.5, 0.5))
    shape = tuple(n // 2 for n in brain.shape)
    blocks = brain.reshape(shape[0], 2, shape[1], 2, shape[2], 2)
    drawn = np.where(blocks.any(axis=(1, 3, 5)), 2, 0).astype(np.uint8)  # reaches over the edge everywhere
    painted = paint_on(LabelVolume(drawn, Grid(shape, Affine(coarse)), "coarse"), TUMOUR, anatomy)
    np.testing.assert_array_equal(painted.labels.array > 0, brain)
    assert any("just outside the brain were left out" in note for note in painted.labels.notes)
    assert any("another grid" in note for note in painted.labels.notes)
    far = np.zeros(shape, np.uint8)
    far[:2, :2] = 2
    with pytest.raises(LabelError, match="100% of the lesion lies outside"):
        paint_on(LabelVolume(far, Grid(shape, Affine(coarse)), "far"), TUMOUR, anatomy)


def test_the_segmenters_answer_has_a_figure_per_class_and_one_for_all(made, store, anatomy, painted):
    result, _ = made
    checker = LesionCheck(segmenter_bundle(store, TUMOUR), device="cpu", precision="fp32")
    check, steps = finish(checker.run(result.outputs, painted.labels, anatomy.brain))
    assert set(check.dice) == {"label-1", "label-2", "label-4", "lesion"}
    assert check.found.grid.same_as(anatomy.grid)
    assert not check.found.array[~anatomy.brain.array].any()
    both = (check.found.array > 0) & (painted.labels.array > 0)
    total = (check.found.array > 0).sum() + (painted.labels.array > 0).sum()
    assert check.overall == pytest.approx(2 * both.sum() / total)
    assert len(steps) > 1


@pytest.mark.parametrize("kind", ["empty", "unknown", "outside"])
def test_labels_that_cannot_be_painted_are_refused_with_the_reason(kind, labels, anatomy):
    array = labels.array.copy()
    if kind == "empty":
        array[:] = 0
    elif kind == "unknown":
        array[array == 1] = 9
    else:
        array[:2] = 2
    says = {"empty": "is empty", "unknown": r"\[9\]", "outside": "outside the brain"}[kind]
    with pytest.raises(LabelError, match=says):
        paint_on(LabelVolume(array, labels.grid, "mine"), TUMOUR, anatomy)


def test_a_contrast_that_the_model_does_not_make_is_refused(maker, anatomy, painted):
    with pytest.raises(ContrastError, match="DWI cannot be made"):
        maker.preview(anatomy, painted, ["T1w", "DWI"], 10)
    with pytest.raises(ContrastError, match="Nothing is asked for"):
        next(maker.run(anatomy, painted, []))


def test_without_a_model_the_error_says_where_it_was_looked_for_and_what_to_do(tmp_path):
    store = lesion_models(tmp_path, "anatomy")
    with pytest.raises(BundleError, match="that makes scans of tumour is installed") as raised:
        generator_bundle(store, TUMOUR)
    assert str(tmp_path) in raised.value.message
    assert "mrsynth train" in raised.value.hint


def test_a_model_of_one_disease_is_not_taken_for_another_with_the_same_numbers(tmp_path):
    import shutil

    import yaml

    lesion_models(tmp_path, "scans")
    card = tmp_path / "scans-tumour" / "card.yaml"
    plain = yaml.safe_load(card.read_text())
    plain["network"]["classes"], plain["id"] = [1], "scans-ms"
    shutil.move(tmp_path / "scans-tumour", tmp_path / "scans-ms")
    (tmp_path / "scans-ms" / "card.yaml").write_text(yaml.safe_dump(plain))
    store = BundleStore([tmp_path])
    assert generator_bundle(store, label_set("ms")).card.id == "scans-ms"
    with pytest.raises(BundleError, match="stroke"):
        generator_bundle(store, label_set("stroke"))
    with pytest.raises(BundleError, match="'scans-ms' is of another disease"):
        generator_bundle(store, label_set("stroke"), "scans-ms")


def test_cancelling_leaves_the_maker_usable(maker, anatomy, painted):
    steps = maker.run(anatomy, painted, ["T1w"])
    next(steps)
    next(steps)
    steps.close()
    result, _ = finish(maker.run(anatomy, painted, ["T1w"]))
    assert set(result.outputs) == {"T1w"}
    assert not result.healthy


def test_every_file_is_marked_synthetic(made, tmp_path):
    result, _ = made
    written = [path for _, path in save(tmp_path, result)]
    assert len(written) == 3 * len(CONTRASTS) + 1
    for path in written:
        assert recognise(path) is not None
        assert "desc-synthetic" in path.name
    flair = next(path for path in written if path.name.endswith("desc-synthetic_FLAIR.nii.gz"))
    again = read_image(flair, kind="scan")
    np.testing.assert_array_equal(again.array, result.outputs["FLAIR"].array)
    seg = next(path for path in written if path.name.endswith("desc-synthetic_seg.nii.gz"))
    labels = read_image(seg, kind="labels")
    np.testing.assert_array_equal(labels.array, result.painted.labels.array)


def test_the_same_request_makes_the_same_voxels(maker, anatomy, painted, made):
    again, _ = finish(maker.run(anatomy, painted, ["FLAIR"]))
    np.testing.assert_allclose(
        again.outputs["FLAIR"].array, made[0].outputs["FLAIR"].array, rtol=1e-5, atol=1e-3
    )


def test_a_scan_that_a_model_made_says_so_as_anatomy(scan):
    fake = replace(scan, source=replace(scan.source, synthetic={"Synthetic": True}))
    assert any("made by a model" in note for note in patient_anatomy(fake, SPACING_MM).notes)


@pytest.mark.parametrize("spacing", [(4, 4, 4), (5.0, 4.5, 7.0)])
def test_a_slice_painted_quickly_is_that_of_the_whole(maker, spacing):
    affine = affine_of(SHAPE, spacing, "LPS")
    scan, labels = phantom(SHAPE, affine, "T1w"), lesion_labels(SHAPE, affine)
    anatomy = patient_anatomy(scan, SPACING_MM)
    whole = paint_on(labels, TUMOUR, anatomy)
    index = int(np.asarray(labels.display).any(axis=(1, 2)).argmax()) + 1
    quick = paint_slice(labels, anatomy, index)
    assert quick.framed.any()
    np.testing.assert_array_equal(
        maker.preview(anatomy, quick, ["FLAIR"], index)["FLAIR"],
        maker.preview(anatomy, whole, ["FLAIR"], index)["FLAIR"],
    )


def test_the_generator_translates_a_real_contrast_in_the_synthesis_engine(store):
    from napari_mrsynth.synthesis import Engine, Request

    study = brain_study(("T1w", "T2w"))
    assert "scans-tumour" in [card.id for card in store.synthesisers()]
    request = Request(("FLAIR", "T1ce"), ("T1w",), "scans-tumour", "cpu", "fp32")
    result, _ = finish(Engine(store).run(study, request))
    assert set(result.outputs) == {"FLAIR", "T1ce"}
    assert result.outputs["FLAIR"].array.any()
    assert result.outputs["FLAIR"].is_synthetic


def test_a_generator_is_not_the_first_choice_for_synthesis(tmp_path):
    root = tiny_model(tmp_path).parent
    first = lesion_models(tmp_path / "generators", "scans").roots[0]
    both = BundleStore([first, root])
    assert [card.id for card in both.synthesisers()] == ["scans-tumour", "tiny"]
    assert both.default(["T1w"], ["FLAIR"]).id == "tiny"
