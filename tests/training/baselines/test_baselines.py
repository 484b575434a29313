"""The plain methods learn what they should, give the same answer twice, and refuse what they cannot learn."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mrsynth.errors import ContrastError, GridError
from napari_mrsynth.training.baselines import Case, LinearRegression, MeanImage, RandomForest
from napari_mrsynth.training.baselines.features import NEIGHBOURS, patch_features
from phantoms import brain_study


def case_of(seed: int, noise: float = 0.05, scale: float = 400.0) -> Case:
    """A phantom patient, cropped and normalised."""
    study = brain_study(
        seed=seed, noise=noise, scale=scale, lesion=True, shape=(34, 40, 30), spacing=(5, 5, 5)
    )
    scans = {contrast: study.volume(contrast).display for contrast in study.contrasts}
    brain = study.grid.as_display(study.mask.array)
    return Case.cropped(f"patient{seed}", scans, brain, study.lesions.display)


@pytest.fixture(scope="module")
def patients():
    return [case_of(1), case_of(2, scale=90.0)]


@pytest.fixture(scope="module")
def newcomer():
    return case_of(3, scale=1000.0)


def error(made, case, target):
    return np.mean((made[case.brain] - case.scan(target)[case.brain]) ** 2)


def small_forest(**settings):
    return RandomForest(**{"trees": 8, "samples": 3000, **settings})


def test_a_case_is_cropped_to_the_brain_and_has_foreground_mean_one(newcomer):
    for scan in newcomer.scans.values():
        assert scan[newcomer.brain].mean() == pytest.approx(1, rel=1e-5)
        assert not scan[~newcomer.brain].any()
    edges = [newcomer.brain.any(axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
    assert all(edge.argmax() == 2 == edge[::-1].argmax() for edge in edges)  # the margin


def test_a_cases_normalisation_does_not_depend_on_the_field_of_view(newcomer):
    study = brain_study(("T1w",), shape=(34, 40, 30), spacing=(5, 5, 5))
    scan, brain = study.volume("T1w").array, study.mask.array
    wide = Case.cropped("wide", {"T1w": np.pad(scan, 9)}, np.pad(brain, 9))
    tight = Case.cropped("tight", {"T1w": scan}, brain)
    np.testing.assert_allclose(wide.scan("T1w")[wide.brain], tight.scan("T1w")[tight.brain], rtol=1e-6)


def test_the_mean_image_has_the_variance_of_the_truth_as_its_error(patients, newcomer):
    made = MeanImage().fit(patients, ["T1w"], "FLAIR").predict(newcomer)
    assert error(made, newcomer, "FLAIR") == pytest.approx(
        newcomer.scan("FLAIR")[newcomer.brain].var(), rel=1e-3
    )


def test_linear_regression_equals_scikit_learn(patients, newcomer):
    from sklearn.linear_model import LinearRegression as Oracle

    subset, target = ["T2w", "T1w"], "FLAIR"
    table = np.concatenate([np.stack([c.scan(s)[c.brain] for s in subset], axis=1) for c in patients])
    values = np.concatenate([c.scan(target)[c.brain] for c in patients])
    oracle = Oracle().fit(table.astype(float), values.astype(float))
    ours = LinearRegression().fit(patients, subset, target)
    np.testing.assert_allclose(ours.weights, [*oracle.coef_, oracle.intercept_], rtol=1e-5)
    expected = oracle.predict(np.stack([newcomer.scan(s)[newcomer.brain] for s in subset], axis=1))
    np.testing.assert_allclose(ours.predict(newcomer)[newcomer.brain], expected, rtol=1e-4)


def test_linear_regression_finds_an_exact_linear_relation(newcomer):
    scans = {**newcomer.scans, "mixed": 0.3 + 0.5 * newcomer.scan("T1w") - 0.2 * newcomer.scan("T2w")}
    case = Case("linear", scans, newcomer.brain)
    fitted = LinearRegression().fit([case], ["T1w", "T2w"], "mixed")
    np.testing.assert_allclose(fitted.weights, [0.5, -0.2, 0.3], atol=1e-5)


def test_each_method_beats_the_one_before_on_an_unseen_patient(patients, newcomer):
    errors = [
        error(method.fit(patients, ["T1w", "T2w"], "FLAIR").predict(newcomer), newcomer, "FLAIR")
        for method in (MeanImage(), LinearRegression(), small_forest())
    ]
    assert errors[0] > errors[1] > errors[2]


def test_the_forest_is_the_same_for_the_same_seed_and_any_number_of_threads(patients, newcomer):
    def made(**settings):
        return small_forest(**settings).fit(patients, ["T1w"], "T2w").predict(newcomer)

    first = made(seed=3)
    np.testing.assert_array_equal(first, made(seed=3, n_jobs=2))
    assert (first != made(seed=4)).any()


def test_the_forest_draws_as_many_voxels_as_asked_evenly_from_all_patients(patients, monkeypatch):
    drawn = []

    def spy(case, contrasts, voxels, **_):
        drawn.append((case.name, np.unique(voxels).size, bool(case.brain.flat[voxels].all())))
        return np.zeros((voxels.size, 1), np.float32)

    monkeypatch.setattr("napari_mrsynth.training.baselines.methods.patch_features", spy)
    RandomForest(trees=1, samples=1001).fit(patients, ["T1w"], "T2w")
    assert drawn == [("patient1", 501, True), ("patient2", 501, True)]


def test_by_default_the_forest_is_not_a_weak_one():
    forest = RandomForest()
    assert (forest.trees, forest.samples, len(NEIGHBOURS), len(forest.sigmas)) == (60, 44_000, 6, 2)


def test_patch_features_are_the_voxel_its_neighbours_and_two_blurs(newcomer):
    from scipy.ndimage import gaussian_filter

    voxel = (12, 15, 10)
    at = np.array([np.ravel_multi_index(voxel, newcomer.brain.shape)])
    row = patch_features(newcomer, ["T1w", "T2w"], at, sigmas=(1.0, 3.0))[0]
    assert row.shape == (18,)
    for number, contrast in enumerate(("T1w", "T2w")):
        scan = newcomer.scan(contrast)
        around = [
            scan[11, 15, 10],
            scan[13, 15, 10],
            scan[12, 14, 10],
            scan[12, 16, 10],
            scan[12, 15, 9],
            scan[12, 15, 11],
        ]
        part = row[number * 9 : number * 9 + 9]
        np.testing.assert_array_equal(part[:7], [scan[voxel], *around])
        for value, sigma in zip(part[7:], (1.0, 3.0), strict=True):
            expected = gaussian_filter(scan, sigma, mode="constant", truncate=3.0)[voxel]
            assert value == pytest.approx(expected, rel=1e-5)


def test_voxels_at_the_border_see_background_beyond_it(newcomer):
    scans = {"T1w": np.ones((4, 4, 4), np.float32)}
    case = Case("cube", scans, np.ones((4, 4, 4), bool))
    corner = patch_features(case, ["T1w"], np.array([0]))[0]
    assert corner[:7].tolist() == [1, 0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("method", [MeanImage, LinearRegression, RandomForest])
def test_chosen_voxels_get_the_same_values_as_in_the_whole_brain(method, patients, newcomer):
    fitted = (small_forest() if method is RandomForest else method()).fit(patients, ["T1w"], "T2w")
    some = newcomer.voxels[::7]
    part = fitted.predict(newcomer, some)
    np.testing.assert_array_equal(part.flat[some], fitted.predict(newcomer).flat[some])
    part.flat[some] = 0
    assert not part.any()


@pytest.mark.parametrize("method", [MeanImage, LinearRegression, RandomForest])
def test_impossible_pairs_are_refused(method, patients):
    with pytest.raises(ContrastError, match="T1w from T1w, T2w"):
        method().fit(patients, ["T1w", "T2w"], "T1w")
    with pytest.raises(ContrastError, match="from nothing"):
        method().fit(patients, [], "T1w")
    with pytest.raises(ContrastError, match="no patient"):
        method().fit([], ["T2w"], "T1w")
    with pytest.raises(ContrastError, match="has no PDw"):
        method().fit(patients, ["T1w"], "PDw")


def test_an_empty_or_misshapen_case_is_refused():
    scan = np.ones((5, 5, 5), np.float32)
    with pytest.raises(GridError, match="empty"):
        Case.cropped("nobody", {"T1w": scan}, np.zeros(scan.shape, bool))
    with pytest.raises(GridError, match="not above 0"):
        Case.cropped("dark", {"T1w": -scan}, np.ones(scan.shape, bool))
    with pytest.raises(GridError, match="shape"):
        Case("crooked", {"T1w": scan}, np.ones((4, 5, 5), bool))
