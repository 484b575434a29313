"""Layers that were already in the viewer, as images: ours exactly, others after a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels

from napari_mrsynth.gui.layer_data import image_of, placed_by_user
from napari_mrsynth.imaging.contrasts import guess_from_name
from napari_mrsynth.imaging.geometry import Grid
from napari_mrsynth.imaging.study import Study
from napari_mrsynth.imaging.volume import LabelVolume, Volume

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_mrsynth.gui.questions import Questions


def image_from_layer(layer: Layer, study: Study | None, questions: Questions) -> Volume | LabelVolume | None:
    """Return the image behind `layer`, asking for what the layer does not say.

    Parameters
    ----------
    layer : napari.layers.Layer
        A 3D image or labels layer.
    study : Study or None
        The open study: a layer of its shape may lie on its grid.
    questions : Questions

    Returns
    -------
    Volume, LabelVolume or None
        None when the user thought better of it.
    """
    image = image_of(layer)
    if isinstance(image, Volume) and image.contrast is None:
        guess = guess_from_name(layer.name)
        return image.as_contrast(guess.contrast, guess.confidence) if guess.contrast else image
    if image is not None:
        return image
    shape = tuple(int(n) for n in layer.data.shape)
    same: Grid | None = study.grid if study is not None and shape == study.grid.display.shape else None
    answer = questions.placement(
        layer.name, shape, tuple(float(s) for s in layer.scale), study.reference if study and same else None
    )
    if answer is None:
        return None
    if answer.on_reference and same is not None:
        array, grid = same.from_display(np.asarray(layer.data)), same
        return placed_by_user(array, grid, layer.name, labels=isinstance(layer, Labels))
    grid = answer.grid(shape)
    return placed_by_user(np.asarray(layer.data), grid, layer.name, labels=isinstance(layer, Labels))
