"""The mark on the canvas: whenever a synthetic layer is visible, the canvas says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, WeakKeyDictionary, WeakSet, ref

from napari.layers import Image, Labels

from napari_mrsynth.gui import scene
from napari_mrsynth.gui.layer_data import MADE_BY_MODEL, Tag
from napari_mrsynth.imaging import known_voxels

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

TEXT = "SYNTHETIC – not for diagnosis"

_copies: WeakSet[Layer] = WeakSet()
"""Layers whose voxels a model made, though nothing about them says so."""

_markers: WeakKeyDictionary[Any, ReferenceType[Marker]] = WeakKeyDictionary()


def watch(viewer: ViewerModel) -> None:
    """Mark the canvas of `viewer` from now on; asking twice changes nothing."""
    if viewer.layers not in _markers:
        _markers[viewer.layers] = ref(Marker(viewer))


def mark_current(synthetic: Iterable[bool]) -> None:
    """Mark the canvas of the current viewer, where there is one and any layer that comes is synthetic."""
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is not None and any(synthetic):
        watch(viewer)


def is_synthetic(layer: Layer) -> bool:
    """Whether a layer's voxels were made by a model, as it says or as they were known again."""
    tag = Tag.of(layer.metadata)
    return (tag is not None and tag.kind in MADE_BY_MODEL) or layer in _copies


class Marker:
    """Keeps the text on a viewer's canvas in step with its layers.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._watched: WeakSet[Layer] = WeakSet()
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
            event.connect(lambda _: self.refresh())  # a function, unlike a method, is held strongly
        self.refresh()

    def refresh(self, event: object = None) -> None:
        """Look at the layers again."""
        for layer in self._viewer.layers:
            if layer not in self._watched:
                self._watched.add(layer)
                layer.events.visible.connect(self.refresh)
                if isinstance(layer, Image | Labels):
                    layer.events.data.connect(self._look_at_voxels)
                    self._know(layer)
        marked = any(layer.visible and is_synthetic(layer) for layer in self._viewer.layers)
        scene.warn(self._viewer, TEXT if marked else "")

    def _look_at_voxels(self, event: Any) -> None:
        """Look at a layer whose voxels were replaced."""
        self._know(event.source)
        self.refresh()

    def _know(self, layer: Image | Labels) -> None:
        """Remember a synthetic layer's voxels; of another layer, find out whether a model made them."""
        tag = Tag.of(layer.metadata)
        _copies.discard(layer)
        if tag is not None and tag.kind in MADE_BY_MODEL:
            known_voxels.remember(layer.data, tag.provenance or {})
        elif known_voxels.record_of(layer.data) is not None:
            _copies.add(layer)
