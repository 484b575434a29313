"""A prediction and its truth meet on the prediction's grid, and what was done to get there is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_mrsynth.errors import FormatError, GridError
from napari_mrsynth.evaluation import Pair
from napari_mrsynth.evaluation.pairing import FEW
from napari_mrsynth.imaging import Grid, LabelVolume, Source
from phantoms import affine_of, lesion_labels, phantom

SHAPE, SPACING = (36, 44, 32), (5.0, 5.0, 5.0)


@pytest.fixture
def truth():
    return phantom(SHAPE, affine_of(SHAPE, SPACING), "FLAIR", lesion=True)


@pytest.fixture
def mask(truth):
    return LabelVolume((truth.array > 0).astype(np.uint8), truth.grid, "my mask")


def test_images_on_one_grid_are_scored_as_they_are(truth, mask):
    lesions = lesion_labels(SHAPE, truth.grid.affine)
    pair = Pair.of(truth.with_array(truth.array + 10), truth, mask=mask, lesions=lesions)
    assert pair.truth is truth.array
    assert not pair.notes
    assert pair.mask_from == "my mask"
    scores = pair.score()
    assert set(scores.regions) == {"whole", "brain", "healthy", "lesion"}
    assert scores.regions["whole"].mae == pytest.approx(10, rel=1e-5)


def test_without_a_mask_the_brain_is_found_in_the_truth_and_not_in_the_prediction(truth):
    flooded = truth.with_array(np.full_like(truth.array, 500))
    pair = Pair.of(flooded, truth)
    np.testing.assert_array_equal(pair.brain, truth.array > 0)
    assert "found in the truth" in pair.mask_from


def test_a_truth_on_another_axis_order_is_brought_over_exactly_and_said(truth, mask):
    turned_grid = truth.grid.display
    turned = truth.with_array(np.ascontiguousarray(truth.display), turned_grid)
    pair = Pair.of(truth, turned, mask=mask)
    np.testing.assert_allclose(pair.truth, truth.array, atol=1e-2)
    assert any("another grid" in note and "voxels were copied" in note for note in pair.notes)
    assert pair.field.all()


def test_voxels_the_truth_does_not_cover_are_not_scored_as_if_it_were_zero(truth, mask):
    part = truth.array[:, :, 10:]
    matrix = truth.grid.affine.matrix.copy()
    matrix[:3, 3] = truth.grid.affine.apply((0, 0, 10))
    shorter = truth.with_array(part, Grid(part.shape, type(truth.grid.affine)(matrix)))
    pair = Pair.of(truth, shorter, mask=mask)
    assert not pair.field[:, :, :9].any()
    assert pair.field[:, :, 11:].all()
    scores = pair.score()
    assert scores.regions["whole"].mse < 1
    assert scores.regions["brain"].voxels < np.count_nonzero(mask.array)
    assert any("only these voxels are scored" in note for note in pair.notes)


def test_masks_and_lesions_on_another_grid_keep_their_labels(truth):
    fine = affine_of((72, 88, 64), (2.5, 2.5, 2.5))
    lesions = lesion_labels((72, 88, 64), fine)
    pair = Pair.of(truth, truth, lesions=lesions)
    assert set(np.unique(pair.lesions)) == {0, 1, 2}
    assert any("lesion labels lie on another grid" in note for note in pair.notes)


def test_images_that_do_not_meet_are_refused(truth):
    far = affine_of(SHAPE, SPACING, centre_mm=(900, 0, 0))
    with pytest.raises(GridError, match="does not meet"):
        Pair.of(truth, truth.with_array(truth.array, Grid(SHAPE, far)))


def test_a_synthetic_truth_and_unlike_contrasts_are_said(truth, mask):
    made = replace(truth, source=Source(synthetic={"model": "x"}))
    assert any("itself synthetic" in note for note in Pair.of(truth, made, mask=mask).notes)
    other = truth.as_contrast("T2w")
    assert "The prediction is T2w, the truth FLAIR." in Pair.of(other, truth, mask=mask).notes


def test_lesions_beyond_the_brain_mask_are_said_and_not_scored(truth):
    lesions = lesion_labels(SHAPE, truth.grid.affine)
    where = np.argwhere(lesions.array > 0)
    half = (truth.array > 0).astype(np.uint8)
    half[where[:, 0].mean().astype(int) :] = 0
    pair = Pair.of(truth, truth, mask=LabelVolume(half, truth.grid, "half"), lesions=lesions)
    outside = np.count_nonzero((lesions.array > 0) & (half == 0))
    assert any(note.startswith(f"{outside} of the {len(where)} lesion voxels") for note in pair.notes)


def test_a_mask_that_reaches_beyond_the_field_is_said(truth, mask):
    matrix = truth.grid.affine.matrix.copy()
    matrix[0, 3] += 60
    moved = LabelVolume(mask.array, Grid(SHAPE, type(truth.grid.affine)(matrix)), "elsewhere")
    pair = Pair.of(truth, truth, mask=moved)
    assert any("of the brain mask lies outside the prediction's field" in note for note in pair.notes)


def test_a_parcellation_as_truth_is_refused(truth):
    parcels = truth.with_array((truth.array > 0) * (1 + np.indices(SHAPE).sum(axis=0) // 4).astype(np.int16))
    assert np.unique(parcels.array).size > FEW
    with pytest.raises(FormatError, match="it is a label map, not a scan"):
        Pair.of(truth, parcels)


def test_a_noisy_scan_of_few_whole_numbers_is_no_label_map(truth):
    rng = np.random.default_rng(0)
    coarse = np.rint(truth.array / 8 + rng.normal(0, 2, SHAPE) * (truth.array > 0)).clip(0)
    scan = truth.with_array(coarse.astype(np.uint8))
    assert np.unique(scan.array).size < 200
    assert Pair.of(truth, scan).truth is scan.array
