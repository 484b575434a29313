"""Where a layer that came from elsewhere lies: its whole map from voxels to the viewer's world, in mm.

Scale, translate, rotate, shear and affine all count. The world's axes are taken as S, A and R.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.utils.transforms import Affine as WorldMap

from napari_mrsynth.errors import GridError
from napari_mrsynth.imaging.geometry import Affine, Grid


def grid_of(shape: Sequence[int], attributes: Mapping[str, Any]) -> Grid:
    """Return the grid on which the viewer shows a layer, its voxels taken in the order they have.

    Parameters
    ----------
    shape : (int, int, int)
        Of its array.
    attributes : mapping
        As ``layer.as_layer_data_tuple()`` gives them. Lengths in pixels, napari's word for no unit, are taken
        as mm.

    Raises
    ------
    GridError
        If the layer's units are no lengths, or its voxels do not fill space.
    """
    inner = WorldMap(
        scale=attributes.get("scale", (1.0,) * 3),
        translate=attributes.get("translate", (0.0,) * 3),
        rotate=attributes.get("rotate"),
        shear=attributes.get("shear"),
        units=attributes.get("units"),
    )
    outer = np.eye(4) if attributes.get("affine") is None else np.asarray(attributes["affine"])
    sizes = [_millimetres(unit, str(attributes.get("name", ""))) for unit in inner.units]
    world = np.diag([*sizes, 1.0]) @ outer @ inner.affine_matrix
    ras = world[[2, 1, 0, 3]]
    first, second, third = shape
    return Grid((first, second, third), Affine(ras))


def _millimetres(unit: Any, name: str) -> float:
    """Return a unit of a layer in mm."""
    if str(unit) == "pixel":
        return 1.0
    if not unit.is_compatible_with("mm"):
        raise GridError(
            f"{name or 'The layer'} is measured in {unit}, which is no length.",
            hint="Set the layer's units to mm, or open the scan from its file.",
        )
    return float((1 * unit).to("mm").magnitude)
