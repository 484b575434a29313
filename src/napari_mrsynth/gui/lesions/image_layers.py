"""The layers of what the “Lesion studio” makes: slices while it is painted, volumes, twins. All marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Layer

from napari_mrsynth.gui import garbage, marking
from napari_mrsynth.gui.layer_data import Tag, image_of, layer_tuple, limits, placed
from napari_mrsynth.gui.lesions.whose import of_one_patient
from napari_mrsynth.imaging.geometry import Grid
from napari_mrsynth.imaging.volume import Source, Volume

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_mrsynth.gui.lesions.images import Made, Planes


class ImageLayers:
    """Adds, updates and removes the layers of made images.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        With or without a window.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self._previews: dict[str, Image] = {}
        self._results: dict[str, Image] = {}
        marking.watch(viewer)

    def real_scans(self, chosen: Volume | None) -> dict[str, Volume]:
        """Return the real scans in the viewer that are of a scan's patient, on its grid, by contrast.

        `chosen` stands for its own contrast. Of another contrast that several such layers show none is
        taken: nothing tells which one is meant.
        """
        if chosen is None:
            return {}
        found: dict[str, list[Volume]] = {}
        for layer in self.viewer.layers:
            image = image_of(layer) if isinstance(layer, Image) and layer.ndim == 3 else None
            if (
                isinstance(image, Volume)
                and not image.is_synthetic
                and image.contrast
                and of_one_patient(chosen, image)
            ):
                found.setdefault(image.contrast, []).append(image)
        if chosen.contrast and not chosen.is_synthetic:
            found[chosen.contrast] = [chosen]
        return {contrast: scans[0] for contrast, scans in found.items() if len(scans) == 1}

    def show_planes(self, grid: Grid, planes: Planes, front: str | None) -> None:
        """Show made slices, each as a layer one slice thick; the contrast `front` on top of the others."""
        for name in [name for name in self._previews if name not in planes]:
            self._drop(self._previews.pop(name))
        self._hide_results()
        fresh = not any(self._alive(layer) for layer in self._previews.values())
        for name, (index, plane) in planes.items():
            place = placed(grid)
            height, *rest = place["translate"]
            place["translate"] = (height + index * place["scale"][0], *rest)
            layer = self._previews.get(name)
            if self._alive(layer) and layer is not None:
                layer.data, layer.translate = plane[np.newaxis], place["translate"]
                continue
            tag = Tag("preview", grid, Source(format="synthetic"), contrast=name)
            self._previews[name] = self._add(
                plane[np.newaxis],
                name=f"{name} (preview)",
                metadata=tag.as_metadata(),
                visible=True,
                **place,
                **limits(plane),
            )
        if fresh:
            self._only(self._previews, front)

    def show_made(self, made: Made, front: str | None) -> None:
        """Show the made volumes in place of earlier ones; one contrast is visible, the others are at hand."""
        self.drop_previews()
        generated = made.generated
        groups: tuple[Mapping[str, Volume], ...] = (
            generated.difference,
            generated.healthy,
            generated.outputs,
            made.into,
        )
        fresh: dict[str, Image] = {}
        for volumes in groups:
            for volume in volumes.values():
                fresh[volume.name] = self._put(volume)
        for name in [name for name in self._results if name not in fresh]:
            self._drop(self._results.pop(name))
        self._results = fresh
        on_top = made.into or generated.outputs
        first = front if front in on_top else next(iter(on_top), None)
        self._only(fresh, None if first is None else on_top[first].name)

    def drop_previews(self) -> None:
        """Remove the layers of single slices."""
        for layer in self._previews.values():
            self._drop(layer)
        self._previews.clear()

    def _put(self, volume: Volume) -> Image:
        data, attributes, _ = layer_tuple(volume, name=volume.name)
        layer = self._results.get(volume.name)
        if self._alive(layer) and layer is not None and layer.data.shape == data.shape:
            layer.data, layer.translate = data, attributes["translate"]
            layer.scale, layer.metadata = attributes["scale"], attributes["metadata"]
            return layer
        if self._alive(layer) and layer is not None:
            self._drop(layer)
        if "difference" in volume.name:
            reach = (
                float(np.percentile(np.abs(volume.array[volume.array != 0]), 99))
                if volume.array.any()
                else 1.0
            )
            attributes |= {"colormap": "bwr", "contrast_limits": (-reach, reach), "opacity": 0.7}
        return self._add(data, **attributes)

    def _only(self, layers: Mapping[str, Layer], front: str | None) -> None:
        """Show one layer of several: `front`, else the first; scans that would cover it are hidden."""
        chosen = front if front in layers else next(iter(layers), None)
        for name, layer in layers.items():
            if self._alive(layer):
                layer.visible = name == chosen
        shown = layers.get(chosen) if chosen is not None else None
        if shown is None or not self._alive(shown):
            return
        for above in self.viewer.layers[self.viewer.layers.index(shown) + 1 :]:
            if above not in layers.values() and _covers(above):
                above.visible = False

    def _hide_results(self) -> None:
        for layer in self._results.values():
            if layer.visible:
                layer.visible = False

    def _add(self, data: Any, **attributes: Any) -> Image:
        """Add a layer under the labels, without taking the selection."""
        layer = Image(data, **attributes)
        insert_under_labels(self.viewer, layer)
        return layer

    def _alive(self, layer: Layer | None) -> bool:
        return layer is not None and layer in self.viewer.layers

    def _drop(self, layer: Layer) -> None:
        if layer in self.viewer.layers:
            with garbage.left_for_later():
                self.viewer.layers.remove(layer)


def insert_under_labels(viewer: ViewerModel, layer: Layer) -> None:
    """Add a layer below the first one that is no image, and leave the selection as it is."""
    selected = set(viewer.layers.selection)
    under = next(
        (place for place, each in enumerate(viewer.layers) if not isinstance(each, Image)),
        len(viewer.layers),
    )
    viewer.layers.insert(under, layer)
    viewer.layers.selection = selected


def _covers(layer: Layer) -> bool:
    """Whether nothing can be seen through a layer."""
    return isinstance(layer, Image) and layer.visible and layer.opacity == 1 and layer.blending != "additive"
