"""The voxels of scans and results while layers show them: nobody changes them unseen.

What is synthesised, compared and recorded is the scan as it was read, so its layer shows a read-only view: an
edit in place fails with numpy's own error. Other voxels put into a layer are noticed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.layers import Layer


class HeldVoxels:
    """Layers whose voxels are not to be changed.

    Parameters
    ----------
    replaced : callable
        Called with a layer into which somebody else has put other voxels; it is held no more.
    """

    def __init__(self, replaced: Callable[[Layer], None]) -> None:
        self._replaced = replaced
        self._data: dict[Layer, Any] = {}

    def __contains__(self, layer: Layer) -> bool:
        return layer in self._data

    def hold(self, layer: Layer, data: NDArray[Any]) -> None:
        """Let nobody change `data`, which `layer` shows, as it is or read-only, until it is released."""
        self._watch(layer, data)
        if layer.data.flags.writeable:
            self._put(layer, data)

    def show(self, layer: Layer, data: NDArray[Any]) -> None:
        """Show `data`, of shape (S, A, R), in a layer and hold it."""
        self._watch(layer, data)
        self._put(layer, data)

    def release(self, layer: Layer) -> None:
        """Let the voxels of a layer be changed again; a layer that is not held is left alone."""
        if layer in self._data:
            layer.data.flags.writeable = self._forget(layer).flags.writeable

    def release_all(self) -> None:
        """Let the voxels of all layers be changed again."""
        for layer in list(self._data):
            self.release(layer)

    def forget(self, layer: Layer) -> None:
        """Look no more at a layer that is going away."""
        if layer in self._data:
            self._forget(layer)

    def _watch(self, layer: Layer, data: Any) -> None:
        if layer not in self._data:
            layer.events.data.connect(self._look_at)
        self._data[layer] = data

    def _put(self, layer: Layer, data: NDArray[Any]) -> None:
        with layer.events.data.blocker(self._look_at):
            layer.data = read_only(data)

    def _look_at(self, event: Any) -> None:
        self._forget(event.source)
        self._replaced(event.source)

    def _forget(self, layer: Layer) -> Any:
        layer.events.data.disconnect(self._look_at)
        return self._data.pop(layer)


def read_only(data: NDArray[Any]) -> NDArray[Any]:
    """Return a view of an array that cannot be written to."""
    view = data.view()
    view.flags.writeable = False
    return view
