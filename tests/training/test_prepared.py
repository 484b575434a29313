"""Prepared patients: what lies on disk is what was drawn and scanned, whatever the grid."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_mrsynth.errors import InputError
from napari_mrsynth.preprocess import normalise
from napari_mrsynth.training.config import DataConfig
from napari_mrsynth.training.prepared import prepare, prepare_all
from napari_mrsynth.training.subjects import Subject
from phantoms import affine_of, nifti_file, phantom


def test_lesion_classes_are_never_blended_into_others(tmp_path: Path) -> None:
    shape = (36, 44, 32)
    scan = phantom(shape)
    labels = np.zeros(shape, np.uint8)
    labels[12:18, 18:26, 12:18] = 4
    nifti_file(tmp_path / "p" / "p_T1w.nii.gz", scan.array, affine_of(shape))
    nifti_file(tmp_path / "p" / "p_seg.nii.gz", labels, affine_of(shape))
    data = DataConfig(root=str(tmp_path), contrasts=("T1w",), spacing_mm=3.0, cache=str(tmp_path / "cache"))
    lesions = prepare(Subject("p", tmp_path / "p"), data).lesions
    assert lesions is not None
    assert set(np.unique(lesions)) == {0, 4}
    drawn_ml, kept_ml = labels.astype(bool).sum() * 4**3, lesions.astype(bool).sum() * 3**3
    assert abs(kept_ml / drawn_ml - 1) < 0.15


SHAPE = (30, 36, 26)
AFFINE = affine_of(SHAPE, (5.0, 5.0, 5.0), "LPS")


def settings(root: Path) -> DataConfig:
    return DataConfig(str(root), contrasts=("T1w",), spacing_mm=5.0, cache=str(root / "cache"))


def patient(root: Path, seed: int = 0) -> Subject:
    """Write a patient whose only file has the same name, size and time as every other's."""
    path = nifti_file(root / "p" / "p_T1w.nii", phantom(SHAPE, AFFINE, seed=seed, noise=0.05).array, AFFINE)
    os.utime(path, (1e9, 1e9))
    return Subject("p", root / "p")


def test_patients_whose_files_have_like_names_sizes_and_times_are_told_apart(tmp_path: Path) -> None:
    data = settings(tmp_path)
    one, other = (prepare(patient(tmp_path / str(seed), seed), data) for seed in (1, 2))
    assert one.folder != other.folder
    assert one.record()["sha256"] != other.record()["sha256"]
    assert prepare(patient(tmp_path / "3", 1), data).folder == one.folder


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_large_cohort_may_have_as_many_files_open_as_the_system_lets_it(tmp_path: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = min(soft, 128)
    if few == hard:
        pytest.skip("the system allows no more")
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    try:
        prepare_all([], settings(tmp_path))
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > few
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("name", ["volumes.npy", "mask.npy", "meta.json"])
@pytest.mark.parametrize("gone", [True, False], ids=["gone", "cut short"])
def test_a_prepared_patient_that_was_damaged_is_made_anew(tmp_path: Path, name: str, gone: bool) -> None:
    data, subject = settings(tmp_path), patient(tmp_path)
    first = prepare(subject, data)
    expected = first.volume("T1w")
    damaged = first.folder / name
    content = damaged.read_bytes()
    damaged.unlink()
    if not gone:
        damaged.write_bytes(content[: len(content) // 2])
    np.testing.assert_array_equal(prepare(subject, data).volume("T1w"), expected)
    assert [path.name for path in Path(data.cache).iterdir()] == [first.folder.name]


def test_what_a_killed_preparation_left_is_removed_after_a_day(tmp_path: Path) -> None:
    data = settings(tmp_path)
    old, new = (Path(data.cache) / f".preparing-{age}" for age in ("old", "new"))
    for folder in (old, new):
        (folder / "made").mkdir(parents=True)
    os.utime(old, (1e9, 1e9))
    prepare(patient(tmp_path), data)
    assert (old.exists(), new.exists()) == (False, True)


def test_a_voxel_far_too_bright_is_refused_with_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(normalise, "fit", lambda *_: normalise.Normalisation("foreground-mean", 1e-6))
    with pytest.raises(InputError, match=r"The T1w of p has a voxel of .* times"):
        prepare(patient(tmp_path), settings(tmp_path))


def test_volumes_mask_and_lesions_stay_on_the_disk_also_for_another_process(tmp_path: Path) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[12:18, 14:20, 10:16] = 1
    subject = patient(tmp_path)
    nifti_file(tmp_path / "p" / "p_seg.nii", labels, AFFINE)
    prepared = prepare(subject, settings(tmp_path))
    for array in (prepared.volumes, prepared.mask, prepared.lesions):
        assert isinstance(array, np.memmap)
    sent = pickle.dumps(prepared)
    assert len(sent) < 1000
    np.testing.assert_array_equal(pickle.loads(sent).mask, prepared.mask)
