"""Gradient correlation and mutual information are those of their definitions and of scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from napari_mrsynth.evaluation import score
from napari_mrsynth.evaluation.figures import BINS


@pytest.fixture
def images():
    rng = np.random.default_rng(8)
    i, j, k = np.indices((22, 20, 18))
    truth = 200 + 30 * np.sin(i / 2) + 20 * np.cos(j / 3) + 15 * np.sin(k / 4)
    brain = (i - 11) ** 2 + (j - 9) ** 2 + (k - 8) ** 2 < 60
    return truth + rng.normal(0, 8, truth.shape), truth, brain


def test_mutual_information_equals_scikit_learns(images):
    pred, truth, brain = images
    cells = []
    for image in (pred, truth):
        values = image[brain]
        edges = np.linspace(values.min(), values.max(), BINS + 1)
        cells.append(np.clip(np.searchsorted(edges, values, side="right") - 1, 0, BINS - 1))
    figures = score(pred, truth, brain=brain).regions["brain"]
    assert figures.mutual_information == pytest.approx(mutual_info_score(*cells), rel=1e-6)


def test_an_image_shares_with_itself_all_the_information_it_has(images):
    _, truth, brain = images
    counts, _ = np.histogram(truth[brain], bins=BINS)
    share = counts[counts > 0] / counts.sum()
    figures = score(-truth, truth, brain=brain).regions["brain"]
    assert figures.mutual_information == pytest.approx(-(share * np.log(share)).sum(), rel=1e-3)


def test_independent_halves_share_nothing():
    i, j, _ = np.indices((8, 8, 8))
    figures = score((i % 2) * 1.0, (j % 2) * 1.0, brain=np.ones((8, 8, 8))).regions["whole"]
    assert figures.mutual_information == pytest.approx(0, abs=1e-12)


def test_gradient_correlation_is_the_mean_over_axes_of_the_derivatives_correlations(images):
    pred, truth, brain = images
    expected = np.mean(
        [
            np.corrcoef(np.gradient(pred, axis=axis)[brain], np.gradient(truth, axis=axis)[brain])[0, 1]
            for axis in range(3)
        ]
    )
    figures = score(pred, truth, brain=brain).regions["brain"]
    assert figures.gradient_correlation == pytest.approx(expected, rel=1e-6)


def test_gradient_correlation_is_blind_to_scale_and_offset_but_not_to_moved_edges(images):
    _, truth, brain = images
    same = score(3 * truth + 70, truth, brain=brain).regions["brain"]
    moved = score(np.roll(truth, 2, axis=0), truth, brain=brain).regions["brain"]
    assert same.gradient_correlation == pytest.approx(1, abs=1e-6)
    assert moved.gradient_correlation < 0.9


def test_an_axis_along_which_nothing_changes_is_left_out():
    i, j, _ = np.indices((9, 9, 9))
    truth = 100.0 + i**2 + 2 * j
    made = score(truth + np.sin(i), truth, brain=np.ones(truth.shape)).regions["whole"]
    assert math.isfinite(made.gradient_correlation)
    flat = score(np.full(truth.shape, 5.0), truth, brain=np.ones(truth.shape)).regions["whole"]
    assert math.isnan(flat.gradient_correlation)


def test_slices_that_are_not_neighbours_are_not_differentiated_across(images):
    pred, truth, brain = images
    order = np.random.default_rng(2).permutation(len(pred))
    sorted_flat = score(pred, truth, brain=brain, in_plane=True).regions["brain"]
    shuffled = score(pred[order], truth[order], brain=brain[order], in_plane=True).regions["brain"]
    assert shuffled.gradient_correlation == pytest.approx(sorted_flat.gradient_correlation, rel=1e-9)
