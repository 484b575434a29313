"""Normalisation: the same whatever the crop, invertible, and refused where it would mean nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mrsynth.errors import ConfigError, InputError
from napari_mrsynth.preprocess import normalise
from phantoms import brain_study


@pytest.fixture(scope="module")
def scan() -> tuple[np.ndarray, np.ndarray]:
    study = brain_study(("T1w",))
    return study.volume("T1w").array, study.mask.array


@pytest.mark.parametrize("method", ["foreground-mean", "foreground-zscore"])
@settings(max_examples=25, deadline=None)
@given(pads=st.tuples(*[st.integers(0, 12)] * 6))
def test_a_foreground_method_does_not_change_with_the_crop(method, pads):
    study = brain_study(("T1w",))
    array, mask = study.volume("T1w").array, study.mask.array
    around = ((pads[0], pads[1]), (pads[2], pads[3]), (pads[4], pads[5]))
    whole = normalise.fit(array, mask, method)
    padded = normalise.fit(np.pad(array, around), np.pad(mask, around), method)
    assert padded.scale == pytest.approx(whole.scale, rel=1e-9)
    assert padded.offset == pytest.approx(whole.offset, rel=1e-9)


def test_the_volume_mean_is_of_the_brains_box_where_the_published_one_changes_with_the_crop(scan):
    array, mask = scan
    close, wide = np.pad(array, 2), np.pad(array, 10)
    assert wide.mean() < 0.7 * close.mean()  # as published
    found = normalise.fit(close, np.pad(mask, 2), "volume-mean")
    assert normalise.fit(wide, np.pad(mask, 10), "volume-mean").scale == pytest.approx(found.scale, rel=1e-6)
    assert found.scale < normalise.fit(close, np.pad(mask, 2)).scale  # background counts


def test_the_foreground_mean_becomes_one_and_zero_stays_zero(scan):
    array, mask = scan
    normal = normalise.fit(array, mask).apply(array)
    assert normal[mask].mean() == pytest.approx(1, abs=1e-4)
    assert (normal[array == 0] == 0).all()


def test_the_zscore_has_mean_zero_and_spread_one(scan):
    array, mask = scan
    normal = normalise.fit(array, mask, "foreground-zscore").apply(array)
    assert normal[mask].mean() == pytest.approx(0, abs=1e-4)
    assert normal[mask].std() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("method", sorted(normalise.METHODS))
def test_every_method_gives_the_intensities_back(scan, method):
    array, mask = scan
    fitted = normalise.fit(array, mask, method)
    np.testing.assert_allclose(fitted.invert(fitted.apply(array)), array, rtol=1e-5, atol=1e-3)


def test_an_unknown_method_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"'median'.*foreground-mean"):
        normalise.fit(np.ones((2, 2, 2)), np.ones((2, 2, 2), bool), "median")


@pytest.mark.parametrize(
    ("array", "mask", "says"),
    [
        (np.ones((3, 3, 3)), np.zeros((3, 3, 3), bool), "mask is empty"),
        (np.full((3, 3, 3), 7.0), np.ones((3, 3, 3), bool), "cannot be normalised"),
        (np.arange(27.0).reshape(3, 3, 3) - 13, np.ones((3, 3, 3), bool), "cannot be normalised"),
    ],
    ids=["empty mask", "constant", "centred on zero"],
)
def test_a_scan_without_a_scale_is_refused(array, mask, says):
    with pytest.raises(InputError, match=says):
        normalise.fit(array, mask)
