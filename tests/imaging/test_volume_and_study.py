"""Volumes, label maps and the study: invariants, fingerprints, switching inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_mrsynth.errors import ContrastError, GridError, LabelError
from napari_mrsynth.imaging import BrainMask, LabelVolume, Member, Rigid, Source
from phantoms import affine_of, brain_study, lesion_labels, phantom, rotation


def test_a_volume_must_have_its_grids_shape():
    volume = phantom((6, 7, 8))
    with pytest.raises(GridError, match=r"\(7, 7, 8\).*\(6, 7, 8\)"):
        volume.with_array(np.zeros((7, 7, 8)))


def test_labels_must_be_integers():
    grid = phantom((6, 7, 8)).grid
    with pytest.raises(LabelError, match="float64"):
        LabelVolume(np.zeros(grid.shape), grid, "lesions")


def test_present_labels_leave_background_out():
    assert lesion_labels().present == (1, 2)


def test_the_fingerprint_depends_on_voxels_dtype_and_place_only():
    volume = phantom((6, 7, 8))
    renamed = replace(volume, name="other", notes=("seen",), source=Source(format="layer"))
    assert renamed.fingerprint == volume.fingerprint
    brighter = volume.with_array(volume.array + 1)
    wider = volume.with_array(volume.array.astype(np.float64))
    moved = phantom((6, 7, 8), affine_of((6, 7, 8), centre_mm=(1, 0, 0)))
    assert len({volume.fingerprint, brighter.fingerprint, wider.fingerprint, moved.fingerprint}) == 4


def test_notes_are_added_without_touching_the_original():
    volume = phantom((6, 7, 8))
    assert volume.noting("one").noting("two").notes == ("one", "two")
    assert volume.notes == ()


def test_only_a_source_with_provenance_is_synthetic():
    volume = phantom((6, 7, 8))
    assert not volume.is_synthetic
    assert replace(volume, source=Source(synthetic={})).is_synthetic


def test_a_study_switches_inputs_and_keeps_their_order():
    study = brain_study(shape=(8, 9, 7))
    assert study.inputs == ("T1w", "T1ce", "T2w", "FLAIR")
    off = study.switched(T1ce=False, FLAIR=False)
    assert off.inputs == ("T1w", "T2w")
    assert off.switched(FLAIR=True).inputs == ("T1w", "T2w", "FLAIR")
    assert study.inputs == ("T1w", "T1ce", "T2w", "FLAIR")
    assert off.volume("FLAIR") is study.members["FLAIR"].native


def test_a_contrast_that_is_not_there_cannot_be_switched_on_or_taken():
    study = brain_study(("T1w", "T2w"), shape=(8, 9, 7))
    with pytest.raises(ContrastError, match=r"DWI.*T1w, T2w"):
        study.switched(DWI=True)
    with pytest.raises(ContrastError, match="DWI"):
        study.volume("DWI")
    with pytest.raises(ContrastError, match="'DWI'"):
        replace(study, reference="DWI")


def test_everything_in_a_study_lies_on_its_grid():
    study = brain_study(("T1w", "T2w"), shape=(8, 9, 7))
    elsewhere = phantom((8, 9, 7), affine_of((8, 9, 7), codes="LPS", centre_mm=(3, 0, 0)), "FLAIR")
    with pytest.raises(GridError, match=r"FLAIR.*apart"):
        replace(study, members={**study.members, "FLAIR": Member(elsewhere, elsewhere)})
    with pytest.raises(GridError, match="mask"):
        replace(study, mask=BrainMask(np.ones((2, 2, 2), bool), "given"))
    with pytest.raises(GridError, match="lesion"):
        replace(study, lesions=lesion_labels((8, 9, 8)))


def test_a_rigid_motion_reports_degrees_and_millimetres():
    matrix = np.eye(4)
    matrix[:3, :3] = rotation((0, 0, 7))
    matrix[:3, 3] = (3, 0, 4)
    motion = Rigid(matrix, "aligned")
    assert motion.degrees == pytest.approx(7)
    assert motion.shift_mm(np.zeros(3)) == pytest.approx(5)
    assert not motion.is_identity
    assert Rigid().is_identity
