"""``mrsynth evaluate`` prints the library's figures to the last digit and refuses what cannot be compared."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_mrsynth.cli import main
from napari_mrsynth.evaluation import METRICS, NAMES, score
from phantoms import affine_of, lesion_labels, phantom, save

SHAPE, SPACING = (36, 44, 32), (5.0, 5.0, 5.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    affine = affine_of(SHAPE, SPACING)
    truth = phantom(SHAPE, affine, "FLAIR", lesion=True)
    pred = phantom(SHAPE, affine, "FLAIR", noise=0.1)
    lesions = lesion_labels(SHAPE, affine)
    return {
        "truth": save(truth, folder / "truth_FLAIR.nii.gz"),
        "pred": save(pred, folder / "pred_FLAIR.nii.gz"),
        "lesions": save(lesions, folder / "lesion_seg.nii.gz"),
        "arrays": (pred.array, truth.array, lesions.array),
    }


def evaluate(capsys, *arguments):
    code = main(["evaluate", *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_command_prints_the_librarys_figures_to_the_last_digit(files, capsys):
    given = ["--pred", files["pred"], "--truth", files["truth"], "--lesions", files["lesions"]]
    code, found = evaluate(capsys, *given)
    pred, truth, lesions = files["arrays"]
    expected = score(pred, truth, brain=truth > 0, lesions=lesions)
    assert code == 0
    assert tuple(found["regions"]) == NAMES
    for name in NAMES:
        for metric in (*METRICS, "data_range", "voxels"):
            assert found["regions"][name][metric] == getattr(expected.regions[name], metric)
    assert found["data_range"] == float(truth[truth > 0].max()) - float(truth[truth > 0].min())
    assert "maximum minus minimum" in found["data_range_is"]


def test_without_lesions_their_regions_are_null(files, capsys):
    _, found = evaluate(capsys, "--pred", files["pred"], "--truth", files["truth"])
    assert found["regions"]["lesion"] is None
    assert found["regions"]["healthy"] is None


def test_identical_images_give_a_psnr_that_json_can_hold(files, capsys):
    code, found = evaluate(capsys, "--pred", files["truth"], "--truth", files["truth"])
    assert code == 0
    assert found["regions"]["brain"]["psnr"] is None
    assert found["regions"]["brain"]["mse"] == 0


def test_people_get_a_table(files, capsys):
    assert main(["evaluate", "--pred", str(files["pred"]), "--truth", str(files["truth"])]) == 0
    shown = capsys.readouterr().out
    assert "NMSE" in shown
    assert "Full scale of PSNR and SSIM" in shown


@pytest.mark.parametrize("what", ["nan", "label", "missing", "scan as lesions", "empty lesions", "constant"])
def test_what_cannot_be_compared_exits_with_2_and_says_why(files, capsys, tmp_path, what):
    pred, truth, lesions = files["pred"], files["truth"], files["lesions"]
    volume = phantom(SHAPE, affine_of(SHAPE, SPACING), "FLAIR")
    if what == "nan":
        array = volume.array.copy()
        array[18, 22, 16] = np.nan
        pred = save(volume.with_array(array), tmp_path / "nan_FLAIR.nii.gz")
    elif what == "label":
        truth = lesions
    elif what == "missing":
        pred = tmp_path / "nothing.nii.gz"
    elif what == "scan as lesions":
        lesions = truth
    elif what == "empty lesions":
        labels = lesion_labels(SHAPE, volume.grid.affine)
        lesions = tmp_path / "empty_seg.nii.gz"
        save(volume.with_array(np.zeros_like(labels.array)), lesions)
    else:
        truth = save(volume.with_array(np.full_like(volume.array, 7)), tmp_path / "flat_FLAIR.nii.gz")
    code, found = evaluate(capsys, "--pred", pred, "--truth", truth, "--lesions", lesions)
    if what == "nan" and code == 0:  # the reader mends a few NaN voxels, and says so
        assert any("NaN" in note for note in found["warnings"])
    else:
        assert code == 2
        assert found["error"]["message"]


@pytest.mark.parametrize(
    ("option", "name"), [("--csv", "scan.nii.gz"), ("--figure", "a.pdf"), ("--html", "report")]
)
def test_a_report_is_not_written_over_a_file_of_another_kind(files, capsys, tmp_path, option, name):
    there = tmp_path / name
    there.write_bytes(b"mine")
    arguments = ["--pred", files["pred"], "--truth", files["truth"], option, there]
    assert main(["evaluate", *map(str, arguments)]) == 2
    assert "does not end in" in capsys.readouterr().err
    assert there.read_bytes() == b"mine"
