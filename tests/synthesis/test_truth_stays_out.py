"""A scan that is switched off and made from the others has no influence on what is made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from bad.models import tiny_model
from napari_mrsynth.bundles import BundleStore
from napari_mrsynth.imaging import Study
from napari_mrsynth.preprocess.study import build_study
from napari_mrsynth.synthesis import Engine, Request
from phantoms import brain_study


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(BundleStore([tiny_model(tmp_path).parent]))


def made(engine: Engine, study: Study) -> np.ndarray:
    steps = engine.run(study, Request(("FLAIR",), ("T1w",), device="cpu"))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value.outputs["FLAIR"].array


def test_the_brain_mask_owes_nothing_to_the_scan_that_is_made(engine):
    given, truth = (member.native for member in brain_study(("T1w", "FLAIR")).members.values())
    grown = np.where(binary_dilation(truth.array > 0, iterations=2) & (truth.array == 0), 100, truth.array)
    both = build_study([given, truth.with_array(grown.astype(np.float32))], name="both").using(("T1w",))
    alone = build_study([given], name="alone")
    assert both.mask.array.sum() > alone.mask.array.sum()
    np.testing.assert_array_equal(made(engine, both), made(engine, alone))


def test_a_mask_that_was_given_stays(engine):
    study = brain_study(("T1w", "T2w", "FLAIR"))
    small = study.mask.array.copy()
    small[: small.shape[0] // 2] = False
    given = replace(study, mask=replace(study.mask, array=small, how="given: mask.nii.gz")).using(
        ("T1w", "T2w")
    )
    assert not made(engine, given)[~small].any()
