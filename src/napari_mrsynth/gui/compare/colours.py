"""The colours of the Compare dock's layers."""

from __future__ import annotations

from napari.utils import Colormap

GREY = "gray"
"""Images."""

DIFFERENCE = Colormap(
    [(0.55, 0.85, 1.0, 1), (0.1, 0.35, 0.9, 1), (0, 0, 0, 1), (0.85, 0.2, 0.1, 1), (1.0, 0.85, 0.45, 1)],
    name="too dark, too bright",
)
"""Signed differences: black where there is none, so that a dark canvas stays dark."""

EDGE = Colormap([(0, 0, 0, 0), (1.0, 0.85, 0.0, 1)], name="edges")
"""Edges over an image: clear where there is none."""
