"""Label maps from anywhere: numbers, names, grids, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mrsynth.errors import ConfigError, GridError, LabelError
from napari_mrsynth.imaging import Grid, LabelVolume
from napari_mrsynth.io import read_image
from napari_mrsynth.lesions import LABEL_SETS, conform, label_set, require_inside
from phantoms import affine_of, nifti_file

SHAPE = (20, 24, 18)
GRID = Grid(SHAPE, affine_of(SHAPE))
TUMOUR, MS = label_set("tumour"), label_set("ms")


def labels(values: dict[int, slice], grid: Grid = GRID, name: str = "seg") -> LabelVolume:
    array = np.zeros(grid.shape, np.uint8)
    for value, along in values.items():
        array[along, 8:14, 6:12] = value
    return LabelVolume(array, grid, name)


def test_the_classes_have_the_numbers_of_the_data_names_and_colours_of_their_own():
    assert TUMOUR.names == {1: "necrotic core", 2: "oedema", 4: "enhancing tumour"}
    for classes in LABEL_SETS.values():
        assert len({each.colour for each in classes.classes}) == len(classes.classes)
        assert 0 not in classes.values
    with pytest.raises(ConfigError, match="'cyst'"):
        label_set("cyst")


def test_a_map_that_fits_keeps_its_voxels_and_gets_names():
    given = labels({1: slice(4, 6), 4: slice(6, 8), 2: slice(8, 12)})
    made = conform(given, TUMOUR, GRID)
    np.testing.assert_array_equal(made.array, given.array)
    assert made.labels == TUMOUR.names
    assert made.notes == ()


def test_the_numbers_of_brats_2023_are_translated_and_said_so():
    given = labels({1: slice(4, 6), 3: slice(6, 8), 2: slice(8, 12)})
    made = conform(given, TUMOUR)
    assert made.present == (1, 2, 4)
    np.testing.assert_array_equal(made.array == 4, given.array == 3)
    assert any("BraTS 2023" in note and "3 was read as 4" in note for note in made.notes)


def test_three_and_four_together_are_not_guessed_at():
    with pytest.raises(LabelError, match=r"knows no \[3\], and \[4\] beside it"):
        conform(labels({3: slice(4, 6), 4: slice(6, 8)}), TUMOUR)


def test_unknown_classes_are_refused_quoting_them():
    with pytest.raises(LabelError, match=r"Multiple sclerosis knows no \[2, 7\]") as refused:
        conform(labels({1: slice(2, 4), 2: slice(4, 6), 7: slice(6, 8)}), MS)
    assert "1 MS lesion" in refused.value.hint


def test_an_empty_map_is_refused():
    with pytest.raises(LabelError, match="“seg” is empty"):
        conform(labels({}), MS, GRID)


def test_another_grid_takes_the_nearest_voxels_and_says_so():
    other = Grid((30, 36, 27), affine_of((30, 36, 27), (2.7, 2.7, 2.7), "PSL"))
    made = conform(labels({1: slice(4, 12), 2: slice(12, 16)}), TUMOUR, other, of="FLAIR")
    assert made.grid.same_as(other)
    assert set(made.present) == {1, 2}  # never blended to a class between
    assert any("nearest voxels of FLAIR" in note for note in made.notes)


def test_a_map_of_another_head_and_one_that_vanishes_are_refused():
    far = Grid(SHAPE, affine_of(SHAPE, centre_mm=(900, 0, 0)))
    with pytest.raises(GridError, match="share no space"):
        conform(labels({1: slice(4, 6)}), MS, far)
    speck = LabelVolume(np.zeros((60, 60, 60), np.uint8), Grid((60, 60, 60), affine_of((60,) * 3, (1, 1, 1))))
    speck.array[34, 30, 30] = 1
    coarse = Grid((5, 5, 5), affine_of((5, 5, 5), (11, 11, 11)))
    with pytest.raises(LabelError, match="no voxel left"):
        conform(speck, MS, coarse)


def test_labels_that_are_not_whole_numbers_are_refused_when_read(tmp_path):
    path = nifti_file(tmp_path / "soft_seg.nii.gz", np.full(SHAPE, 0.5, np.float32), GRID.affine)
    with pytest.raises(LabelError, match=r"0\.5"):
        read_image(path, kind="labels")


def test_a_lesion_that_reaches_out_of_the_brain_is_refused_with_its_share():
    brain = np.zeros(SHAPE, bool)
    brain[:10] = True
    require_inside(labels({1: slice(4, 10)}), brain)
    with pytest.raises(LabelError, match=r"25% .* outside the brain \(72 of 288 voxels\)"):
        require_inside(labels({1: slice(4, 12)}), brain)
    with pytest.raises(GridError, match=r"\(20, 24, 18\)"):
        require_inside(labels({1: slice(4, 6)}), brain[:5])
