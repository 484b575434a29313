"""Figures over patients and between clouds of slices: intervals, multi-scale similarity, Fréchet distance."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_mrsynth.errors import GridError, InputError
from napari_mrsynth.evaluation.frechet import frechet_distance
from napari_mrsynth.evaluation.multiscale import ms_ssim
from napari_mrsynth.evaluation.patients import over_patients


def test_few_patients_make_wide_intervals_and_one_makes_none():
    found = over_patients([0.6, 0.7, 0.8])
    assert found.mean == pytest.approx(0.7)
    assert found.student == pytest.approx(
        (0.7 - 4.3027 * 0.1 / 3**0.5, 0.7 + 4.3027 * 0.1 / 3**0.5), abs=1e-4
    )
    assert found.bootstrap == pytest.approx((0.6, 0.8))
    assert found == over_patients([0.6, 0.7, 0.8])
    alone = over_patients([0.5])
    assert (alone.mean, alone.count, alone.student, alone.bootstrap) == (0.5, 1, None, None)
    assert math.isnan(over_patients([]).mean)


def image(seed: int, shape: tuple[int, int] = (192, 180)) -> np.ndarray:
    made = np.abs(np.random.default_rng(seed).normal(size=shape)).cumsum(0).cumsum(1)
    return made / made.max()


def test_multi_scale_similarity_is_that_of_other_software():
    rng = np.random.default_rng(0)
    first = np.abs(rng.normal(size=(192, 180))).cumsum(0).cumsum(1)
    first /= first.max()
    noisy = first + 0.05 * rng.normal(size=first.shape)
    assert ms_ssim(first, noisy, 1.0) == pytest.approx(0.8240, abs=1e-4)  # MONAI 1.5's is 0.8240
    assert ms_ssim(first, rng.random(first.shape) * first, 1.0) == pytest.approx(0.6784, abs=1e-4)


def test_equal_slices_are_alike_small_ones_too_and_unlike_shapes_are_refused():
    for shape in ((11, 11), (40, 24), (200, 180)):
        assert ms_ssim(image(1, shape), image(1, shape), 1.0) == pytest.approx(1)
    assert 0 <= ms_ssim(image(1), 1 - image(1), 1.0) < 0.5
    with pytest.raises(GridError):
        ms_ssim(image(1, (40, 40)), image(1, (40, 41)), 1.0)
    with pytest.raises(GridError):
        ms_ssim(image(1, (10, 40)), image(1, (10, 40)), 1.0)


def test_the_distance_of_two_clouds_is_what_their_means_and_spreads_say():
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(500, 4))
    assert frechet_distance(cloud, cloud) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(cloud, cloud + np.array([3, 0, 0, 4])) == pytest.approx(25)
    assert frechet_distance(cloud[:, :1], 3 * cloud[:, :1]) == pytest.approx(
        (2 * cloud[:, 0].std(ddof=1)) ** 2 + (2 * cloud[:, 0].mean()) ** 2
    )
    assert frechet_distance(cloud[:3], cloud[3:6]) > 0  # fewer samples than features
    with pytest.raises(InputError):
        frechet_distance(cloud[:1], cloud)
