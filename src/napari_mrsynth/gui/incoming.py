"""Layers that were already in the viewer, as images: ours exactly, others after a question."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels

from napari_mrsynth.gui.layer_data import Tag, attributes_of, checked, image_from, placed_by_user
from napari_mrsynth.imaging.contrasts import guess_from_name
from napari_mrsynth.imaging.geometry import Grid
from napari_mrsynth.imaging.known_voxels import known_again
from napari_mrsynth.imaging.study import Study
from napari_mrsynth.imaging.volume import LabelVolume, Volume

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_mrsynth.gui.questions import Questions


Image = Volume | LabelVolume


def image_from_layer(layer: Layer, study: Study | None, questions: Questions) -> Image | None:
    """Return the image behind `layer` (see :func:`looking_at`), synthetic also where only voxels tell."""
    look = looking_at(layer, study, questions)
    return None if look is None else known_again(look(), layer.data)


def looking_at(layer: Layer, study: Study | None, questions: Questions) -> Callable[[], Image] | None:
    """Return how to get the image behind `layer`, asking once for what the layer does not say.

    Parameters
    ----------
    layer : napari.layers.Layer
        A 3D image or labels layer.
    study : Study or None
        The open study: a layer of its shape may lie on its grid.
    questions : Questions

    Returns
    -------
    callable or None
        Returns the image with the voxels that the layer has when it is called; raises GridError where they
        are of another shape by then, and FormatError where a scan's are not those of a scan: no real numbers,
        or many NaN or infinite. None when the user thought better of it.
    """
    tag = Tag.of(layer.metadata)
    if tag is not None and tag.kind != "preview":
        return lambda: _guessed(image_from(tag, layer.data, attributes_of(layer)))
    shape = tuple(int(n) for n in layer.data.shape)
    same: Grid | None = study.grid if study is not None and shape == study.grid.display.shape else None
    answer = questions.placement(
        layer.name, shape, tuple(float(s) for s in layer.scale), study.reference if study and same else None
    )
    if answer is None:
        return None
    labels = isinstance(layer, Labels)
    if answer.on_reference and same is not None:
        return lambda: placed_by_user(
            same.from_display(np.asarray(layer.data)), same, layer.name, labels=labels
        )
    grid = answer.grid(shape)
    return lambda: placed_by_user(np.asarray(layer.data), grid, layer.name, labels=labels)


def as_labels(image: Image) -> LabelVolume:
    """Return the image of a labels layer as labels, also where its record says that it was a scan.

    Raises
    ------
    LabelError
        If its voxels are no integers.
    """
    if isinstance(image, LabelVolume):
        return image
    return LabelVolume(image.array, image.grid, image.name, image.source, image.notes)


def _guessed(image: Image) -> Image:
    """Check a scan's voxels; name its contrast after its layer, where it is not known and the name tells."""
    if not isinstance(image, Volume):
        return image
    image = checked(image)
    guess = guess_from_name(image.name)
    if image.contrast is not None or guess.contrast is None:
        return image
    return image.as_contrast(guess.contrast, guess.confidence)
