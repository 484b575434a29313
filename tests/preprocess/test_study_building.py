"""Studies from scans: one grid, every step said, every change undoable, misfits refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from napari_mrsynth.errors import ContrastError, GridError, LabelError
from napari_mrsynth.imaging import Affine, Grid, LabelVolume, Rigid, Study, Volume
from napari_mrsynth.preprocess import study as studies
from napari_mrsynth.preprocess.resample import resample
from napari_mrsynth.preprocess.study_mask import with_mask
from phantoms import affine_of, lesion_labels, phantom, points_of, rotation, tissue_at

FINE = affine_of((48, 58, 42), (3, 3, 3), "LAS")


def fine(contrast: str) -> Volume:
    return phantom((48, 58, 42), FINE, contrast)


def finish(work: Any) -> tuple[Study, list[float]]:
    fractions = []
    try:
        while True:
            fractions.append(next(work).fraction)
    except StopIteration as end:
        return end.value, fractions


def shifted(volume: Volume, matrix: np.ndarray) -> Volume:
    return volume.with_array(
        volume.array, Grid(volume.grid.shape, Affine(matrix @ volume.grid.affine.matrix))
    )


def motion(degrees: Any, shift: Any) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation(degrees), shift
    return matrix


def test_scans_on_one_grid_are_taken_as_they_are() -> None:
    scans = [phantom(contrast=contrast) for contrast in ("T1w", "T2w", "FLAIR")]
    study = studies.build_study(scans, name="p", lesions=lesion_labels())
    assert study.contrasts == ("T1w", "T2w", "FLAIR")
    assert study.inputs == study.contrasts
    assert [study.members[c].on_reference for c in study.contrasts] == scans
    assert study.notes == ()
    assert [step["step"] for step in study.steps] == ["mask"]
    assert study.lesions is not None


def test_the_usual_reference_is_the_most_common_grid_then_the_finest() -> None:
    common = studies.build_study([fine("T2w"), phantom(contrast="T1w"), phantom(contrast="FLAIR")], name="p")
    assert common.reference == "T1w"
    finest = studies.build_study([phantom(contrast="T1w"), fine("T2w")], name="p")
    assert finest.reference == "T2w"
    assert studies.build_study([fine("T2w"), phantom()], name="p", reference="T1w").reference == "T1w"
    unknown = fine("T1w").as_contrast("4 T1 SAG", confidence=0.0)
    assert studies.build_study([unknown, phantom(contrast="T2w")], name="p").reference == "T2w"


def test_an_unlike_grid_is_resampled_recorded_as_json_and_said() -> None:
    study = studies.build_study([phantom(), fine("T2w")], name="p", reference="T1w")
    truth = phantom(contrast="T2w").array
    assert np.corrcoef(study.volume("T2w").array.ravel(), truth.ravel())[0, 1] > 0.94
    assert study.members["T2w"].native.grid.shape == (48, 58, 42)
    step = json.loads(json.dumps(study.steps))[0]
    assert (step["step"], step["contrast"], step["onto"]) == ("resample", "T2w", "T1w")
    assert step["from_spacing_mm"] == [3, 3, 3]
    assert any("T2w was resampled" in note and "shape" in note for note in study.notes)


def test_scans_that_share_no_space_are_refused_with_their_distance() -> None:
    far = shifted(phantom(contrast="T2w"), motion((0, 0, 0), (400, 0, 0)))
    with pytest.raises(GridError, match=r"T2w and T1w .* 400 mm apart"):
        studies.build_study([phantom(), far], name="p")


@pytest.mark.parametrize(
    ("scans", "words"),
    [
        ([], "at least one scan"),
        ([phantom().as_contrast("")], "contrast is unknown"),
        ([phantom(name="a"), phantom(name="b")], "a and b both claim to be T1w"),
    ],
)
def test_scans_that_make_no_study_are_refused_with_a_hint(scans: list[Volume], words: str) -> None:
    with pytest.raises(ContrastError, match=words) as error:
        studies.build_study(scans, name="p")
    assert error.value.hint


def test_a_reference_that_is_not_here_is_refused() -> None:
    with pytest.raises(ContrastError, match="'FLAIR'"):
        studies.build_study([phantom()], name="p", reference="FLAIR")


def test_labels_on_another_grid_take_the_nearest_voxels_and_say_so() -> None:
    labels = lesion_labels((48, 58, 42), FINE)
    brain = LabelVolume((tissue_at(points_of(labels.grid)) > 0).astype(np.uint8), labels.grid, "brain")
    study = studies.build_study([phantom()], name="p", mask=brain, lesions=labels)
    assert study.lesions is not None
    assert study.lesions.present == (1, 2)
    assert study.mask is not None
    assert study.mask.how == "given: brain"
    assert {note.split(" lay")[0] for note in study.notes} == {"The lesion labels", "The brain mask"}
    truth = tissue_at(points_of(study.grid)) > 0
    assert (study.mask.array == truth).mean() > 0.98


def test_a_mask_that_is_empty_or_misses_the_brain_is_refused() -> None:
    scan = phantom()
    empty = LabelVolume(np.zeros(scan.grid.shape, np.uint8), scan.grid)
    with pytest.raises(LabelError, match="empty"):
        studies.build_study([scan], name="p", mask=empty)
    corner = empty.array.copy()
    corner[:6, :6, :6] = 1
    with pytest.raises(LabelError, match="misses the brain"):
        studies.build_study([scan], name="p", mask=LabelVolume(corner, scan.grid))
    away = LabelVolume(
        np.ones_like(corner), Grid(corner.shape, affine_of(corner.shape, centre_mm=(500, 0, 0)))
    )
    with pytest.raises(GridError, match="share no space: 500 mm"):
        studies.build_study([scan], name="p", mask=away)


def test_specks_that_a_given_mask_misses_count_as_brain_and_what_is_meant_stays_out() -> None:
    scan = fine("T1w")
    brain = np.asarray(scan.array > 0).copy()
    middle = tuple(np.round(np.argwhere(brain).mean(axis=0)).astype(int))
    i, j, k = middle
    with_holes = brain.copy()
    with_holes[i - 6 : i - 4, j, k] = False  # 2 voxels of 27 mm3, closed: missed
    with_holes[i : i + 3, j : j + 3, k : k + 3] = False  # 0.73 ml, closed: meant
    with_holes[i + 8, j, k:] = False  # open above: not a hole
    given = LabelVolume(with_holes.astype(np.uint8), scan.grid, "brain")
    study = studies.build_study([scan], name="p", mask=given)
    assert study.mask is not None
    changed = study.mask.array & ~with_holes
    assert np.argwhere(changed).tolist() == [[i - 6, j, k], [i - 5, j, k]]
    assert study.steps[-1]["holes_filled"] == 2
    assert "Small closed holes of the brain mask count as brain (2 voxels)." in study.notes


def test_a_mask_says_its_own_notes_and_that_it_is_unlikely_small() -> None:
    scan = phantom()
    array = np.zeros(scan.grid.shape, np.uint8)
    array[14:22, 18:26, 12:20] = 1
    mask = LabelVolume(array, scan.grid, "b", notes=("cut at 0.5",))
    study = studies.build_study([scan], name="p", mask=mask)
    assert study.notes[0] == "b: cut at 0.5"
    assert "The brain mask covers only" in study.notes[1]


def test_aligning_records_the_motion_and_undoing_restores_the_voxels() -> None:
    matrix = motion((5, -4, 6), (7, -8, 6))
    scans = [fine("T1w"), shifted(fine("T2w"), matrix), fine("FLAIR")]
    before = studies.build_study(scans, name="p", reference="T1w")
    after, fractions = finish(studies.align_study(before, ["T2w"]))
    assert fractions == sorted(fractions)
    inside = tissue_at(points_of(after.grid)) > 0
    apart = points_of(after.grid)[inside] @ (after.members["T2w"].motion.matrix - matrix)[:3, :3].T
    apart += (after.members["T2w"].motion.matrix - matrix)[:3, 3]
    assert np.linalg.norm(apart, axis=1).mean() <= 1.0
    step = next(step for step in after.steps if step["step"] == "align")
    assert step["contrast"] == "T2w"
    assert step["degrees"] == pytest.approx(Rigid(matrix).degrees, abs=1)
    assert after.members["FLAIR"] is before.members["FLAIR"]
    undone = studies.undo_alignment(after, "T2w")
    np.testing.assert_array_equal(undone.volume("T2w").array, before.volume("T2w").array)
    assert undone.members["T2w"].motion.is_identity


def test_a_motion_that_undoes_a_wrong_header_exactly_puts_the_voxels_on_the_reference() -> None:
    knock = motion((4, -6, 8), (6, -9, 5))
    scan = phantom(contrast="T2w")
    reference = phantom().grid
    there = resample(shifted(scan, knock), reference, motion=Rigid(knock, "aligned"))
    assert there.grid.same_as(reference)
    np.testing.assert_array_equal(there.array, scan.array)


def test_aligning_only_the_reference_changes_nothing() -> None:
    study = studies.build_study([phantom()], name="p")
    assert finish(studies.align_study(study))[0] is study
    with pytest.raises(ContrastError):
        finish(studies.align_study(study, ["T2w"]))


def test_another_reference_keeps_what_was_aligned() -> None:
    matrix = motion((5, -4, 6), (7, -8, 6))
    study = studies.build_study(
        [fine("T1w"), shifted(phantom(contrast="T2w"), matrix)], name="p", reference="T1w"
    )
    study = studies._moved(study, "T2w", Rigid(matrix, "aligned"))
    turned = studies.with_reference(study, "T2w")
    assert turned.grid is study.members["T2w"].native.grid
    assert turned.members["T2w"].on_reference is turned.members["T2w"].native
    truth = phantom(contrast="T1w").array
    assert np.corrcoef(turned.volume("T1w").array.ravel(), truth.ravel())[0, 1] > 0.94
    assert turned.mask is not None
    assert turned.mask.array.shape == turned.grid.shape
    back = studies.with_reference(turned, "T1w")
    np.testing.assert_allclose(back.members["T2w"].motion.matrix, matrix, atol=1e-9)
    assert back.members["T1w"].on_reference is back.members["T1w"].native


def moved_by(study: Study) -> dict[str, tuple[str, list[float]]]:
    """How each scan lies on the reference: how that is known, and its shift in mm."""
    return {
        contrast: (member.motion.how, member.motion.matrix[:3, 3].round(6).tolist())
        for contrast, member in study.members.items()
    }


def one_aligned_of_three() -> tuple[Study, Study]:
    """Return a study on FLAIR before and after T1w was moved 8 mm onto it."""
    scans = [phantom(contrast=contrast) for contrast in ("FLAIR", "T1w", "T2w")]
    before = studies.build_study(scans, name="p", lesions=lesion_labels())
    return before, studies._moved(before, "T1w", Rigid(motion((0, 0, 0), (8, 0, 0)), "aligned"))


def test_undoing_the_alignment_of_what_became_the_reference_leaves_nothing_displaced() -> None:
    before, aligned = one_aligned_of_three()
    turned = studies.with_reference(aligned, "T1w")
    still, back = ("header", [0, 0, 0]), ("reference aligned", [-8, 0, 0])
    assert moved_by(turned) == {"FLAIR": back, "T1w": still, "T2w": back}
    undone = studies.undo_alignment(turned, "T1w")
    assert moved_by(undone) == dict.fromkeys(("FLAIR", "T1w", "T2w"), still)
    for contrast in undone.contrasts:
        np.testing.assert_array_equal(undone.volume(contrast).array, before.volume(contrast).array)
    assert undone.lesions is not None
    assert before.lesions is not None
    np.testing.assert_array_equal(undone.lesions.array, before.lesions.array)


def test_a_scan_that_was_never_aligned_has_nothing_to_undo() -> None:
    turned = studies.with_reference(one_aligned_of_three()[1], "T1w")
    assert studies.undo_alignment(turned, "FLAIR") is turned
    assert studies.undo_alignment(turned, "T2w") is turned


def test_undoing_one_alignment_leaves_another_where_it_was_put() -> None:
    _, aligned = one_aligned_of_three()
    turned = studies.with_reference(aligned, "T1w")
    both = studies._moved(turned, "T2w", Rigid(motion((0, 0, 0), (-4, 0, 0)), "aligned"))
    assert moved_by(both)["T2w"] == ("aligned", [-4, 0, 0])
    undone = studies.undo_alignment(both, "T1w")
    assert moved_by(undone)["T2w"] == ("aligned", [4, 0, 0])
    assert moved_by(undone)["FLAIR"] == ("header", [0, 0, 0])
    assert moved_by(studies.undo_alignment(both, "T2w"))["T2w"] == ("reference aligned", [-8, 0, 0])


def test_a_scan_comes_to_its_headers_place_whatever_was_aligned_before() -> None:
    _, aligned = one_aligned_of_three()
    turned = studies.with_reference(aligned, "T1w")
    late = studies.with_volume(studies.without(turned, "T2w"), phantom(contrast="T2w"))
    assert moved_by(late) == moved_by(turned)
    assert moved_by(studies.without(late, "T1w"))["T2w"] == ("header", [0, 0, 0])


def test_scans_come_and_go() -> None:
    study = studies.build_study([phantom(), phantom(contrast="T2w")], name="p")
    more = studies.with_volume(study, fine("FLAIR"))
    assert more.inputs == ("T1w", "T2w", "FLAIR")
    assert any("FLAIR was resampled" in note for note in more.notes)
    with pytest.raises(ContrastError, match="both claim"):
        studies.with_volume(more, phantom(contrast="T2w"))
    fewer = studies.without(more, "T1w")
    assert fewer.contrasts == ("T2w", "FLAIR")
    assert fewer.reference == "FLAIR"
    with pytest.raises(ContrastError, match="only scan"):
        studies.without(studies.without(fewer, "T2w"), "FLAIR")


def test_a_scan_that_shows_the_brain_ends_the_lack_of_a_mask_when_it_is_added() -> None:
    blank = phantom(contrast="FLAIR").with_array(np.full((36, 44, 32), 5.0, np.float32))
    study = studies.build_study([blank], name="p")
    assert study.mask is None
    assert any("No brain mask" in note for note in study.notes)
    again = studies.with_volume(study, blank.as_contrast("DWI"))
    assert again.mask is None
    assert sum("No brain mask" in note for note in again.notes) == 1
    more = studies.with_volume(again, phantom(contrast="T2w"))
    assert more.mask is not None
    np.testing.assert_array_equal(more.mask.array, phantom().array > 0)
    assert more.steps[-1]["step"] == "mask"
    assert not any("No brain mask" in note for note in more.notes)


def test_the_brain_is_found_in_another_scan_where_the_preferred_one_does_not_show_it() -> None:
    stripped = phantom(contrast="T1w")
    air = np.abs(np.random.default_rng(0).normal(0, 4, stripped.grid.shape)) + 0.1
    noisy = stripped.with_array(np.where(stripped.array > 0, stripped.array, air).astype(np.float32))
    blank = phantom(contrast="FLAIR").with_array(np.full((36, 44, 32), 5.0, np.float32))
    study = studies.with_volume(studies.build_study([blank], name="p"), noisy)
    assert study.mask is not None
    assert study.mask.how == "computed from T1w"


def test_a_mask_that_is_given_ends_the_note_that_there_is_none() -> None:
    blank = phantom(contrast="FLAIR").with_array(np.full((36, 44, 32), 5.0, np.float32))
    study = studies.build_study([blank], name="p")
    labels = LabelVolume((phantom().array > 0).astype(np.uint8), blank.grid)
    with_scan = studies.with_volume(study, phantom(contrast="T2w"))
    given = with_mask(studies.with_reference(with_scan, "T2w"), labels)
    assert not any("No brain mask" in note for note in given.notes)


def test_axis_orders_alone_are_copied_not_interpolated() -> None:
    other = phantom((36, 44, 32), affine_of((36, 44, 32), codes="LPS"), "T2w")
    study = studies.build_study([phantom(), other], name="p")
    np.testing.assert_array_equal(study.volume("T2w").array, phantom(contrast="T2w").array)
    assert study.steps[0]["interpolated"] is False
    assert any("T2w was copied" in note for note in study.notes)


def test_a_slab_of_a_head_does_not_pass_for_the_brain() -> None:
    shape = (48, 60, 48)
    grid = Grid(shape, affine_of(shape, (4, 4, 4)))
    points = points_of(grid)
    air = np.abs(np.random.default_rng(0).normal(0, 4, shape)) + 0.1
    radius = np.linalg.norm(points / (82.0, 100.0, 76.0), axis=-1)
    bone = np.where(radius < 1, np.where(radius > 0.93, 300, 25), air)
    brain = phantom(shape, grid.affine).array
    head = Volume(np.where(brain > 0, brain, bone).astype(np.float32), grid, contrast="T1w")
    corner = grid.affine.matrix.copy()
    corner[:3, 3] = grid.affine.apply((0, 25, 0))
    slab = Volume(head.array[:, 25:35].copy(), Grid((48, 10, 48), Affine(corner)), contrast="T2w")
    found = studies.build_study([head, slab], name="p", reference="T1w").mask
    alone = studies.build_study([head], name="p").mask
    assert found is not None
    assert alone is not None
    assert found.how == alone.how == "computed from T1w"
    np.testing.assert_array_equal(found.array, alone.array)


def test_a_stripped_scan_cut_close_to_the_brain_still_shows_it() -> None:
    wide = phantom((80, 90, 70), affine_of((80, 90, 70)))
    air = np.abs(np.random.default_rng(0).normal(0, 4, wide.grid.shape)) + 0.1
    noisy = wide.with_array(np.where(wide.array > 0, wide.array, air).astype(np.float32))
    study = studies.build_study([noisy, phantom(contrast="T2w")], name="p", reference="T1w")
    assert study.mask is not None
    np.testing.assert_array_equal(study.mask.array, wide.array > 0)
