"""A scan's map: one answer in preview, volume and file, on any grid; lesions, notes, refusals."""

from __future__ import annotations

import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import torch

from napari_mrsynth.errors import ConfigError, GridError, OutputError
from napari_mrsynth.imaging import Affine, Grid, LabelVolume, Source, Volume
from napari_mrsynth.io import read_image
from napari_mrsynth.structure import StructureMap, StructureSettings, default_beta, map_plane, map_volume
from napari_mrsynth.structure.maps import structural_map
from napari_mrsynth.structure.saving import save_labels
from napari_mrsynth.structure.volume import field_of
from phantoms import ALL_CODES, affine_of, lesion_labels, phantom, save

SETTINGS = StructureSettings(beta=0.05, blur_mm=0.0, expand=2)
SHAPE = (36, 44, 32)


def made(volume: Volume, settings: StructureSettings = SETTINGS, lesions: LabelVolume | None = None):
    steps = map_volume(volume, settings, lesions)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result = end.value
            assert isinstance(result, StructureMap)
            return result


@pytest.mark.parametrize("blur", [0.0, 3.0])
def test_preview_training_and_saved_file_are_the_same_bits(tmp_path, blur):
    scan = phantom(SHAPE, affine_of(SHAPE, codes="LPS"), noise=0.02)
    settings = replace(SETTINGS, blur_mm=blur, expand=0)
    whole = made(scan, settings)
    path = save_labels(tmp_path / "map.nii.gz", whole.structure, whole.provenance)
    read_back = read_image(path, kind="labels").display
    for index in (3, 11, 20):
        structure, brain = map_plane(scan, index, settings)
        np.testing.assert_array_equal(read_back[index], structure)
        np.testing.assert_array_equal(whole.brain.display[index], brain)
        batch = torch.from_numpy(np.array(scan.display[index])).requires_grad_()
        seen = {"spacing_mm": (4.0, 4.0), "field": field_of(scan)}
        training = structural_map(batch[None, None], 0.05, blur_mm=blur, **seen)[0, 0]
        np.testing.assert_array_equal(training.detach().numpy() * brain, structure)


@pytest.mark.parametrize("codes", ALL_CODES[::5])
def test_the_map_is_the_same_however_the_scan_is_stored(codes):
    reference = phantom(SHAPE)
    image = nib.Nifti1Image(reference.array, reference.grid.affine.matrix)
    to_codes = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(codes)
    )
    turned = image.as_reoriented(to_codes)
    grid = Grid(turned.shape, Affine(turned.affine))
    assert grid.affine.codes == codes
    scan = Volume(np.asarray(turned.dataobj), grid, contrast="T1w")
    np.testing.assert_array_equal(made(scan).structure.display, made(reference).structure.display)


def test_air_around_the_head_does_not_change_the_map():
    shape = (70, 80, 32)
    scan = phantom(shape)
    matrix = scan.grid.affine.matrix.copy()
    matrix[:3, 3] = scan.grid.affine.apply((-32, -48, 0))
    airy = np.pad(scan.array, ((32, 20), (48, 30), (0, 0)))
    larger = made(Volume(airy, Grid(airy.shape, Affine(matrix)), contrast="T1w"))
    i, j, k = (slice(low, low + n) for low, n in zip((32, 48, 0), shape, strict=True))
    np.testing.assert_array_equal(larger.structure.array[i, j, k], made(scan).structure.array)
    assert larger.structure.array.sum() == made(scan).structure.array.sum()


def test_an_empty_scan_has_an_empty_map():
    scan = phantom(SHAPE)
    assert not made(replace(scan, array=np.zeros_like(scan.array))).structure.present


def test_an_oblique_map_lies_on_the_scans_own_grid(tmp_path):
    affine = affine_of(SHAPE, spacing=(4, 4, 5), codes="PIR", tilt_deg=(9, -12, 7))
    source = save(phantom(SHAPE, affine), tmp_path / "in_t1.nii.gz", qform=2, sform=2)
    scan = read_image(source, kind="scan")
    path = save_labels(tmp_path / "map", made(scan).structure, made(scan).provenance)
    np.testing.assert_allclose(nib.load(path).affine, nib.load(source).affine, atol=1e-5)
    assert nib.load(path).get_data_dtype() == np.uint8
    assert set(np.unique(nib.load(path).dataobj)) == {0, 1}


def test_the_map_stays_inside_the_expanded_brain():
    scan = phantom(SHAPE)
    tight, wide = made(scan, replace(SETTINGS, expand=0)), made(scan, replace(SETTINGS, expand=6))
    assert not (tight.structure.array & (scan.array <= 0)).any()
    assert (wide.structure.array & (scan.array <= 0)).any()
    assert not (wide.structure.array & ~wide.brain.array.astype(bool)).any()


def test_lesions_on_another_grid_are_resampled_by_nearest_voxel_and_said_so():
    scan = phantom(SHAPE, affine_of(SHAPE, codes="LPS"), lesion=True)
    lesions = lesion_labels((50, 60, 40), affine_of((50, 60, 40), (3, 3, 3.5), "RAS"))
    free = made(scan, SETTINGS, lesions)
    assert any("nearest voxels" in note for note in free.notes)
    on_grid = lesion_labels(SHAPE, scan.grid.affine)
    core = on_grid.array == 1
    assert made(scan).structure.array[on_grid.array > 0].any()
    assert not free.structure.array[core].any()


def test_lesions_elsewhere_are_refused_and_empty_ones_are_told():
    scan = phantom(SHAPE)
    far = lesion_labels((8, 8, 8), affine_of((8, 8, 8), centre_mm=(900, 0, 0)))
    with pytest.raises(GridError, match="share no space"):
        made(scan, SETTINGS, far)
    none = LabelVolume(np.zeros(SHAPE, np.uint8), scan.grid, "none")
    assert any("empty" in note for note in made(scan, SETTINGS, none).notes)


def test_a_map_without_edges_says_what_to_do():
    assert any("lower it" in note for note in made(phantom(SHAPE), replace(SETTINGS, beta=0.99)).notes)


def test_the_sidecar_says_how_the_map_was_made_and_not_that_it_is_synthetic(tmp_path):
    scan = replace(phantom(SHAPE), source=Source(tmp_path / "sub-01_T1w.nii.gz"))
    whole = made(scan)
    path = save_labels(tmp_path / "map.nii.gz", whole.structure, whole.provenance)
    sidecar = json.loads((tmp_path / "map.json").read_text(encoding="utf-8"))
    assert sidecar["Provenance"]["settings"] == {"beta": 0.05, "blur_mm": 0.0, "expand": 2}
    assert sidecar["Provenance"]["scan"]["file"] == "sub-01_T1w.nii.gz"
    assert "Synthetic" not in sidecar
    assert read_image(path).source.synthetic is None


def test_the_map_of_a_synthetic_scan_is_marked(tmp_path):
    scan = replace(phantom(SHAPE), source=Source(synthetic={"model": "mean"}))
    whole = made(scan)
    path = save_labels(tmp_path / "map.nii.gz", whole.structure, whole.provenance)
    assert read_image(path).source.synthetic is not None
    save_labels(tmp_path / "map.nii.gz", whole.structure, whole.provenance)  # an earlier map may be replaced


def test_an_earlier_map_is_replaced_and_anything_else_is_not(tmp_path):
    whole = made(phantom(SHAPE))
    path = save_labels(tmp_path / "map.nii.gz", whole.structure, whole.provenance)
    save_labels(path, whole.structure, whole.provenance)
    scan = save(phantom(SHAPE), tmp_path / "T1w.nii.gz")
    before = scan.read_bytes()
    with pytest.raises(OutputError, match=r"T1w\.nii\.gz"):
        save_labels(scan, whole.structure, whole.provenance)
    (tmp_path / "T2w.json").write_text('{"EchoTime": 0.1}', encoding="utf-8")
    with pytest.raises(OutputError, match=r"T2w\.nii\.gz"):
        save_labels(tmp_path / "T2w.nii.gz", whole.structure, whole.provenance)
    assert scan.read_bytes() == before


@pytest.mark.parametrize(
    "wrong", [{"beta": 0.0}, {"beta": 1.0}, {"blur_mm": -1.0}, {"blur_mm": float("nan")}, {"expand": -1}]
)
def test_settings_out_of_range_are_refused_quoting_the_value(wrong):
    (value,) = wrong.values()
    with pytest.raises(ConfigError, match=f"{value:g}"):
        StructureSettings(**wrong)


def test_every_usual_contrast_has_a_threshold_and_unknown_ones_too():
    assert len({default_beta(name) for name in ("T1w", "T1ce", "T2w", "FLAIR")}) > 1
    assert 0 < default_beta(None) == default_beta("CT") < 1
