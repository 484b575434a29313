"""What cannot be compared is refused, by the command line as by the dock, with the value and the remedy."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from napari_mrsynth.cli import main
from napari_mrsynth.errors import MrsynthError
from napari_mrsynth.evaluation.bootstrap import Bootstrap
from napari_mrsynth.evaluation.matching import Matching
from napari_mrsynth.gui.compare.work import Task, looking
from napari_mrsynth.imaging import Grid, LabelVolume, Volume
from phantoms import affine_of, phantom, save

SHAPE, SPACING = (18, 22, 16), (10.0, 10.0, 10.0)
GRID = Grid(SHAPE, affine_of(SHAPE, SPACING))
FAR = Grid(SHAPE, affine_of(SHAPE, SPACING, centre_mm=(900.0, 0.0, 0.0)))
TRUTH = phantom(SHAPE, GRID.affine, "FLAIR", noise=0.02)
BRAIN = (TRUTH.array > 0).astype(np.uint8)


def scan(array, grid=GRID):
    return replace(TRUTH, array=np.asarray(array, np.float32), grid=grid)


def labels(array, grid=GRID):
    return LabelVolume(np.asarray(array, np.uint8), grid, "labels")


def only(*voxel):
    array = np.zeros(SHAPE, np.uint8)
    array[voxel] = 1
    return array


@dataclass(frozen=True)
class Bad:
    """What is given instead of something sound, what the message says of it, and what the hint.

    `reader` is what the message says where reading the file refuses it already.
    """

    given: dict[str, Volume | LabelVolume]
    says: str
    hint: str
    reader: str = ""
    match: str = "none"


ROWS = {
    "constant truth": Bad(
        {"truth": scan(np.full(SHAPE, 7))}, "same value, 7,", "real scan", "every voxel is 7"
    ),
    "truth constant in the brain": Bad(
        {"truth": scan(np.where(BRAIN, 7.5, 0)), "mask": labels(BRAIN)}, "same value, 7.5,", "belong together"
    ),
    "empty prediction": Bad(
        {"pred": scan(np.zeros(SHAPE))}, "Brain means of 0", "as they are", "every voxel is 0", match="mean"
    ),
    "empty mask": Bad({"mask": labels(np.zeros(SHAPE))}, "brain mask is empty", "covers the brain"),
    "mask of another head": Bad(
        {"mask": labels(BRAIN, FAR)}, f"None of the {BRAIN.sum()} voxels of the brain mask", "of this patient"
    ),
    "mask on the background": Bad({"mask": labels(only(0, 0))}, "same value, 0,", "mask belong together"),
    "empty lesions": Bad({"lesions": labels(np.zeros(SHAPE))}, "labels are empty", "Leave them out"),
    "lesions of another head": Bad(
        {"lesions": labels(BRAIN, FAR)}, f"{BRAIN.sum()} voxels of the lesion labels", "of this patient"
    ),
    "lesions beside the brain": Bad({"lesions": labels(only(0, 0, 0))}, "None of the 1", "another patient"),
    "lesions all over": Bad({"lesions": labels(BRAIN)}, "whole brain mask", "not the brain mask"),
    "no common region": Bad({"truth": scan(TRUTH.array, FAR)}, "does not meet", "one patient"),
    "label map as truth": Bad(
        {"truth": scan(BRAIN)}, "numbers 0, 1: it is a label", "lesions", "0, 1), not a"
    ),
    "label map as prediction": Bad(
        {"pred": scan(BRAIN * 2)}, "numbers 0, 2: it is a label", "lesions", "0, 2), not a"
    ),
}


@pytest.mark.parametrize("bad", ROWS.values(), ids=ROWS)
def test_the_command_refuses_it(bad, tmp_path, capsys):
    images = {"pred": scan(TRUTH.array * 1.1), "truth": TRUTH, **bad.given}
    names = {"pred": "made_FLAIR", "truth": "real_FLAIR", "mask": "p_brainmask", "lesions": "p_seg"}
    arguments = [
        word
        for what, image in images.items()
        for word in (f"--{what}", str(save(image, tmp_path / f"{names[what]}.nii.gz")))
    ]
    code = main(["evaluate", *arguments, "--match", bad.match, "--csv", str(tmp_path / "t.csv"), "--json"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert code == 2
    assert (bad.reader or bad.says) in error["message"]
    assert error["hint"] if bad.reader else bad.hint in error["hint"]
    assert not (tmp_path / "t.csv").exists()


@pytest.mark.parametrize("bad", ROWS.values(), ids=ROWS)
def test_the_docks_work_refuses_it(bad):
    images = {"pred": scan(TRUTH.array * 1.1), "truth": TRUTH, **bad.given}
    pred = images.pop("pred")
    task = Task((pred,), **images, matching=Matching(bad.match), bootstrap=Bootstrap(replicates=0))
    with pytest.raises(MrsynthError) as caught:
        list(looking(task))
    assert bad.says in caught.value.message
    assert bad.hint in caught.value.hint


@pytest.mark.parametrize("which", ["pred", "truth"])
def test_nan_in_either_is_refused_with_its_share(which, tmp_path, capsys):
    array = TRUTH.array.copy()
    array[:, :, :4] = np.nan
    images = {"pred": TRUTH, "truth": TRUTH, which: scan(array)}
    files = {what: save(image, tmp_path / f"{what}_FLAIR.nii.gz") for what, image in images.items()}
    code = main(["evaluate", "--pred", str(files["pred"]), "--truth", str(files["truth"]), "--json"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert code == 2
    assert f"{which}_FLAIR" in error["message"]
    assert "25 %" in error["message"]
    assert error["hint"]


def test_a_truth_on_another_grid_is_scored_and_the_resampling_said(tmp_path, capsys):
    finer = phantom((36, 44, 32), affine_of((36, 44, 32), (5.0, 5.0, 5.0), "LPS"), "FLAIR")
    files = [save(TRUTH, tmp_path / "made_FLAIR.nii.gz"), save(finer, tmp_path / "real_FLAIR.nii.gz")]
    code = main(["evaluate", "--pred", str(files[0]), "--truth", str(files[1]), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert any("another grid (shape 18 x 22 x 16 against 36 x 44 x 32)" in note for note in told["warnings"])
    assert told["regions"]["brain"]["ncc"] > 0.8


def test_a_constant_prediction_is_scored_without_a_correlation(tmp_path, capsys):
    flat = scan(np.where(BRAIN, 300, 0.5))
    files = [save(flat, tmp_path / "made_FLAIR.nii.gz"), save(TRUTH, tmp_path / "real_FLAIR.nii.gz")]
    code = main(["evaluate", "--pred", str(files[0]), "--truth", str(files[1]), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert told["regions"]["brain"]["ncc"] is None
    assert told["regions"]["brain"]["mae"] > 0
