"""Intervals hold the figure, follow the data's own spread, and are the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mrsynth.evaluation import METRICS, Bootstrap, score

HOW = Bootstrap(replicates=300, edge=4)


@pytest.fixture
def images():
    rng = np.random.default_rng(3)
    i, j, k = np.indices((24, 24, 24))
    truth = 300 + 40 * np.sin(i / 3) + 25 * np.cos(j / 2) + 2 * k
    return truth + rng.normal(0, 10, truth.shape), truth, np.ones(truth.shape)


def test_every_figure_lies_in_its_interval(images):
    pred, truth, brain = images
    figures = score(pred, truth, brain=brain, bootstrap=HOW).regions["brain"]
    assert set(figures.intervals) == set(METRICS)
    for metric in set(METRICS) - {"mutual_information"}:  # resampling raises it: cubes repeat
        low, high = figures.intervals[metric]
        assert low <= getattr(figures, metric) <= high, metric
        assert low < high


def test_the_interval_of_independent_noise_is_as_wide_as_theory_says(images):
    pred, truth, brain = images
    figures = score(pred, truth, brain=brain, bootstrap=Bootstrap(replicates=2000, edge=4)).regions["brain"]
    error = (pred - truth).ravel()
    low, high = figures.intervals["mse"]
    expected = 2 * 1.96 * (error**2).std() / np.sqrt(error.size)
    assert high - low == pytest.approx(expected, rel=0.15)


def test_errors_that_cluster_give_wider_intervals_than_the_same_errors_scattered(images):
    _, truth, brain = images
    clustered = truth.copy()
    clustered[:12] += 20
    scattered = truth.copy()
    scattered[np.random.default_rng(0).permutation(truth.size).reshape(truth.shape) % 2 == 0] += 20
    widths = []
    for pred in (clustered, scattered):
        low, high = score(pred, truth, brain=brain, bootstrap=HOW).regions["brain"].intervals["mae"]
        widths.append(high - low)
    assert widths[0] > 3 * widths[1]


def test_the_same_images_give_the_same_intervals_and_unchanged_figures(images):
    pred, truth, brain = images
    first, again = (score(pred, truth, brain=brain, bootstrap=HOW).regions["brain"] for _ in range(2))
    plain = score(pred, truth, brain=brain).regions["brain"]
    assert first.intervals == again.intervals
    assert all(getattr(first, metric) == getattr(plain, metric) for metric in METRICS)
    assert plain.intervals is None


def test_a_region_of_few_cubes_has_no_interval(images):
    pred, truth, brain = images
    lesions = np.zeros(truth.shape)
    lesions[4:7, 4:7, 4:7] = 1
    regions = score(pred, truth, brain=brain, lesions=lesions, bootstrap=HOW).regions
    assert regions["lesion"].intervals is None
    assert regions["healthy"].intervals is not None


def test_cubes_are_cubes():
    numbers = Bootstrap(edge=4).cubes((9, 8, 5))
    assert len(np.unique(numbers)) == 3 * 2 * 2
    assert np.count_nonzero(numbers == numbers[0, 0, 0]) == 64
    assert len({int(numbers[i, j, k]) for i in (0, 3) for j in (0, 3) for k in (0, 3)}) == 1
