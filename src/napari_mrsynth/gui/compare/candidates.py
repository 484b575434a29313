"""Which layers can be compared, which belong together, and the images behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Labels

from napari_mrsynth.gui import marking
from napari_mrsynth.gui.layer_data import Tag, image_of
from napari_mrsynth.gui.layer_space import grid_of
from napari_mrsynth.imaging.contrasts import guess_from_name
from napari_mrsynth.imaging.geometry import Grid
from napari_mrsynth.imaging.known_voxels import known_again
from napari_mrsynth.imaging.volume import LabelVolume, Source, Volume

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


def scans_of(viewer: ViewerModel) -> list[Layer]:
    """Return the 3D images that could be compared, the top one first; previews are none."""
    return [
        layer
        for layer in reversed(viewer.layers)
        if isinstance(layer, Image)
        and layer.ndim == 3
        and not layer.rgb
        and not layer.multiscale
        and not _is_preview(layer)
    ]


def labels_of(viewer: ViewerModel) -> list[Layer]:
    """Return the 3D label layers that no model made."""
    return [
        layer
        for layer in viewer.layers
        if isinstance(layer, Labels) and layer.ndim == 3 and not marking.is_synthetic(layer)
    ]


def contrast_of(layer: Layer) -> str | None:
    """Return the contrast a layer shows, as it says or as its name tells."""
    tag = Tag.of(layer.metadata)
    if tag is not None and tag.contrast:
        return tag.contrast
    return guess_from_name(layer.name).contrast


def likely_predictions(scans: Sequence[Layer]) -> list[Layer]:
    """Return the synthetic ones of which there is a truth."""
    return [layer for layer in scans if marking.is_synthetic(layer) and likely_truth(layer, scans)]


def likely_truth(prediction: Layer, scans: Sequence[Layer]) -> Layer | None:
    """Return the acquired scan of a prediction's contrast, or None.

    Of several the one of the prediction's shape, then one whose geometry is known.
    """
    wanted = contrast_of(prediction)
    found = [
        layer
        for layer in scans
        if layer is not prediction and not marking.is_synthetic(layer) and contrast_of(layer) == wanted
    ]

    def fit(layer: Layer) -> tuple[bool, bool]:
        return layer.data.shape == prediction.data.shape, Tag.of(layer.metadata) is not None

    return max(found, key=fit, default=None)


def likely_lesions(labels: Sequence[Layer]) -> Layer | None:
    """Return the lesion labels that came with the patient, or None."""
    return next((layer for layer in labels if layer.name == "lesions" and Tag.of(layer.metadata)), None)


def volume_of(layer: Layer) -> Volume:
    """Return the scan behind a layer, synthetic also where only its voxels tell.

    A layer that did not come from this project is taken as the viewer shows it: axes (S, A, R), lengths in
    mm; the scan's notes say so.

    Raises
    ------
    GridError
        If its units are no lengths (see :func:`~napari_mrsynth.gui.layer_space.grid_of`).
    """
    image = image_of(layer)
    if not isinstance(image, Volume):
        array, grid, note = _bare(layer)
        image = Volume(array, grid, layer.name, Source(format="layer"), (note,), contrast=contrast_of(layer))
    return known_again(image, layer.data)


def label_volume_of(layer: Layer) -> LabelVolume:
    """Return the labels behind a layer (as for :func:`volume_of`)."""
    image = image_of(layer)
    if isinstance(image, LabelVolume):
        return image
    array, grid, note = _bare(layer)
    return LabelVolume(array, grid, layer.name, Source(format="layer"), (note,))


def _bare(layer: Layer) -> tuple[np.ndarray, Grid, str]:
    array = np.asarray(layer.data)
    grid = grid_of(array.shape, layer.as_layer_data_tuple()[1])
    return array, grid, f"{layer.name}: axes taken as S, A, R, placed as the viewer shows it."


def _is_preview(layer: Layer) -> bool:
    tag = Tag.of(layer.metadata)
    return tag is not None and tag.kind in ("preview", "comparison")
