"""Where the viewer looks, on the grid of a comparison, and how to make it look elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_mrsynth.gui.layer_data import placed
from napari_mrsynth.imaging.geometry import Affine, Grid

if TYPE_CHECKING:
    from napari.components import ViewerModel


class Placement:
    """Slices and points between a viewer and a grid.

    Parameters
    ----------
    viewer : napari.components.ViewerModel

    Attributes
    ----------
    grid : Grid
        Of what is compared.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self.grid = Grid((1, 1, 1), Affine.from_parts((1, 1, 1)))

    def plane(self) -> tuple[int, int]:
        """Return the axes (0 S, 1 A, 2 R) that run down and across the screen."""
        vertical, horizontal = self._viewer.dims.order[-2:]
        return max(vertical - self._extra, 0), max(horizontal - self._extra, 0)

    def sliced(self) -> tuple[int, int] | None:
        """Return the axis (0 S, 1 A, 2 R) that is sliced and the slice that is shown; None in 3D."""
        if self._viewer.dims.ndisplay != 2 or self._extra < 0:
            return None
        axis = self._sliced_axis()
        shown = placed(self.grid)
        point = float(self._viewer.dims.point[self._extra + axis])
        index = round((point - shown["translate"][axis]) / shown["scale"][axis])
        return axis, min(max(index, 0), self.grid.display.shape[axis] - 1)

    def go_to_slice(self, index: int) -> None:
        """Show a slice along the axis that is sliced now."""
        axis = self._sliced_axis()
        shown = placed(self.grid)
        self._viewer.dims.set_point(
            self._extra + axis, shown["translate"][axis] + index * shown["scale"][axis]
        )

    def go_to(self, point_mm: Sequence[float]) -> None:
        """Show the slices through a point in RAS mm, or the outermost ones on its side."""
        shown = placed(self.grid)
        indices = np.rint(self.grid.display.affine.unapply(point_mm))
        indices = np.clip(indices, 0, np.array(self.grid.display.shape) - 1)
        world = np.array(shown["translate"]) + indices * shown["scale"]
        self._viewer.dims.set_point(tuple(self._extra + axis for axis in range(3)), tuple(world.tolist()))

    @property
    def _extra(self) -> int:
        return int(self._viewer.dims.ndim) - 3

    def _sliced_axis(self) -> int:
        return max(int(self._viewer.dims.order[-3]) - self._extra, 0)
