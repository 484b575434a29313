"""Layers that were already in the viewer come in as what they are, whatever became of their record."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Image, Layer

from napari_mrsynth.errors import FormatError
from napari_mrsynth.gui.incoming import image_from_layer
from napari_mrsynth.gui.layer_data import layer_tuple
from napari_mrsynth.gui.marking import watch
from napari_mrsynth.gui.questions import Placement
from napari_mrsynth.imaging import Source
from phantoms import affine_of, phantom

SHAPE = (24, 28, 20)


class Asked:
    """Places every layer in the same way."""

    def placement(self, *_):
        return Placement((6.0,) * 3, "SAR")


@pytest.fixture
def synthetic(viewer):
    """A synthetic layer in a viewer that is watched."""
    watch(viewer)
    scan = phantom(SHAPE, affine_of(SHAPE, (6.0,) * 3), "FLAIR")
    made = replace(scan, source=Source(format="synthetic", synthetic={"bundle": {"id": "m"}}))
    viewer.add_layer(Layer.create(*layer_tuple(made)))
    return viewer.layers[-1]


def test_a_bare_copy_of_a_synthetic_layer_comes_in_as_synthetic(synthetic):
    copy = Image(synthetic.data.copy(), name="FLAIR")
    image = image_from_layer(copy, None, Asked())
    assert image.source.synthetic == {"bundle": {"id": "m"}}


def test_a_real_layer_into_which_synthetic_voxels_were_put_comes_in_as_synthetic(synthetic):
    real = Layer.create(*layer_tuple(phantom(SHAPE, affine_of(SHAPE, (6.0,) * 3), "T1w")))
    assert not image_from_layer(real, None, Asked()).is_synthetic
    real.data = synthetic.data
    assert image_from_layer(real, None, Asked()).is_synthetic


def test_a_layer_nobody_knows_comes_in_as_it_is(synthetic):
    image = image_from_layer(Image(synthetic.data * 2, name="FLAIR"), None, Asked())
    assert image.source.synthetic is None
    assert image.contrast == "FLAIR"


def spoilt(share, value=np.nan):
    """Return the T1w phantom in display order with this share of bad voxels."""
    data = phantom(SHAPE, affine_of(SHAPE, (6.0,) * 3)).display.astype(np.float32, order="C")
    data.reshape(-1)[: round(share * data.size)] = value
    return data


def layer_of(data, *, ours):
    """Return a layer with these voxels: one of ours that got them later, or one of another plugin."""
    if not ours:
        return Image(data, name="T1w")
    layer = Layer.create(*layer_tuple(phantom(SHAPE, affine_of(SHAPE, (6.0,) * 3))))
    layer.data = data
    return layer


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_layer_with_many_bad_voxels_is_refused_as_a_file_is(ours, value):
    with pytest.raises(FormatError, match=r"“T1w” has NaN or infinity in 5 % of its voxels") as caught:
        image_from_layer(layer_of(spoilt(0.05, value), ours=ours), None, Asked())
    assert caught.value.hint


@pytest.mark.parametrize("ours", [True, False])
def test_a_few_bad_voxels_of_a_layer_are_set_to_zero_with_a_note(ours):
    data = spoilt(0.005)
    image = image_from_layer(layer_of(data, ours=ours), None, Asked())
    np.testing.assert_array_equal(image.display, np.nan_to_num(data))
    assert any("with NaN or infinity set to 0" in note for note in image.notes)
    assert np.isnan(data).any()  # the layer itself is the user's
