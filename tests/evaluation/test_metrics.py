"""The figures are those of the definitions and of scikit-image, region by region."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from napari_mrsynth.errors import GridError, InputError, LabelError
from napari_mrsynth.evaluation import METRICS, regions_of, score


@pytest.fixture
def images():
    """A truth, a prediction off by noise, an asymmetric brain away from the border, and a lesion."""
    rng = np.random.default_rng(4)
    shape = (30, 26, 23)
    i, j, k = np.indices(shape)
    brain = ((i - 14) / 12) ** 2 + ((j - 12) / 10) ** 2 + ((k - 11) / 9) ** 2 < 0.9
    truth = np.where(brain, 300 + 40 * np.sin(i / 3) + 25 * np.cos(j / 2) + 2 * k, 0).astype(np.float32)
    pred = (truth + np.where(brain, rng.normal(5, 12, shape), 0)).astype(np.float32)
    lesions = np.zeros(shape, np.uint8)
    lesions[10:14, 9:13, 9:12] = 1
    lesions[14:16, 9:13, 9:12] = 4
    return pred, truth, brain, lesions


def test_an_image_scores_perfectly_against_itself(images):
    _, truth, brain, lesions = images
    for figures in score(truth, truth, brain=brain, lesions=lesions).regions.values():
        assert (figures.mse, figures.nmse, figures.mae) == (0, 0, 0)
        assert figures.psnr == math.inf
        assert figures.ssim == pytest.approx(1, abs=1e-12)
        assert figures.ncc == pytest.approx(1, abs=1e-12)


def test_a_constant_shift_has_the_figures_of_the_definitions(images):
    _, truth, brain, lesions = images
    scores = score(truth + 10, truth, brain=brain, lesions=lesions)
    known = truth[brain].astype(float)
    span = known.max() - known.min()
    shifted = known + 10
    for figures in scores.regions.values():
        assert figures.mse == pytest.approx(100, rel=1e-6)
        assert figures.mae == pytest.approx(10, rel=1e-6)
        assert figures.psnr == pytest.approx(20 * math.log10(span / 10), rel=1e-6)
        assert figures.ncc == pytest.approx(1, abs=1e-6)
        assert figures.data_range == pytest.approx(span)
    expected = np.mean((shifted / shifted.mean() - known / known.mean()) ** 2)
    assert scores.regions["brain"].nmse == pytest.approx(expected, rel=1e-5)
    assert scores.pred_mean - scores.truth_mean == pytest.approx(10, rel=1e-6)


def test_nmse_is_blind_to_a_global_scale_and_mse_is_not(images):
    _, truth, brain, _ = images
    brain_scores = score(3 * truth, truth, brain=brain).regions["brain"]
    assert brain_scores.nmse == pytest.approx(0, abs=1e-12)
    assert brain_scores.mse == pytest.approx(np.mean((2 * truth[brain].astype(float)) ** 2), rel=1e-6)


def test_nmse_divides_by_the_means_over_the_brain_in_every_region(images):
    pred, truth, brain, lesions = images
    scores = score(pred, truth, brain=brain, lesions=lesions)
    made = pred.astype(float) / pred[brain].astype(float).mean()
    real = truth.astype(float) / truth[brain].astype(float).mean()
    for name, mask in regions_of(brain, lesions).items():
        expected = np.mean((made[mask] - real[mask]) ** 2)
        assert scores.regions[name].nmse == pytest.approx(expected, rel=1e-6)


def test_an_anticorrelated_prediction_has_ncc_minus_one(images):
    _, truth, brain, _ = images
    assert score(-truth, truth, brain=brain).regions["brain"].ncc == pytest.approx(-1, abs=1e-6)


def test_figures_equal_scikit_image_to_a_millionth(images):
    pred, truth, brain, lesions = images
    scores = score(pred, truth, brain=brain, lesions=lesions)
    span = float(truth[brain].max() - truth[brain].min())
    _, similarity = structural_similarity(
        truth.astype(float),
        pred.astype(float),
        data_range=span,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    for name, mask in regions_of(brain, lesions).items():
        made, real = pred[mask].astype(float), truth[mask].astype(float)
        figures = scores.regions[name]
        assert figures.mse == pytest.approx(mean_squared_error(real, made), rel=1e-6)
        assert figures.psnr == pytest.approx(peak_signal_noise_ratio(real, made, data_range=span), rel=1e-6)
        assert figures.ncc == pytest.approx(np.corrcoef(made, real)[0, 1], rel=1e-6)
        assert figures.ssim == pytest.approx(similarity[mask].mean(), rel=1e-6)
        assert figures.voxels == np.count_nonzero(mask)


def test_the_mean_of_the_whole_ssim_map_inside_its_border_is_scikit_images_figure(images):
    pred, truth, brain, _ = images
    inner = np.zeros(brain.shape, bool)
    inner[5:-5, 5:-5, 5:-5] = True  # what scikit-image averages: the window must fit
    span = float(truth[inner].max() - truth[inner].min())
    expected = structural_similarity(
        truth, pred, data_range=span, gaussian_weights=True, use_sample_covariance=False
    )
    assert score(pred, truth, brain=inner).regions["brain"].ssim == pytest.approx(expected, abs=1e-6)


def test_a_flat_window_sees_each_slice_by_itself(images):
    pred, truth, brain, _ = images
    span = float(truth[brain].max() - truth[brain].min())
    total = 0.0
    for made, real, inside in zip(pred, truth, brain, strict=True):
        _, similarity = structural_similarity(
            real.astype(float),
            made.astype(float),
            data_range=span,
            gaussian_weights=True,
            use_sample_covariance=False,
            full=True,
        )
        total += similarity[inside].sum()
    order = np.random.default_rng(1).permutation(len(pred))
    flat = score(pred[order], truth[order], brain=brain[order], in_plane=True)
    assert flat.regions["brain"].ssim == pytest.approx(total / np.count_nonzero(brain), rel=1e-6)


def test_scores_do_not_depend_on_a_larger_field_of_view_or_on_the_axis_order(images):
    pred, truth, brain, lesions = images
    small = score(pred, truth, brain=brain, lesions=lesions)

    def larger(array):
        return np.pad(array, ((11, 3), (0, 40), (7, 9))).transpose(2, 0, 1)

    large = score(larger(pred), larger(truth), brain=larger(brain), lesions=larger(lesions))
    for region in ("brain", "healthy", "lesion"):
        for metric in METRICS:
            assert getattr(large.regions[region], metric) == pytest.approx(
                getattr(small.regions[region], metric), rel=1e-9
            )


def test_regions_left_out_do_not_change_the_others(images):
    pred, truth, brain, lesions = images
    every = score(pred, truth, brain=brain, lesions=lesions)
    some = score(pred, truth, brain=brain, lesions=lesions, regions=("brain", "lesion"))
    assert set(some.regions) == {"brain", "lesion"}
    assert some.regions["lesion"] == every.regions["lesion"]


def test_lesion_and_healthy_make_up_the_brain(images):
    pred, truth, brain, lesions = images
    regions = score(pred, truth, brain=brain, lesions=lesions).regions
    parts = [regions["healthy"], regions["lesion"]]
    assert sum(part.voxels for part in parts) == regions["brain"].voxels
    for metric in ("mse", "nmse", "mae", "ssim"):
        together = sum(getattr(part, metric) * part.voxels for part in parts) / regions["brain"].voxels
        assert together == pytest.approx(getattr(regions["brain"], metric), rel=1e-9)


def test_without_lesions_nobody_knows_what_is_healthy(images):
    pred, truth, brain, _ = images
    scores = score(pred, truth, brain=brain)
    assert set(scores.regions) == {"whole", "brain"}
    assert scores.as_dict()["regions"]["healthy"] is None
    assert scores.as_dict()["regions"]["lesion"] is None


def test_integer_images_are_scored_without_overflow():
    truth = np.zeros((12, 12, 12), np.uint8)
    truth[2:10, 2:10, 2:10] = 200
    truth[4:6, 4:6, 4:6] = 10
    pred = np.zeros_like(truth)
    figures = score(pred, truth, brain=truth > 0).regions["brain"]
    assert figures.mse == pytest.approx(np.mean(truth[truth > 0].astype(float) ** 2))


def test_volumes_thinner_than_the_window_are_scored():
    truth = np.arange(64.0).reshape(1, 8, 8)
    figures = score(truth + 1, truth, brain=np.ones(truth.shape)).regions["whole"]
    assert 0.9 < figures.ssim < 1


def test_a_constant_prediction_is_scored_but_has_no_correlation(images):
    _, truth, brain, _ = images
    figures = score(np.full_like(truth, 300), truth, brain=brain).regions["brain"]
    assert math.isnan(figures.ncc)
    assert figures.mse == pytest.approx(np.mean((300 - truth[brain].astype(float)) ** 2), rel=1e-6)


def test_a_prediction_whose_mean_is_not_positive_has_no_nmse(images):
    _, truth, brain, _ = images
    assert math.isnan(score(-truth, truth, brain=brain).regions["brain"].nmse)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"pred": np.nan}, InputError, "prediction holds 1 NaN"),
        ({"truth": np.inf}, InputError, "truth holds 1 NaN or infinite"),
        ({"brain": "empty"}, InputError, "brain mask is empty"),
        ({"truth": "constant"}, InputError, "same value, 7"),
        ({"lesions": "empty"}, LabelError, "lesion labels are empty"),
        ({"lesions": "outside"}, LabelError, "None of the 1 lesion voxels"),
        ({"lesions": "everywhere"}, LabelError, "no healthy voxel"),
        ({"truth": "cut"}, GridError, "The truth has shape (29, 26, 23), the prediction (30, 26, 23)"),
        ({"brain": "cut"}, GridError, "The brain mask has shape"),
        ({"lesions": "cut"}, GridError, "The lesion labels have shape"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_the_reason(images, change, error, said):
    arrays = dict(zip(("pred", "truth", "brain", "lesions"), (a.copy() for a in images), strict=True))
    ((name, how),) = change.items()
    array = arrays[name]
    if how == "empty":
        array[:] = 0
    elif how == "constant":
        array[:] = 7
    elif how == "outside":
        array[:] = 0
        array[0, 0, 0] = 1
    elif how == "everywhere":
        array[:] = 1
    elif how == "cut":
        arrays[name] = array[1:]
    else:
        array[15, 12, 11] = how
    with pytest.raises(error) as caught:
        score(arrays["pred"], arrays["truth"], brain=arrays["brain"], lesions=arrays["lesions"])
    assert said in str(caught.value)


def test_complex_and_two_dimensional_images_are_refused(images):
    _, truth, brain, _ = images
    with pytest.raises(InputError, match="complex64 values"):
        score(truth.astype(np.complex64), truth, brain=brain)
    with pytest.raises(GridError, match="three axes, not 2"):
        score(truth[0], truth[0], brain=brain[0])
