"""``mrsynth inside`` writes what the dock shows, marked, where the slice lies."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_mrsynth.bundles import BundleStore
from napari_mrsynth.imaging import Affine
from napari_mrsynth.io import read_image, read_patient
from napari_mrsynth.preprocess.study import build_study
from napari_mrsynth.synthesis import Engine, Request
from napari_mrsynth.synthesis.inside import look_inside, most_brain
from napari_mrsynth.synthesis.sheets import sheets_of
from phantoms import brain_study, patient_folder

SLICE = 16


@pytest.fixture
def opened(mrsynth, tiny, patient, tmp_path):
    """What the command says about a slice of FLAIR from T1w and T2w."""
    ended = mrsynth(
        *("inside", patient, "--use", "T1w,T2w", "--want", "FLAIR", "--slice", SLICE),
        *("--out", tmp_path / "out", "--device", "cpu", "--precision", "fp32", "--json"),
    )
    assert ended.code == 0, ended.err
    return ended.answer


def study_of(patient):
    """The study that the command builds: of the scans in use alone."""
    files = read_patient(patient)
    used = [volume for volume in files.volumes if volume.contrast in ("T1w", "T2w")]
    return build_study(used, name=files.name, mask=files.mask, lesions=files.lesions)


def test_the_files_hold_what_the_dock_shows(opened, tiny, patient):
    request = Request(("FLAIR",), ("T1w", "T2w"), device="cpu", precision="fp32")
    study = study_of(patient)
    inside = look_inside(Engine(BundleStore([tiny.parent])), study, request, SLICE)
    sheets = sheets_of(inside)
    kinds = [output["kind"] for output in opened["outputs"]]
    assert kinds == ["alone", "latent", "latent", "fused", "sources"]
    for output, sheet in zip(opened["outputs"], sheets, strict=True):
        np.testing.assert_array_equal(np.asarray(nib.load(output["path"]).dataobj), sheet.image.array)
        assert tuple(output["parts"]) == sheet.parts
    assert opened["outputs"][0]["parts"] == ["T1w", "T2w", "all inputs"]
    assert (opened["slice"], opened["bundle"], opened["used"]) == (SLICE, "tiny", ["T1w", "T2w"])


def test_every_file_is_marked_and_says_how_it_was_made(opened):
    for output in opened["outputs"]:
        path = Path(output["path"])
        assert bytes(nib.load(path).header["descrip"]).startswith(b"SYNTHETIC")
        told = json.loads(path.with_name(path.name.removesuffix(".nii.gz") + ".json").read_text())
        assert told["Synthetic"] is True
        assert told["Provenance"]["inside"]["slice"] == SLICE
        assert told["Provenance"]["inside"]["parts"] == output["parts"]
        assert set(told["Provenance"]["inputs"]) == {"T1w", "T2w"}
        assert len(told["Provenance"]["bundle"]["weights_sha256"]) == 64
        assert read_image(path).source.synthetic


def test_the_first_picture_lies_over_the_slice_of_an_oblique_scan(mrsynth, tiny, tmp_path):
    study = brain_study(("T1w", "T2w"), codes="LPS", tilt_deg=(5, 0, -8), spacing=(5.0, 5.0, 5.0))
    folder = patient_folder(tmp_path / "sub-02", study)
    ended = mrsynth("inside", folder, "--want", "FLAIR", "--slice", 12, "--out", tmp_path, "--json")
    assert ended.code == 0, ended.err
    written = nib.load(ended.answer["outputs"][0]["path"])
    shown = study.grid.display
    _, height, width = shown.shape
    assert written.shape == (1, height, 3 * width)
    np.testing.assert_allclose(
        Affine(written.affine).apply((0, height - 1, width - 1)),
        shown.affine.apply((12, height - 1, width - 1)),
        atol=1e-3,
    )


def test_without_a_slice_the_one_with_most_brain_is_opened(mrsynth, tiny, patient, tmp_path):
    ended = mrsynth("inside", patient, "--use", "T1w", "--want", "FLAIR", "--out", tmp_path / "out", "--json")
    assert ended.answer["slice"] == most_brain(study_of(patient))


@pytest.mark.parametrize("index", [-1, 0, 31, 400])
def test_a_slice_without_brain_is_refused_naming_those_with_brain(mrsynth, tiny, patient, tmp_path, index):
    out = tmp_path / "out"
    ended = mrsynth("inside", patient, "--want", "FLAIR", "--slice", index, "--out", out, "--json")
    assert ended.code == 2
    assert f"slice {index}" in ended.answer["error"]["message"]
    assert "from 1 to 30" in ended.answer["error"]["hint"]
    assert not list(out.glob("*.nii*"))


def test_another_patients_results_are_not_replaced(mrsynth, tiny, patient, tmp_path):
    command = ("--want", "FLAIR", "--use", "T1w", "--slice", SLICE, "--out", tmp_path / "out", "--json")
    assert mrsynth("inside", patient, *command).code == 0
    other = patient_folder(
        tmp_path / "elsewhere" / "sub-01", brain_study(("T1w",), scale=700.0, name="sub-01")
    )
    ended = mrsynth("inside", other, *command)
    assert ended.code == 2
    assert "other scans" in ended.answer["error"]["message"]
    assert mrsynth("inside", patient, *command).code == 0
