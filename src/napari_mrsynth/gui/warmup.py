"""What napari does once per program when it makes its first layer, done in a worker's thread instead.

The first layer with units costs one to two seconds (a registry of units is built, modules are imported), in
which the window would not answer.
"""

from __future__ import annotations

from functools import cache

import numpy as np


@cache
def warm_up() -> None:
    """Make a layer of each kind that the dock shows, and forget it; only the first call does anything."""
    from napari.layers import Image, Labels

    attributes = {"scale": (1.0,) * 3, "units": ("mm",) * 3, "axis_labels": ("S", "A", "R")}
    Image(np.zeros((1, 1, 1), np.float32), contrast_limits=(0, 1), **attributes)
    Labels(np.zeros((1, 1, 1), np.uint8), **attributes)
