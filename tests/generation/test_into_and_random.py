"""A lesion in a real scan: bit by bit the same away from it. Random anatomy: by a seed, filtered."""

from __future__ import annotations

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from lesion_models import SPACING_MM, lesion_models
from napari_mrsynth.errors import ConfigError, InputError, LabelError
from napari_mrsynth.generation import (
    LesionMaker,
    RandomAnatomy,
    anatomy_bundle,
    generator_bundle,
    paint_into,
    paint_on,
    patient_anatomy,
)
from napari_mrsynth.generation.random import OPEN, OUTSIDE
from napari_mrsynth.imaging import BrainMask, LabelVolume
from napari_mrsynth.io import read_image, write_volume
from napari_mrsynth.lesions import label_set
from phantoms import affine_of, lesion_labels, phantom, points_of, tissue_at

TUMOUR = label_set("tumour")
SHAPE = (36, 44, 32)
AFFINE = affine_of(SHAPE, (4, 4, 4), "LPS")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return lesion_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def labels():
    return lesion_labels(SHAPE, AFFINE)


@pytest.fixture(scope="module")
def brain(labels):
    return BrainMask(tissue_at(points_of(labels.grid)) > 0, "phantom")


def distance(labels):
    """Brute force, in mm."""
    points = points_of(labels.grid)
    lesion = points[labels.array > 0]
    flat = points.reshape(-1, 3)
    nearest = np.min([np.linalg.norm(flat - each, axis=1) for each in lesion], axis=0)
    return nearest.reshape(labels.array.shape)


@pytest.fixture(scope="module")
def far(labels):
    return distance(labels)


def made_of(real, labels, scale=0.4, shift=20.0):
    """A 'generated' scan: the real anatomy on another intensity scale, bright in the lesion."""
    array = real.array.astype(np.float32) * scale + shift
    array[labels.array > 0] = 600 * scale + shift
    return replace(real, array=array, source=replace(real.source, synthetic={"Synthetic": True}))


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.uint8])
def test_away_from_the_lesion_every_voxel_is_the_real_one_bit_by_bit(labels, brain, far, dtype, tmp_path):
    real = phantom(SHAPE, AFFINE, "FLAIR", scale=150, noise=0.05, dtype=dtype)
    painted = paint_into(real, made_of(real, labels), labels, brain, blend_mm=6)
    assert painted.array.dtype == dtype
    away = far > 6
    assert (painted.array[away] == real.array[away]).all()
    assert (painted.array[labels.array > 0] != real.array[labels.array > 0]).any()
    written = write_volume(tmp_path / "p_desc-synthetic_FLAIR.nii.gz", painted)
    stored = np.asarray(nib.load(written).dataobj)
    assert (stored[away] == real.array[away]).all()
    assert read_image(written, kind="scan").is_synthetic


def test_the_made_intensities_are_brought_to_the_real_ones_around_the_lesion(labels, brain):
    real = phantom(SHAPE, AFFINE, "FLAIR", scale=400, noise=0.02)
    painted = paint_into(real, made_of(real, labels), labels, brain, blend_mm=0)
    record = painted.source.synthetic["into"]
    np.testing.assert_allclose(record["scale"], 2.0, rtol=1e-3)  # 1 / 0.4, held at 2
    gentle = paint_into(real, made_of(real, labels, 0.8, 20), labels, brain, blend_mm=0)
    record = gentle.source.synthetic["into"]
    np.testing.assert_allclose((record["scale"], record["shift"]), (1.25, -25), rtol=1e-3)
    np.testing.assert_allclose(gentle.array[labels.array > 0], 600, rtol=1e-3)


def test_a_dark_lesion_stays_dark_in_a_scan_with_negative_values(labels, brain):
    real = phantom(SHAPE, AFFINE, "T1w", scale=1, noise=0.02)
    inside = brain.array
    centred = np.where(inside, (real.array - real.array[inside].mean()) / real.array[inside].std(), 0)
    scored = replace(real, array=centred.astype(np.float32))
    made = made_of(real, labels, 100, 0)
    made.array[labels.array > 0] = 1e-3  # black
    painted = paint_into(scored, made, labels, brain, blend_mm=0)
    core = painted.array[labels.array > 0]
    np.testing.assert_allclose(core, max(centred[inside].min(), core.min()), rtol=1e-5)
    assert core.max() < -0.5  # darker than the brain's mean, which is 0


def test_where_little_lies_around_the_lesion_the_whole_brain_is_compared(labels, brain, far):
    real = phantom(SHAPE, AFFINE, "FLAIR", scale=150, noise=0.02)
    close = BrainMask(brain.array & ((labels.array > 0) | (far > 8)), "with a gap")
    painted = paint_into(real, made_of(real, labels, 0.8, 20), labels, close, blend_mm=0)
    record = painted.source.synthetic["into"]
    np.testing.assert_allclose((record["scale"], record["shift"]), (1.25, -25), rtol=1e-3)
    alone = BrainMask(labels.array > 0, "nothing but the lesion")
    with pytest.raises(InputError, match="no healthy brain"):
        paint_into(real, made_of(real, labels), labels, alone)


def test_the_rim_passes_over_without_a_step(labels, brain, far):
    real = phantom(SHAPE, AFFINE, "FLAIR", noise=0)
    flat = replace(real, array=np.where(brain.array, 400, 0).astype(np.float32))
    bright = replace(flat, array=np.where(labels.array > 0, 900, flat.array + 500).astype(np.float32))
    painted = paint_into(flat, bright, labels, brain, blend_mm=12)
    hard = paint_into(flat, bright, labels, brain, blend_mm=0)
    rim = (far > 0) & (far < 12) & brain.array
    assert (hard.array[rim] == 400).all()
    assert not painted.array[far >= 12][brain.array[far >= 12]].std()
    assert painted.source.synthetic["into"]["blend_mm"] == 12


def test_nothing_is_changed_outside_the_brain(labels, brain, far):
    real = phantom(SHAPE, AFFINE, "FLAIR")
    shut = BrainMask(brain.array & (labels.array != 2), "without the outer lesion")
    painted = paint_into(real, made_of(real, labels), labels, shut)
    assert (painted.array[~shut.array] == real.array[~shut.array]).all()


def test_a_scan_on_another_grid_keeps_its_own(labels, brain):
    shape, affine = (40, 30, 50), affine_of((40, 30, 50), (4.2, 6.0, 3.5), "PIR", (4, 0, 3))
    real = phantom(shape, affine, "T2w", noise=0.03)
    made = made_of(phantom(SHAPE, AFFINE, "T2w"), labels)
    painted = paint_into(real, made, labels, brain)
    assert painted.grid.same_as(real.grid)
    changed = painted.array != real.array
    assert 0 < changed.sum() < 0.1 * changed.size


def test_a_lesion_that_the_scan_does_not_show_is_refused(labels, brain):
    shape = (10, 10, 10)
    real = phantom(shape, affine_of(shape, (4, 4, 4), "RAS", centre_mm=(-40, -40, -30)), "T2w")
    with pytest.raises(InputError, match="no voxel in T2w"):
        paint_into(real, made_of(phantom(SHAPE, AFFINE, "T2w"), labels), labels, brain)
    with pytest.raises(ConfigError, match="-1 mm"):
        paint_into(real, real, labels, brain, blend_mm=-1)


# ---------------------------------------------------------------------- random anatomy


class Drawing:
    """A predictor whose brains grow with the attempts; the outlines of the first ones are open."""

    size = (96, 96)

    def __init__(self, closed_from: int = 2) -> None:
        self.closed_from = closed_from

    def attempt(self, seed, attempt):
        rows, columns = np.mgrid[:96, :96]
        radius = np.hypot(rows - 47.5, columns - 47.5)
        size = 16 + 3 * attempt + seed % 3
        brain = (radius < size).astype(np.uint8)
        edge = ((radius < size) & (radius > size - 2)).astype(np.uint8)
        if attempt < self.closed_from:
            edge[:, 44:52] = 0
        return edge, brain


@pytest.fixture
def drawer(store):
    drawer = RandomAnatomy(anatomy_bundle(store))
    drawer._predictor = Drawing()
    return drawer


def test_a_map_is_drawn_again_until_its_outline_is_closed(drawer):
    found = drawer.draw(0)
    assert (found.attempts, found.refusals) == (3, {OPEN: 2})
    assert found.anatomy.record["accepted"] is True
    assert found.anatomy.record["refusals"] == {OPEN: 2}
    assert not found.anatomy.notes


def test_and_until_it_holds_the_lesion(drawer):
    small = np.zeros((96, 96, 3), np.uint8)
    small[72:75, 48, 1] = 1  # 24 to 27 voxels from the middle
    labels = LabelVolume(small, lesion_labels((96, 96, 3), affine_of((96, 96, 3), (4, 4, 4), "LAS")).grid)
    found = drawer.draw(0, labels, TUMOUR)
    assert found.refusals[OUTSIDE] == 4
    assert found.attempts == 5
    painted = paint_on(found.labels, TUMOUR, found.anatomy)
    assert int((painted.labels.array == 1).sum()) == 3
    assert found.anatomy.grid.shape == (96, 96, 1)
    here = found.anatomy.grid.affine.apply(np.argwhere(painted.labels.array)).mean(0)
    there = labels.grid.affine.apply(np.argwhere(labels.array)).mean(0)
    np.testing.assert_allclose(here, there, atol=1e-6)  # the lesion stays where it was painted


def test_the_slice_of_the_labels_is_recorded_and_one_without_lesion_is_refused(drawer):
    marked = np.zeros((96, 96, 12), np.uint8)
    for index, size in ((1, 2), (4, 3), (5, 6), (6, 3)):
        marked[47 : 47 + size, 48, index] = 1
    labels = LabelVolume(marked, lesion_labels((96, 96, 12), affine_of((96, 96, 12), (4, 4, 4), "LAS")).grid)
    found = drawer.draw(0, labels, TUMOUR)
    assert found.anatomy.record["labels_slice"] == 5
    assert found.anatomy.notes[-1].startswith("Slice 5 of the labels' 12 was taken, which has most lesion")
    given = drawer.draw(0, labels, TUMOUR, display_slice=1)
    assert given.anatomy.record["labels_slice"] == 1
    assert "most lesion" not in given.anatomy.notes[-1]
    assert "labels_slice" not in drawer.draw(0).anatomy.record
    with pytest.raises(LabelError, match=r"Slice 2 has no lesion; it lies in 1, 4 to 6\.") as caught:
        drawer.draw(0, labels, TUMOUR, display_slice=2)
    assert "slice 5" in caught.value.hint
    with pytest.raises(ConfigError, match="no slice 12: the labels have 12"):
        drawer.draw(0, labels, TUMOUR, display_slice=12)


def test_a_lesion_that_no_drawn_brain_holds_is_refused_with_the_counts(drawer):
    far = np.zeros((96, 96, 1), np.uint8)
    far[0, 0, 0] = 1
    labels = LabelVolume(far, lesion_labels((96, 96, 1), affine_of((96, 96, 1), (4, 4, 4), "LAS")).grid)
    with pytest.raises(LabelError, match="Of 6 brains drawn with seed 1 none holds the lesion"):
        drawer.draw(1, labels, TUMOUR, attempts=6)


def test_after_the_last_attempt_the_best_is_taken_and_it_says_so(drawer):
    drawer._predictor.closed_from = 99
    found = drawer.draw(0, attempts=4)
    assert found.attempts == 4
    assert found.anatomy.record["accepted"] is False
    assert "passed the filter in 4 attempts" in found.anatomy.notes[0]


def test_the_same_seed_draws_the_same_and_labels_painted_on_it_fit(store):
    one, other, third = (RandomAnatomy(anatomy_bundle(store)).draw(seed, attempts=3) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.anatomy.structure, other.anatomy.structure)
    assert one.anatomy.structure.shape != third.anatomy.structure.shape or (
        (one.anatomy.structure != third.anatomy.structure).any()
    )
    array = np.zeros(one.anatomy.grid.shape, np.uint8)
    middle = np.argwhere(one.anatomy.brain.array).mean(0).astype(int)
    array[tuple(middle)] = 2
    labels = LabelVolume(array, one.anatomy.grid, "mine")
    if one.anatomy.brain.array[tuple(middle)]:
        again = RandomAnatomy(anatomy_bundle(store)).draw(5, labels, TUMOUR, attempts=3)
        assert again.anatomy.grid.same_as(one.anatomy.grid)
        np.testing.assert_array_equal(again.labels.array, array)


def test_a_random_slice_can_be_painted_and_made(drawer, store):
    found = drawer.draw(0)
    array = found.anatomy.brain.array.astype(np.uint8)
    array[:44] = 0
    painted = paint_on(LabelVolume(array, found.anatomy.grid), TUMOUR, found.anatomy)
    maker = LesionMaker(generator_bundle(store, TUMOUR), "cpu", "fp32")
    plane = maker.preview(found.anatomy, painted, ["T1w", "FLAIR"], 0)
    assert set(plane) == {"T1w", "FLAIR"}
    assert plane["T1w"].shape == (96, 96)
    assert plane["T1w"].any()


def test_bad_seeds_are_refused(drawer):
    with pytest.raises(ConfigError, match="Seed -1"):
        drawer.draw(-1)


def test_patients_anatomy_of_a_blank_brain_is_refused():
    real = phantom(SHAPE, AFFINE, "T1w")
    blank = replace(real, array=np.zeros(SHAPE, np.float32))
    with pytest.raises(InputError):
        patient_anatomy(blank, SPACING_MM)
