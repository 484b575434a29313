"""The brain mask: read off stripped data, computed for whole heads, refused where there is no brain."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_mrsynth.errors import InputError
from napari_mrsynth.imaging import Affine, Grid, Volume
from napari_mrsynth.preprocess.mask import STRIPPED, brain_mask, mask_size_note, stripped_support
from phantoms import affine_of, phantom, points_of, tissue_at


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def truth(volume: Volume) -> np.ndarray:
    return tissue_at(points_of(volume.grid)) > 0


def head(contrast: str = "FLAIR", skin: float = 300.0) -> Volume:
    """The phantom brain in a skull (dark) and skin (bright), in noisy air."""
    shape = (64, 76, 50)
    scan = phantom(shape, affine_of(shape, (3, 3, 3.5)), contrast, noise=0.03)
    radius = np.linalg.norm(points_of(scan.grid) / (82.0, 100.0, 76.0), axis=-1)
    air = np.abs(np.random.default_rng(0).normal(0, 4, shape))
    array = np.where(truth(scan), scan.array, air)
    array[(radius < 1) & ~truth(scan)] = 25  # bone
    array[(radius < 1) & (radius > 0.93)] = skin
    return scan.with_array(array.astype(np.float32))


def test_stripped_data_give_exactly_what_they_keep() -> None:
    scans = [phantom(contrast=contrast) for contrast in ("T1w", "FLAIR")]
    found = brain_mask(scans)
    assert found.how == STRIPPED
    np.testing.assert_array_equal(found.array, truth(scans[0]))


def test_zeros_and_small_negative_values_inside_a_stripped_brain_stay_inside() -> None:
    scan = phantom()
    array = scan.array.copy()
    array[18, 22, 16] = 0
    array[18, 24, 16] = -3
    np.testing.assert_array_equal(brain_mask([scan.with_array(array)]).array, truth(scan))


def test_a_background_that_is_not_zero_is_still_background() -> None:
    scan = phantom()
    np.testing.assert_array_equal(brain_mask([scan.with_array(scan.array - 1024)]).array, truth(scan))


def test_one_scan_that_lost_its_top_does_not_take_it_from_the_mask() -> None:
    scans = [phantom(contrast=contrast) for contrast in ("T1w", "T2w", "FLAIR")]
    cut = scans[1].array.copy()
    cut[:, :, 22:] = 0
    found = brain_mask([scans[0], scans[1].with_array(cut), scans[2]])
    np.testing.assert_array_equal(found.array, truth(scans[0]))


def test_a_whole_head_whose_air_is_exactly_zero_is_not_taken_for_stripped() -> None:
    scan = head()
    small = Grid(scan.grid.shape, affine_of(scan.grid.shape, (2.7, 2.7, 3.1)))  # a child's: of a brain's size
    assert stripped_support(scan.with_array(np.where(scan.array < 20, 0, scan.array), small)) is None


@pytest.mark.parametrize(("contrast", "skin"), [("FLAIR", 120.0), ("T2w", 300.0), ("T1w", 900.0)])
def test_the_brain_of_a_whole_head_is_found(contrast: str, skin: float) -> None:
    scan = head(contrast, skin)
    found = brain_mask([scan])
    assert found.how == f"computed from {contrast}"
    assert dice(found.array, truth(scan)) > 0.9


def test_of_several_heads_the_one_that_shows_the_brain_best_is_used() -> None:
    assert brain_mask([head("T1w"), head("FLAIR")]).how == "computed from FLAIR"


def test_nothing_to_see_is_refused() -> None:
    flat = phantom().with_array(np.full((36, 44, 32), 5.0, np.float32))
    with pytest.raises(InputError, match="No brain was found"):
        brain_mask([flat])
    with pytest.raises(InputError, match="at least one"):
        brain_mask([])


@pytest.mark.parametrize("session", ["patient01_study2", "patient04_study1", "patient12_study2"])
def test_real_whole_heads_agree_with_the_published_masks(real_scans: Path, session: str) -> None:
    image = nib.load(real_scans / "ms-native" / session / f"{session}_FLAIR.nii.gz")
    scan = Volume(np.asarray(image.dataobj), Grid(image.shape, Affine(image.affine)), contrast="FLAIR")
    given = nib.load(real_scans / "ms-native" / session / f"{session}_FLAIR_brainmask.nii.gz")
    assert dice(brain_mask([scan]).array, np.asarray(given.dataobj) > 0) >= 0.9


def test_a_real_stripped_scan_with_negative_values_is_recognised(real_scans: Path) -> None:
    image = nib.load(real_scans / "ms" / "patient07" / "patient07_FLAIR.nii.gz")
    scan = Volume(
        image.get_fdata(dtype=np.float32), Grid(image.shape, Affine(image.affine)), contrast="FLAIR"
    )
    found = brain_mask([scan])
    assert found.how == STRIPPED
    assert found.array[scan.array < 0].all()


@pytest.mark.parametrize(
    ("side", "shown_side", "spacing_mm", "words"),
    [
        (10, 40, 3.0, "covers only 2%"),
        (28, 40, 3.0, None),
        (60, 60, 2.0, "fills 100% of the field"),
        (50, 60, 3.0, "more than a brain"),
    ],
)
def test_a_mask_of_unlikely_size_is_noted(side, shown_side, spacing_mm, words):
    grid = Grid((60, 60, 60), affine_of((60, 60, 60), (spacing_mm,) * 3))

    def cube(of):
        inside = np.zeros(grid.shape, bool)
        inside[:of, :of, :of] = True
        return inside

    notes = mask_size_note(cube(side), cube(shown_side), grid)
    assert len(notes) == (words is not None)
    assert all(words in note for note in notes)
