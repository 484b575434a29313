"""The lesions of a sample: as many as the disease has, inside the brain, also where that is one slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_mrsynth.datasets.lesions import COUNTS, draw_labels
from napari_mrsynth.errors import LabelError
from napari_mrsynth.generation import Anatomy, random_slice
from napari_mrsynth.imaging import Grid, LabelVolume
from napari_mrsynth.lesions import LesionLibrary, label_set
from napari_mrsynth.structure.filtering import Drawn
from phantoms import affine_of, points_of, save


def anatomy(radius_mm: float = 70.0) -> Anatomy:
    """A slice of 2 mm voxels, its brain an ellipse off the middle."""
    rows, columns = np.indices((90, 80)) * 2.0
    brain = ((rows - 92) / radius_mm) ** 2 + ((columns - 76) / (0.8 * radius_mm)) ** 2 < 1
    edge = brain & ~np.roll(brain, 1, axis=0)
    drawn = Drawn(edge.astype(np.uint8), brain.astype(np.uint8), 0.0, 1, accepted=True)
    return random_slice(drawn, 2.0, name="drawn", seed=0)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> LesionLibrary:
    """One map of three MS lesions."""
    shape = (60, 50, 40)
    place = Grid(shape, affine_of(shape, (1, 1, 1), "RAS"))
    array = np.zeros(shape, np.uint8)
    for centre, size in (((-15, 5, 0), 6), ((12, -8, 4), 5), ((2, 14, -6), 4)):
        array[np.linalg.norm(points_of(place) - centre, axis=-1) < size] = 1
    folder: Path = tmp_path_factory.mktemp("ms")
    save(LabelVolume(array, place, "three"), folder / "three_seg.nii.gz")
    return LesionLibrary(folder, label_set("ms"))


def test_many_small_lesions_are_drawn_one_by_one_and_one_slice_of_them_is_kept(library):
    drawn = [draw_labels(library, anatomy(), "ms", seed) for seed in range(4)]
    low, high = COUNTS["ms"]
    assert all(low <= len(each.record["placed"]) <= high for each in drawn)
    assert len({len(each.record["placed"]) for each in drawn}) > 1
    for each in drawn:
        assert each.labels.array.shape == (80, 90, 1)
        assert each.labels.present == (1,)
        assert not (each.labels.array.astype(bool) & ~anatomy().brain.array).any()


def test_a_disease_of_one_lesion_gets_one_map_whole_and_the_same_seed_the_same(library):
    first, again, other = (draw_labels(library, anatomy(), "stroke", seed) for seed in (3, 3, 4))
    assert len(first.record["placed"]) == 1
    assert np.array_equal(first.labels.array, again.labels.array)
    assert not np.array_equal(first.labels.array, other.labels.array)


def test_a_brain_too_small_for_any_lesion_is_refused(library):
    with pytest.raises(LabelError, match="fitted into the brain"):
        draw_labels(library, anatomy(radius_mm=3.0), "stroke", 0)
