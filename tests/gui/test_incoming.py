"""Layers that were already in the viewer come in as what they are, whatever became of their record."""

from __future__ import annotations

from dataclasses import replace

import pytest
from napari.layers import Image, Layer

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
