"""Which layers a comparison is of, and whether they still show what was compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


class Compared:
    """Layers with the voxels that they showed when they were compared.

    Parameters
    ----------
    layers : iterable of Layer
    """

    def __init__(self, layers: Iterable[Layer]) -> None:
        self._shown: dict[Layer, Any] = {layer: layer.data for layer in layers}

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers."""
        return tuple(self._shown)

    def is_shown_in(self, viewer: ViewerModel) -> bool:
        """Whether the viewer has every one of the layers still, each with the same voxels."""
        return all(layer in viewer.layers and _same(layer.data, data) for layer, data in self._shown.items())


def _same(one: Any, other: Any) -> bool:
    """Whether two arrays are the same voxels in memory: a layer may show them through another view."""
    if one is other:
        return True
    return (
        isinstance(one, np.ndarray)
        and isinstance(other, np.ndarray)
        and (one.dtype, one.shape, one.strides) == (other.dtype, other.shape, other.strides)
        and one.ctypes.data == other.ctypes.data
    )
