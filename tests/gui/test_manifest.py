"""The plugin as napari finds it: manifest, readers, writers, samples, menus, preferences."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from npe2 import PluginManager, PluginManifest
from npe2.io_utils import read, write

from napari_mrsynth.errors import OutputError
from napari_mrsynth.gui import writers
from napari_mrsynth.gui.layer_data import KEY, Tag, layer_tuple
from napari_mrsynth.gui.preferences import Preferences
from napari_mrsynth.imaging import Source, Volume
from napari_mrsynth.io import read_image
from napari_mrsynth.synthesis.request import PRECISIONS
from phantoms import brain_study, patient_folder, phantom, save

MANIFEST = Path(__file__).parents[2] / "napari.yaml"


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(MANIFEST)


@pytest.fixture(autouse=True)
def _registered(npe2pm: PluginManager, manifest: PluginManifest) -> None:
    npe2pm.register(manifest)


def test_every_command_can_be_imported(manifest):
    manifest.validate_imports()


def test_the_manifest_in_the_package_is_a_relative_link_to_the_one_in_the_root():
    link = MANIFEST.parent / "src" / "napari_mrsynth" / "napari.yaml"
    assert link.read_bytes() == MANIFEST.read_bytes()
    if link.is_symlink():
        assert not link.readlink().is_absolute()


def test_menu_items_sit_only_where_napari_takes_them(manifest):
    from napari._app_model.constants import MenuId

    allowed = {str(menu) for menu in MenuId.contributables()}
    assert set(manifest.contributions.menus) <= allowed


def test_preferences_default_to_what_the_manifest_declares(manifest):
    declared = manifest.contributions.configurations["synthesis"].properties
    assert {name: each.default for name, each in declared.items()} == vars(Preferences())


def test_the_precisions_to_prefer_are_those_the_engine_knows(manifest):
    declared = manifest.contributions.configurations["synthesis"].properties
    assert tuple(declared["precision"].enum) == PRECISIONS


def test_preferences_are_read_from_napari(plugin_settings):
    from napari.settings import get_plugin_settings

    from napari_mrsynth.gui.preferences import preferences

    assert preferences() == Preferences()
    get_plugin_settings("napari-mrsynth").synthesis.device = "cpu"
    assert preferences().device == "cpu"


def test_a_patient_folder_opens_as_layers(tmp_path):
    folder = patient_folder(tmp_path / "p01", brain_study(("T1w", "FLAIR"), lesion=True, name="p01"))
    layers = read([str(folder)], stack=False)
    assert {attributes["name"]: kind for _, attributes, kind in layers} == {
        "T1w": "image",
        "FLAIR": "image",
        "lesions": "labels",
    }
    assert all(attributes["metadata"][KEY]["grid"].affine.codes == "LPS" for _, attributes, _ in layers)


@pytest.mark.parametrize("name", ["a_t2.nii.gz", "a_t2.nii", "A_T2.NII.GZ"])
def test_a_file_opens_as_one_layer(tmp_path, name):
    path = save(phantom(contrast="T2w"), tmp_path / "x.nii.gz" if name.isupper() else tmp_path / name)
    if name.isupper():
        path = path.rename(tmp_path / name)
    [(data, attributes, kind)] = read([str(path)], stack=False)
    assert (attributes["name"], kind, data.shape) == ("T2w", "image", (32, 44, 36))


def test_a_layer_is_saved_on_its_own_grid_with_its_own_voxels(tmp_path):
    source = save(phantom((12, 14, 10), contrast="T1w"), tmp_path / "in_t1.nii.gz", qform=2, sform=3)
    layers = read([str(source)], stack=False)
    target = tmp_path / "out.nii.gz"
    assert write(str(target), layers) == [str(target)]
    before, after = nib.load(source), nib.load(target)
    np.testing.assert_array_equal(before.get_fdata(), after.get_fdata())
    np.testing.assert_array_equal(before.affine, after.affine)
    assert (int(after.header["qform_code"]), int(after.header["sform_code"])) == (2, 3)


def test_a_synthetic_layer_is_saved_with_its_provenance(tmp_path):
    scan = phantom((12, 14, 10))
    made = Volume(scan.array, scan.grid, "m", Source(synthetic={"model": "mean"}), contrast="FLAIR")
    data, attributes, _ = layer_tuple(made)
    writers.write_image(str(tmp_path / "out.nii.gz"), data, attributes)
    assert "SYNTHETIC" in str(nib.load(tmp_path / "out.nii.gz").header["descrip"])
    assert "mean" in (tmp_path / "out.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["synthetic", "preview", "source map"])
def test_what_a_model_made_is_marked_even_when_its_layer_was_cropped_or_lost_its_record(tmp_path, kind):
    grid = phantom(contrast="FLAIR").grid
    data = np.random.default_rng(0).integers(0, 3, (3, *grid.display.shape[1:]))
    data = data.astype(np.uint8) if kind == "source map" else data * np.float32(1.7)
    attributes = {"name": "cropped", "metadata": Tag(kind, grid, Source()).as_metadata()}
    write = writers.write_labels if kind == "source map" else writers.write_image
    (path,) = write(str(tmp_path / "cropped.nii.gz"), data, attributes)
    assert read_image(path).source.synthetic is not None
    assert (tmp_path / "cropped.json").is_file()


def test_several_layers_are_saved_into_a_folder(tmp_path):
    study = brain_study(("T1w", "T2w"), lesion=True)
    layers = [layer_tuple(study.volume("T1w")), layer_tuple(study.volume("T2w")), layer_tuple(study.lesions)]
    paths = writers.write_layers(str(tmp_path / "all"), layers)
    assert [Path(path).name for path in paths] == ["T1w.nii.gz", "T2w.nii.gz", "lesions.nii.gz"]
    assert nib.load(paths[2]).get_data_dtype().kind in "iu"


def test_a_bare_layer_is_saved_with_its_scale_and_four_axes_are_refused(tmp_path):
    meta = {"name": "bare", "scale": (3.0, 2.0, 1.0), "translate": (5.0, 0.0, -4.0)}
    writers.write_image(str(tmp_path / "bare.nii"), np.ones((4, 5, 6), np.float32), meta)
    written = nib.load(tmp_path / "bare.nii")
    assert nib.aff2axcodes(written.affine) == ("S", "A", "R")
    assert written.header.get_zooms() == (3.0, 2.0, 1.0)
    np.testing.assert_allclose(written.affine[:3, 3], (-4.0, 0.0, 5.0))
    with pytest.raises(OutputError, match="4 axes"):
        writers.write_image(str(tmp_path / "time.nii"), np.ones((2, 3, 4, 5)), {"name": "time"})


def test_a_file_that_is_no_image_is_refused_with_a_reason(tmp_path):
    bad = tmp_path / "bad.nii.gz"
    bad.write_bytes(b"")
    with pytest.raises(Exception, match="empty"):
        read([str(bad)], stack=False)
