"""The layer that shows which scan each voxel of the results came from, and which results it belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from napari.layers import Labels, Layer

from napari_mrsynth.gui.layer_data import Tag, layer_tuple
from napari_mrsynth.imaging.volume import LabelVolume

if TYPE_CHECKING:
    from napari_mrsynth.synthesis import Result


class SourceMap:
    """The newest source map; it is gone once all that it belongs to was made anew.

    It makes layers and puts them nowhere: that is the adapter's.
    """

    def __init__(self) -> None:
        self._layer: Layer | None = None
        self._of: frozenset[str] = frozenset()

    def replaced_by(self, result: Result) -> Layer | None:
        """Return the layer that a new result puts an end to, None where it stays or there is none."""
        self._of -= result.outputs.keys()
        if result.source_map is None and self._of:
            return None
        ended, self._layer = self._layer, None
        return ended

    def show(self, source_map: LabelVolume, contrasts: Iterable[str]) -> Layer:
        """Return the layer of a new map, which belongs to these results."""
        data, attributes, _ = layer_tuple(source_map, name="source map (synthetic)")
        tag = Tag("source map", source_map.grid, source_map.source, labels=dict(source_map.labels))
        attributes["metadata"] = tag.as_metadata()
        names = [source_map.labels.get(value, "") for value in range(max(source_map.labels, default=0) + 1)]
        self._layer = Labels(data, **attributes, features={"scan": names})
        self._of = frozenset(contrasts)
        return self._layer
