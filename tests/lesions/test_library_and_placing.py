"""Shapes from a folder, put into a brain: exact where nothing changes, inside or refused, repeatable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lesions.conftest import blob
from napari_mrsynth.errors import ConfigError, LabelError, MrsynthError
from napari_mrsynth.imaging import Affine, Grid, LabelVolume
from napari_mrsynth.io import read_image
from napari_mrsynth.lesions import LesionLibrary, LesionShape, Placement, label_set, place, random_lesion
from phantoms import affine_of, save

TUMOUR, MS = label_set("tumour"), label_set("ms")
quickly = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def opened(library) -> LesionLibrary:
    return LesionLibrary(library, TUMOUR)


@pytest.fixture(scope="module")
def shape(opened) -> LesionShape:
    return opened.shape("b/two_seg")


def test_a_library_lists_its_maps_by_name_and_reads_them_on_request(opened):
    assert opened.every_name == ("a/broken_seg", "a/one_seg", "b/three_seg", "b/two_seg")
    assert opened.names == ("a/one_seg", "b/three_seg", "b/two_seg")
    assert "broken" in opened.skipped["a/broken_seg"]
    assert opened.shape("b/two_seg").labels.present == (1, 2, 4)
    with pytest.raises(LabelError, match="“c” in"):
        opened.shape("c")


def test_a_folder_with_nothing_usable_is_refused_with_the_reasons(tmp_path, library):
    with pytest.raises(LabelError, match="no image files"):
        LesionLibrary(tmp_path, TUMOUR)
    with pytest.raises(LabelError, match="not a folder"):
        LesionLibrary(tmp_path / "missing", TUMOUR)
    with pytest.raises(
        LabelError, match=r"no usable lesion map of Multiple sclerosis .*4 looked at.*knows no"
    ):
        LesionLibrary(library, MS)


def test_a_shape_put_back_where_it_was_found_has_the_same_bits(library, shape):
    original = read_image(library / "b" / "two_seg.nii.gz", kind="labels")
    placed = place(shape, Placement(tuple(shape.centre_mm)), original.grid)
    back = placed.stamped(np.zeros(original.grid.shape, np.uint8))
    np.testing.assert_array_equal(np.where(back == 4, 3, back), original.array)


@pytest.mark.parametrize(("codes", "tilt"), [("LPS", (0, 0, 0)), ("PIR", (0, 0, 0)), ("SAL", (11, -7, 15))])
def test_a_lesion_lies_at_the_same_place_of_the_head_on_any_grid(shape, codes, tilt):
    size = (70, 76, 66)
    grid = Grid(size, affine_of(size, (2, 2, 2), codes, tilt))
    placed = place(shape, Placement((-12.0, 9.0, 6.0), 1.3, (0, 0, 40)), grid)
    found = LesionShape.of(placed.labels(TUMOUR.names))
    np.testing.assert_allclose(found.centre_mm, (-12, 9, 6), atol=0.7)
    assert found.volume_ml == pytest.approx(1.3**3 * shape.volume_ml, rel=0.06)


@given(
    centre=st.tuples(*[st.floats(-25, 25)] * 3),
    scale=st.floats(0.6, 1.5),
    turns=st.tuples(*[st.floats(-180, 180)] * 3),
    mirror=st.tuples(*[st.booleans()] * 3),
)
@quickly
def test_whatever_is_done_to_it_volume_and_classes_follow(shape, grid, centre, scale, turns, mirror):
    placed = place(shape, Placement(centre, scale, turns, mirror), grid)
    volume = placed.voxels * np.prod(grid.spacing) / 1000
    assert volume == pytest.approx(scale**3 * shape.volume_ml, rel=0.25)
    assert set(np.unique(placed.array)) <= {0, 1, 2, 4}
    middle = np.argwhere(placed.array).mean(axis=0) + [edge.start for edge in placed.box]
    assert np.linalg.norm(grid.affine.apply(middle) - centre) < 1.5


def test_mirroring_and_turning_go_the_way_they_say(shape, grid):
    def right_minus_left(**how) -> float:
        """Skew along R: the bump on the right front makes it positive."""
        placed = place(shape, Placement((0.0, 0.0, 0.0), 1.5, **how), grid)
        points = grid.affine.apply(np.argwhere(placed.array) + [edge.start for edge in placed.box])
        offset = points - points.mean(axis=0)
        return float((offset**3).mean(axis=0)[0])

    def front_minus_back(**how) -> float:
        placed = place(shape, Placement((0.0, 0.0, 0.0), 1.5, **how), grid)
        points = grid.affine.apply(np.argwhere(placed.array) + [edge.start for edge in placed.box])
        return float(((points - points.mean(axis=0)) ** 3).mean(axis=0)[1])

    usual = right_minus_left()
    assert right_minus_left(mirror=(True, False, False)) == pytest.approx(-usual, rel=0.15)
    assert right_minus_left(rotation_deg=(0, 0, 180)) == pytest.approx(-usual, rel=0.15)
    # a quarter turn about S takes the right to the front
    assert front_minus_back(rotation_deg=(0, 0, 90)) == pytest.approx(usual, rel=0.15)


def test_a_lesion_is_inside_the_brain_or_refused_with_the_share(shape, grid, brain):
    inside = place(shape, Placement((10.0, 5.0, 5.0)), grid, brain)
    assert inside.outside(brain) == 0
    for centre in ((66.0, 0.0, 0.0), (0.0, 0.0, 400.0)):
        with pytest.raises(LabelError, match=r"“b/two_seg” would lie outside the brain") as refused:
            place(shape, Placement(centre), grid, brain)
        assert "%" in refused.value.message


def test_what_leaves_the_field_of_view_counts_as_outside(shape, grid):
    edge = float(grid.corners_mm[:, 0].max())
    with pytest.raises(LabelError, match="outside"):
        place(shape, Placement((edge, 0.0, 0.0)), grid)


def test_stamping_lays_over_what_was_there_and_changes_nothing_else(shape, grid, brain):
    placed = place(shape, Placement((10.0, 5.0, 5.0)), grid, brain)
    before = np.zeros(grid.shape, np.int32)
    before[30:40, 30:50, 30:34] = 2
    after = placed.stamped(before)
    lesion = placed.stamped(np.zeros(grid.shape, np.uint8))
    np.testing.assert_array_equal(after[lesion > 0], lesion[lesion > 0])
    np.testing.assert_array_equal(after[lesion == 0], before[lesion == 0])
    assert after.dtype == before.dtype


def test_a_shape_can_be_scaled_away_and_that_is_said(grid):
    small = Grid((12, 12, 12), affine_of((12, 12, 12), (1, 1, 1)))
    array = blob((0, 0, 0), 2.0, (1,), small)
    speck = LesionShape.of(LabelVolume(array, small, "speck"))
    centre = tuple(grid.affine.apply((30.5, 30.5, 30.5)))  # between the voxels
    with pytest.raises(LabelError, match=r"Nothing of “speck” is left at 0\.1 times"):
        place(speck, Placement(centre, 0.1), grid)
    for wrong in (0.0, -1.0, 9.0, float("nan")):
        with pytest.raises(ConfigError, match=f"{wrong:g}"):
            Placement((0, 0, 0), wrong)


def test_separate_lesions_are_parts_by_size_without_specks():
    box = Grid((60, 60, 60), affine_of((60,) * 3, (1, 1, 1)))
    array = blob((-12, 0, 0), 8, (1,), box) + blob((14, 6, 3), 5, (1,), box)
    array[2, 2, 2] = 1
    whole = LesionShape.of(LabelVolume(array, box, "ms"))
    large, small = whole.parts
    assert large.volume_ml > small.volume_ml
    assert large.centre_mm[0] < 0 < small.centre_mm[0]
    assert large.parts == (large,)
    assert whole.volume_ml == pytest.approx(large.volume_ml + small.volume_ml + 0.001)


@given(seed=st.integers(0, 10_000), single=st.booleans())
@quickly
def test_a_random_lesion_lies_inside_and_is_the_same_for_the_same_seed(opened, grid, brain, seed, single):
    one = random_lesion(opened, grid, brain, seed, single=single)
    assert one.placed.outside(brain) == 0
    assert one.placed.voxels > 0
    again = random_lesion(LesionLibrary(opened.folder, TUMOUR), grid, brain, seed, single=single)
    assert again.placement == one.placement
    assert again.shape.name == one.shape.name
    np.testing.assert_array_equal(again.placed.array, one.placed.array)


def test_other_seeds_draw_other_lesions(opened, grid, brain):
    drawn = [random_lesion(opened, grid, brain, seed) for seed in range(8)]
    assert len({each.shape.name for each in drawn}) > 1
    assert len({each.placement.centre_mm for each in drawn}) == 8


@pytest.fixture
def slice_of(grid, brain):
    """One axial slice of the grid and its brain, and the height of it in mm."""
    index = 34  # along the third axis, that of the slices
    matrix = grid.affine.matrix.copy()
    matrix[:3, 3] = grid.affine.apply((0, 0, index))
    flat = Grid((*grid.shape[:2], 1), Affine(matrix))
    return flat, brain[..., index : index + 1], float(matrix[2, 3])


def test_on_a_single_slice_a_lesion_is_what_the_slice_cuts(shape, grid, slice_of):
    flat, brain, height = slice_of
    where = Placement((6.0, 4.0, height), 1.1, (10, -20, 35))
    cut = place(shape, where, flat, brain)
    whole = place(shape, where, grid)
    assert cut.lost == 0
    assert cut.outside(brain) == 0
    np.testing.assert_array_equal(
        cut.stamped(np.zeros(flat.shape, np.uint8))[..., 0],
        whole.stamped(np.zeros(grid.shape, np.uint8))[..., 34],
    )
    with pytest.raises(LabelError, match="outside the brain"):
        place(shape, Placement((70.0, 4.0, height)), flat, brain)
    with pytest.raises(LabelError, match="does not reach the only slice"):
        place(shape, Placement((6.0, 4.0, height + 40)), flat, brain)


def test_a_random_lesion_on_a_single_slice_is_as_large_as_the_slice_allows(opened, slice_of):
    flat, brain, _ = slice_of
    drawn = [random_lesion(opened, flat, brain, seed) for seed in range(6)]
    assert all(lesion.placed.outside(brain) == 0 for lesion in drawn)
    areas_mm2 = [lesion.placed.voxels * flat.spacing[0] * flat.spacing[1] for lesion in drawn]
    assert min(areas_mm2) > 40
    assert max(areas_mm2) > 200


def test_where_nothing_fits_the_reason_is_said(opened, grid, brain):
    thin = np.zeros_like(brain)
    thin[36, 44, :] = True
    with pytest.raises(LabelError, match="fitted into the brain in 20 attempts"):
        random_lesion(opened, grid, thin, 3, attempts=20)
    with pytest.raises(LabelError, match="no brain"):
        random_lesion(opened, grid, np.zeros_like(brain), 3)
    with pytest.raises(LabelError, match="-1"):
        random_lesion(opened, grid, brain, -1)


def test_maps_that_vanish_later_are_passed_over(tmp_path, grid, brain):
    box = Grid((40, 40, 40), affine_of((40,) * 3, (1, 1, 1)))
    for name in ("a", "b"):
        save(LabelVolume(blob((0, 0, 0), 8, (1,), box), box, name), tmp_path / f"{name}_seg.nii.gz")
    opened = LesionLibrary(tmp_path, MS)
    (tmp_path / "b_seg.nii.gz").unlink()
    assert {random_lesion(opened, grid, brain, seed).shape.name for seed in range(6)} == {"a_seg"}
    with pytest.raises(MrsynthError):
        opened.shape("b_seg")


def test_the_real_shapes_go_into_a_real_brain(real_scans):
    from napari_mrsynth.preprocess.mask import brain_mask

    patient = real_scans / "tumour" / "BraTS2021_01484" / "BraTS2021_01484_flair.nii.gz"
    scan = read_image(patient, kind="scan")
    brain = brain_mask([scan]).array
    for folder, disease in (("tumour-sri24", TUMOUR), ("ms-mni", MS), ("stroke-mni", label_set("stroke"))):
        library = LesionLibrary(real_scans / "lesion-shapes" / folder, disease)
        drawn = random_lesion(library, scan.grid, brain, 1)
        assert drawn.placed.outside(brain) == 0
        assert drawn.placed.voxels > 5
