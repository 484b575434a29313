"""A comparison says what was matched and where it is wrong, and writes the same digits everywhere."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from napari_mrsynth.errors import FormatError, InputError
from napari_mrsynth.evaluation import METRICS, Bootstrap
from napari_mrsynth.evaluation.comparison import comparing
from napari_mrsynth.evaluation.drawing import MARK, png, write_figure
from napari_mrsynth.evaluation.matching import Matching
from napari_mrsynth.evaluation.page import write_page
from napari_mrsynth.evaluation.places import joint_histogram, slice_errors
from napari_mrsynth.evaluation.tables import write_csv, write_json
from napari_mrsynth.imaging import Source
from phantoms import affine_of, lesion_labels, phantom

SHAPE, SPACING = (36, 44, 32), (5.0, 5.0, 5.0)


def finished(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@pytest.fixture(scope="module")
def truth():
    return phantom(SHAPE, affine_of(SHAPE, SPACING, "LPS"), "FLAIR", lesion=True, noise=0.02)


@pytest.fixture(scope="module")
def spoiled(truth):
    """The truth in other units, with a spot 50 % too bright around a known place."""
    array = truth.array.copy()
    array[22:26, 30:34, 20:24] *= 1.5
    source = Source(
        synthetic={"bundle": {"id": "m1", "weights_sha256": "ab"}, "inputs": {"T1w": {}, "T2w": {}}}
    )
    return replace(truth.with_array(array * 0.4), source=source, name="FLAIR (synthetic)")


@pytest.fixture(scope="module")
def compared(truth, spoiled):
    lesions = lesion_labels(SHAPE, truth.grid.affine)
    return finished(
        comparing(
            spoiled,
            truth,
            lesions=lesions,
            matching=Matching.MEAN,
            bootstrap=Bootstrap(replicates=50, edge=8),
        )
    )


def test_matched_means_are_equal_and_the_factor_is_said(compared, truth, spoiled):
    inside = truth.array > 0
    expected = truth.array[inside].astype(float).mean() / spoiled.array[inside].astype(float).mean()
    assert compared.pair.factor == pytest.approx(expected)
    assert compared.scores.pred_mean == pytest.approx(compared.scores.truth_mean, rel=1e-6)
    assert compared.payload()["matching"] == "mean"


def test_without_matching_a_difference_of_scale_is_an_error_and_is_said(truth, spoiled):
    plain = finished(comparing(spoiled, truth, bootstrap=Bootstrap(replicates=0)))
    assert plain.pair.factor == 1
    assert any("difference of scale" in note for note in plain.pair.notes)
    assert plain.scores.regions["brain"].mae > 100


def test_the_worst_place_is_where_it_was_made_wrong(compared, truth):
    worst = compared.worst[0]
    assert np.abs(np.array(worst.voxel) - (23.5, 31.5, 21.5)).max() <= 2.5
    np.testing.assert_allclose(worst.point_mm, truth.grid.affine.apply(worst.voxel))
    assert worst.bias > 0
    assert all(a.mae >= b.mae for a, b in zip(compared.worst, compared.worst[1:], strict=False))


def test_slice_errors_peak_in_the_spoiled_slices_in_display_order(compared):
    errors = slice_errors(compared.pair, compared.pair.regions["brain"], 0)
    assert len(errors) == SHAPE[2]
    assert 20 <= int(np.nanargmax(errors)) < 24
    assert np.isnan(errors[0])
    sagittal = slice_errors(compared.pair, compared.pair.regions["brain"], 2)
    assert SHAPE[0] - 26 <= int(np.nanargmax(sagittal)) < SHAPE[0] - 22  # the first axis points left


def test_a_perfect_predictions_joint_histogram_lies_on_the_diagonal(truth):
    same = finished(comparing(truth, truth, bootstrap=Bootstrap(replicates=0)))
    counts, (low, high) = joint_histogram(same.pair, same.pair.regions["brain"])
    assert counts.sum() == np.count_nonzero(same.pair.brain)
    assert np.count_nonzero(counts - np.diag(np.diag(counts))) == 0
    assert low < high


def test_model_and_inputs_are_read_from_the_provenance(compared):
    assert compared.made_by == {"bundle": "m1", "weights_sha256": "ab", "inputs": ["T1w", "T2w"]}


def test_table_and_json_hold_every_digit(compared, tmp_path):
    with write_csv(tmp_path / "t.csv", [compared], ["p01"]).open(newline="") as file:
        rows = {row["region"]: row for row in csv.DictReader(file)}
    [told] = json.loads(write_json(tmp_path / "t.json", [compared]).read_text())
    assert set(rows) == {"whole", "brain", "healthy", "lesion"}
    for region, scores in compared.scores.regions.items():
        assert rows[region]["patient"] == "p01"
        for metric in METRICS:
            assert float(rows[region][metric]) == getattr(scores, metric)
            assert told["regions"][region][metric] == getattr(scores, metric)


def test_page_and_figure_say_that_the_prediction_is_synthetic(compared, tmp_path):
    page = write_page(tmp_path / "p.html", [compared]).read_text()
    assert "not for diagnosis" in page
    assert "http" not in page.replace("</html>", "")  # nothing is fetched when it is opened
    assert "FLAIR (synthetic) against FLAIR" in page
    assert "multiplied by one number" in page
    assert write_figure(tmp_path / "f.png", [compared, compared]).read_bytes().startswith(b"\x89PNG")


def test_the_figure_marks_what_is_synthetic_and_nothing_else(compared, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, *_, **__: drawn.append(figure))
    for synthetic in ((True, False), (False, True)):
        png([replace(compared, synthetic=synthetic)])
    titles = [[panel.get_title() for panel in figure.axes[:2]] for figure in drawn]
    assert [[MARK in title for title in pair] for pair in titles] == [[False, True], [True, False]]


def test_a_label_map_as_truth_is_refused_by_its_values(spoiled, truth):
    labels = truth.with_array((truth.array > 300).astype(np.float32))
    with pytest.raises(FormatError, match="truth holds only the whole numbers 0, 1: it is a label map"):
        finished(comparing(spoiled, labels))
    with pytest.raises(FormatError, match="prediction holds only"):
        finished(comparing(labels, truth))


@pytest.mark.parametrize("which", ["prediction", "truth"])
def test_nan_in_either_is_refused_with_its_count(spoiled, truth, which):
    images = {"prediction": spoiled, "truth": truth}
    array = images[which].array.copy()
    array[0, 0, :3] = np.nan
    images[which] = images[which].with_array(array)
    with pytest.raises(InputError, match=f"The {which} holds 3 NaN"):
        finished(comparing(images["prediction"], images["truth"]))


def test_means_that_are_not_positive_cannot_be_matched(truth):
    with pytest.raises(InputError, match="cannot be matched"):
        finished(comparing(truth.with_array(-truth.array), truth, matching=Matching.MEAN))
