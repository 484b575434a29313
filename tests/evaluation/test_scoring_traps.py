"""Each known way of scoring wrongly is written out, seen to hide an error, and ours is seen to show it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_mrsynth.evaluation import score


@pytest.fixture
def truth():
    """A brain on a dark background, brighter on one side."""
    i, j, k = np.indices((20, 22, 24))
    inside = ((i - 9) / 8) ** 2 + ((j - 10) / 9) ** 2 + ((k - 11) / 10) ** 2 < 1
    return np.where(inside, 100.0 + 3 * i + 2 * j + k, 0.0)


def test_errors_in_the_background_are_not_zeroed_away(truth):
    """Trap 3: setting the prediction to 0 wherever the truth is 0, and clipping it, before scoring."""
    pred = truth.copy()
    pred[truth == 0] = 50

    def zeroed_first(pred, truth):
        shown = np.where(truth == 0, 0, np.clip(pred, 0, None))
        return np.mean((shown - truth) ** 2)

    assert zeroed_first(pred, truth) == 0
    whole = score(pred, truth, brain=truth > 0).regions["whole"]
    assert whole.mse == pytest.approx(2500 * np.mean(truth == 0))
    assert whole.ssim < 0.9


def test_negative_predictions_are_not_clipped(truth):
    """Trap 3, its other half: a prediction below 0 in the brain is as wrong as it is."""
    pred = np.where(truth > 0, truth - 300, 0)
    assert score(pred, truth, brain=truth > 0).regions["brain"].mse == pytest.approx(90_000)


def test_whole_volume_and_foreground_errors_have_different_names(truth):
    """Trap 4: one name, MSE, for the mean over the whole volume and for that over the foreground."""
    brain = truth > 0
    regions = score(np.where(brain, truth + 10, 0), truth, brain=brain).regions
    assert regions["brain"].mse == pytest.approx(100)
    assert regions["whole"].mse == pytest.approx(100 * brain.mean())
    assert regions["whole"].mse < 0.6 * regions["brain"].mse


def test_the_foreground_is_the_mask_and_not_what_differs_from_a_corner(truth):
    """Trap 4, its source: background taken to be whatever equals the corner voxel's value."""
    brain = truth > 0
    noisy = truth.copy()
    noisy[~brain] = np.random.default_rng(0).uniform(0, 1, np.count_nonzero(~brain))
    pred = np.where(brain, noisy + 10, noisy)
    foreground = noisy != noisy[0, 0, 0]
    assert np.mean((pred - noisy)[foreground] ** 2) < 60
    assert score(pred, noisy, brain=brain).regions["brain"].mse == pytest.approx(100)


def test_the_absolute_error_is_not_a_mean_of_squares(truth):
    """Trap 7: a figure called MAE that is a mean of squares."""
    brain = truth > 0
    step = np.where(np.indices(truth.shape)[0] % 2, 4.0, -2.0)
    figures = score(np.where(brain, truth + step, 0), truth, brain=brain).regions["brain"]
    expected = np.abs(step[brain]).mean()
    assert np.mean(step[brain] ** 2) > 2 * expected
    assert figures.mae == pytest.approx(expected)


def test_no_image_is_stretched_by_its_own_percentiles(truth):
    """Trap 14: prediction and truth each rescaled by its own 0.5 and 99.5 percentiles before SSIM."""
    brain = truth > 0
    pred = np.where(brain, 0.5 * truth + 200, 0)

    def stretched(image):
        low, high = np.percentile(image[brain], (0.5, 99.5))
        return np.clip((image - low) / (high - low), 0, 1)

    assert np.allclose(stretched(pred)[brain], stretched(truth)[brain])
    figures = score(pred, truth, brain=brain).regions["brain"]
    assert figures.ssim < 0.9
    assert math.isfinite(figures.psnr)
    assert figures.psnr < 10
    assert figures.nmse > 1e-3


def test_the_data_range_is_the_truths_and_does_not_follow_the_prediction(truth):
    """A bright outlier in the prediction must not raise its own PSNR."""
    brain = truth > 0
    pred = truth + 5 * brain
    calm = score(pred, truth, brain=brain)
    pred[9, 10, 11] = 1e5
    wild = score(pred, truth, brain=brain)
    assert wild.data_range == calm.data_range == truth[brain].max() - truth[brain].min()
    assert wild.regions["brain"].psnr < calm.regions["brain"].psnr
