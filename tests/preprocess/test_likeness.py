"""A scan is known again by what it shows; another patient is not taken for it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_mrsynth.preprocess.likeness import ALIKE, KnownScans, apart, likeness_of, record_of
from phantoms import brain_study

SHAPE, SPACING = (48, 56, 44), (3.0, 3.0, 3.0)


def study(seed, contrasts=("T1w", "FLAIR"), **options):
    return brain_study(contrasts, shape=SHAPE, spacing=SPACING, seed=seed, name=f"p{seed}", **options)


@pytest.fixture(scope="module")
def known():
    return KnownScans.of([{"id": "learnt", **record_of(study(3), 3.0)}])


def shown(seed):
    return np.array(study(seed).volume("FLAIR").display, dtype=np.float32)


def resampled(brain):
    fewer = ndimage.zoom(brain, 0.8, order=1)
    return np.where(fewer > 20, fewer, 0)


@pytest.mark.parametrize(
    "change",
    [
        lambda brain: (brain * 10).astype(np.int16),
        lambda brain: np.pad(brain, 7),
        lambda brain: brain * np.linspace(0.9, 1.1, brain.shape[2]),
        lambda brain: np.where(ndimage.binary_erosion(brain != 0), brain, 0),
        lambda brain: ndimage.gaussian_filter(brain, 0.7) * (brain != 0),
        resampled,
    ],
    ids=["whole numbers", "wider field", "shading", "tighter mask", "blur", "larger voxels"],
)
def test_a_scan_that_was_saved_anew_is_alike(change):
    brain = shown(3)
    assert apart(likeness_of(change(brain)), likeness_of(brain)) < ALIKE


def test_another_patients_scan_is_not():
    assert apart(likeness_of(shown(3)), likeness_of(shown(4))) > 1.5 * ALIKE


@pytest.mark.parametrize(
    ("codes", "shape"), [("LPS", SHAPE), ("RAS", SHAPE), ("PIR", (SHAPE[1], SHAPE[2], SHAPE[0]))]
)
def test_a_patient_is_found_however_the_axes_are_stored(known, codes, shape):
    again = brain_study(
        ("T1w", "FLAIR"), shape=shape, spacing=SPACING, seed=3, codes=codes, scale=1234.0, noise=0.03
    )
    assert again.volume("T1w").fingerprint not in known.by_hash
    assert known.find(record_of(again, 3.0)) == ("T1w", "learnt")


def test_a_patient_is_found_by_one_contrast_alone(known):
    assert known.find(record_of(study(3, ("FLAIR",), noise=0.04), 3.0)) == ("FLAIR", "learnt")


def test_scans_of_two_patients_of_whom_one_contrast_alone_is_alike_are_not_one(known):
    mixed = record_of(study(4), 3.0)
    mixed["likeness"]["FLAIR"] = record_of(study(3), 3.0)["likeness"]["FLAIR"]
    assert known.find(mixed) is None


def test_a_patient_nobody_learnt_from_is_not_found(known):
    assert known.find(record_of(study(4), 3.0)) is None


def test_cards_that_know_hashes_only_find_the_same_voxels():
    record = record_of(study(3), 3.0)
    known = KnownScans.of([{"id": "old", "volumes": record["volumes"]}])
    assert known.find(record) == ("T1w", "old")
    assert known.find(record_of(study(3, scale=401.0), 3.0)) is None


def test_an_empty_brain_is_like_nothing():
    assert likeness_of(np.zeros((8, 8, 8), np.float32)) == ""
    assert apart("", "") == 1.0
