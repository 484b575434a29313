"""A layer from elsewhere lies where the viewer shows it, whatever it is turned, scaled or measured by."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_mrsynth.errors import GridError
from napari_mrsynth.gui.compare.candidates import label_volume_of, volume_of
from napari_mrsynth.gui.layer_data import layer_tuple
from napari_mrsynth.gui.writers import write_image
from phantoms import affine_of, phantom, rotation

VOXELS = np.random.default_rng(0).uniform(10, 99, (8, 9, 10)).astype(np.float32)
CORNERS = np.array(list(np.ndindex(2, 2, 2))) * (np.array(VOXELS.shape) - 1)


def turned() -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = rotation((0, 0, 20)) @ np.diag([2.0, -1.5, 3.0])
    affine[:3, 3] = (5, -7, 11)
    return affine


PLACED = {
    "scaled": {"scale": (2, 3, 4), "translate": (5, 6, 7)},
    "rotated": {"scale": (2, 2, 2), "rotate": (10, 20, 30), "translate": (5, 6, 7)},
    "by an affine": {"affine": turned()},
    "by both": {"affine": turned(), "scale": (0.5, 1, 2), "rotate": 30, "translate": (1, 2, 3)},
    "sheared": {"scale": (2, 2, 2), "shear": (0.2, 0.1, 0.0)},
}


@pytest.mark.parametrize("place", PLACED.values(), ids=PLACED)
def test_a_layer_lies_where_the_viewer_shows_it(tmp_path, place):
    layer = Image(VOXELS, name="scan", **place)
    shown = np.array([layer.data_to_world(corner) for corner in CORNERS])[:, ::-1]
    volume = volume_of(layer)
    np.testing.assert_allclose(volume.grid.affine.apply(CORNERS), shown, atol=1e-9)
    data, meta, _ = layer.as_layer_data_tuple()
    [path] = write_image(str(tmp_path / "saved.nii.gz"), data, meta)
    saved = nib.load(path)
    np.testing.assert_allclose(nib.affines.apply_affine(saved.affine, CORNERS), shown, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(saved.dataobj), VOXELS)


def test_labels_lie_where_the_viewer_shows_them_too():
    layer = Labels((VOXELS > 50).astype(np.uint8), affine=turned())
    shown = np.array([layer.data_to_world(corner) for corner in CORNERS])[:, ::-1]
    np.testing.assert_allclose(label_volume_of(layer).grid.affine.apply(CORNERS), shown, atol=1e-9)


@pytest.mark.parametrize(("units", "size"), [("um", 2e-3), ("cm", 20.0), ("mm", 2.0), ("pixel", 2.0)])
def test_other_lengths_than_millimetres_are_converted(units, size):
    layer = Image(VOXELS, scale=(2, 2, 2), translate=(1, 1, 1), units=(units,) * 3)
    volume = volume_of(layer)
    assert volume.grid.spacing == pytest.approx((size,) * 3)
    assert volume.grid.affine.origin == pytest.approx((size / 2,) * 3)


def test_units_that_are_no_lengths_are_refused(tmp_path):
    layer = Image(VOXELS, name="perfusion", units=("second", "mm", "mm"))
    with pytest.raises(GridError, match="perfusion is measured in second"):
        volume_of(layer)
    data, meta, _ = layer.as_layer_data_tuple()
    with pytest.raises(GridError, match="no length"):
        write_image(str(tmp_path / "saved.nii.gz"), data, meta)


@pytest.mark.parametrize("codes", ["LPS", "RAS", "PIR"])
@pytest.mark.parametrize("tilt_deg", [(0, 0, 0), (8, -5, 12)], ids=["straight", "oblique"])
def test_a_scan_that_was_moved_in_the_viewer_is_moved_by_as_much(tmp_path, codes, tilt_deg):
    scan = phantom((9, 10, 8), affine_of((9, 10, 8), (3.0, 4.0, 5.0), codes, tilt_deg), noise=0.1)
    data, attributes, _ = layer_tuple(scan, name="T1w")
    layer = Image(data, **attributes)
    assert volume_of(layer).grid is scan.grid
    layer.translate = np.add(layer.translate, (6, -4, 2))  # S, A, R
    moved = volume_of(layer)
    expected = np.add(scan.grid.affine.apply(CORNERS), (2, -4, 6))
    np.testing.assert_allclose(moved.grid.affine.apply(CORNERS), expected, atol=1e-9)
    np.testing.assert_array_equal(moved.array, scan.array)
    assert any("moved in the viewer" in note for note in moved.notes)
    data, meta, _ = layer.as_layer_data_tuple()
    [path] = write_image(str(tmp_path / "saved.nii.gz"), data, meta)
    np.testing.assert_allclose(nib.affines.apply_affine(nib.load(path).affine, CORNERS), expected, atol=1e-4)
