"""``mrsynth structure``: the map on the image's own grid, the same as the library's, and its refusals."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from napari_mrsynth.io import read_image
from napari_mrsynth.structure import StructureSettings, default_beta, map_plane
from phantoms import affine_of, lesion_labels, nifti_file, phantom, save

SHAPE = (36, 44, 32)


@pytest.fixture
def scan(tmp_path):
    affine = affine_of(SHAPE, codes="LPS", tilt_deg=(5, 0, -8))
    return save(phantom(SHAPE, affine, "FLAIR", lesion=True), tmp_path / "p_flair.nii.gz")


def test_the_map_lies_on_the_images_grid_with_the_same_bits_as_the_preview(mrsynth, scan, tmp_path):
    ended = mrsynth(
        "structure",
        scan,
        "--beta",
        0.04,
        "--blur",
        2,
        "--expand",
        3,
        "--out",
        tmp_path / "m.nii.gz",
        "--json",
    )
    assert ended.code == 0, ended.err
    answer = ended.answer
    written = nib.load(answer["output"])
    np.testing.assert_allclose(written.affine, nib.load(scan).affine, atol=1e-5)
    volume, made = read_image(scan, kind="scan"), read_image(answer["output"], kind="labels")
    for index in (8, 17):
        preview, _ = map_plane(volume, index, StructureSettings(0.04, 2.0, 3))
        np.testing.assert_array_equal(made.display[index], preview)
    assert (answer["beta"], answer["blur_mm"], answer["expand"]) == (0.04, 2, 3)
    assert answer["edge_voxels"] == int(made.array.sum()) > 0


def test_the_threshold_is_the_contrasts_unless_given(mrsynth, scan, tmp_path):
    ended = mrsynth("structure", scan, "--out", tmp_path / "m.nii.gz", "--json")
    assert ended.answer["contrast"] == "FLAIR"
    assert ended.answer["beta"] == default_beta("FLAIR")


def test_lesions_are_left_out_and_the_mask_is_written(mrsynth, scan, tmp_path):
    labels = save(
        lesion_labels(SHAPE, affine_of(SHAPE, codes="LPS", tilt_deg=(5, 0, -8))), tmp_path / "seg.nii.gz"
    )
    ended = mrsynth(
        *("structure", scan, "--labels", labels, "--out", tmp_path / "m.nii.gz"),
        *("--mask-out", tmp_path / "brain.nii.gz", "--json"),
    )
    assert ended.code == 0, ended.err
    structure, lesion = nib.load(ended.answer["output"]), nib.load(labels)
    assert not np.asarray(structure.dataobj)[np.asarray(lesion.dataobj) > 0].any()
    brain = np.asarray(nib.load(ended.answer["mask"]).dataobj)
    assert not (np.asarray(structure.dataobj) > brain).any()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--beta", "1.5"), "1.5"),
        (("--blur", "-2"), "-2"),
        (("--expand", "-1"), "-1"),
        (("--labels", "nothing.nii.gz"), "nothing.nii.gz"),
        (("--out", "map.png"), "map.png"),
    ],
)
def test_what_cannot_be_done_is_refused_quoting_the_value(mrsynth, scan, tmp_path, options, says):
    arguments = (
        "structure",
        scan,
        *(("--out", tmp_path / "m.nii.gz") if "--out" not in options else ()),
        *options,
    )
    ended = mrsynth(*arguments, "--json")
    assert ended.code == 2
    assert says in ended.answer["error"]["message"]
    assert not (tmp_path / "m.nii.gz").exists()
    assert not (tmp_path / "m.json").exists()


def test_labels_that_are_not_whole_numbers_are_refused(mrsynth, scan, tmp_path):
    bad = nifti_file(tmp_path / "bad.nii.gz", np.full(SHAPE, 0.37, np.float32), affine_of(SHAPE))
    ended = mrsynth("structure", scan, "--labels", bad, "--out", tmp_path / "m.nii.gz", "--json")
    assert ended.code == 2
    assert "0.37" in ended.answer["error"]["message"]


def test_the_scan_itself_is_never_overwritten(mrsynth, scan):
    before = scan.read_bytes()
    ended = mrsynth("structure", scan, "--out", scan, "--json")
    assert ended.code == 2
    assert scan.read_bytes() == before
