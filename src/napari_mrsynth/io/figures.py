"""Figures of reports: drawn by matplotlib, which is brought in when the first one is, and written whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_mrsynth.errors import OutputError
from napari_mrsynth.io.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def blank_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches, its panels laid out so that nothing overlaps.

    Raises
    ------
    OutputError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise OutputError(
            "The figure needs matplotlib, which is not installed.", hint="pip install matplotlib"
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def write_png(figure: Figure, path: Path, dpi: int) -> None:
    """Write a figure to a PNG file, whole or not at all.

    Raises
    ------
    OutputError
        If the disk refuses.
    """
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=dpi)
