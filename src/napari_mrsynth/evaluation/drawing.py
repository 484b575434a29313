"""The figure of a comparison: both images, their difference and where it is largest, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.evaluation.comparison import Comparison
from napari_mrsynth.evaluation.places import joint_histogram, slice_errors
from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.io.figures import blank_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DIVERGING = "RdBu_r"
MARK = "SYNTHETIC, not for diagnosis"


def write_figure(path: Path, comparisons: Sequence[Comparison], slice_index: int | None = None) -> Path:
    """Write the figure as PNG: a row per prediction.

    Parameters
    ----------
    path : Path
    comparisons : sequence of Comparison
    slice_index : int, optional
        Which axial slice of the first prediction's display grid; that of its worst place if not given.

    Raises
    ------
    OutputError
        If matplotlib is not installed, or the disk refuses.
    """
    content = png(comparisons, slice_index)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path


def png(comparisons: Sequence[Comparison], slice_index: int | None = None) -> bytes:
    """Return the figure as the content of a PNG file (parameters as for :func:`write_figure`)."""
    buffer = BytesIO()
    _figure(comparisons, slice_index).savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _figure(comparisons: Sequence[Comparison], slice_index: int | None) -> Figure:
    figure = blank_figure(13.5, 3.3 * len(comparisons) + 0.5)
    panels = figure.subplots(len(comparisons), 5, squeeze=False)
    for row, comparison in zip(panels, comparisons, strict=True):
        _row(figure, row, comparison, slice_index)
    return figure


def _row(figure: Figure, row: Sequence[Any], comparison: Comparison, slice_index: int | None) -> None:
    pair = comparison.pair
    at = _slice_of(comparison) if slice_index is None else slice_index
    truth, made = (_plane(pair.grid.as_display(image), at) for image in (pair.truth, pair.pred))
    inside = pair.regions["brain"]
    low, high = 0.0, float(np.percentile(pair.truth[inside].astype(np.float64), 99.5))
    step = float(np.percentile(np.abs(pair.difference[inside]), 99))
    size = pair.grid.display.spacing[1] / pair.grid.display.spacing[2]
    looks: dict[str, Any] = {"cmap": "gray", "vmin": low, "vmax": high, "origin": "lower", "aspect": size}
    row[0].imshow(truth, **looks)
    row[1].imshow(made, **looks)
    shown = row[2].imshow(
        made - truth, cmap=DIVERGING, vmin=-step or -1, vmax=step or 1, origin="lower", aspect=size
    )
    figure.colorbar(shown, ax=row[2], shrink=0.8)
    made_up, truth_made_up = comparison.synthetic
    row[0].set_title(_title(f"{comparison.truth_name} (truth)", synthetic=truth_made_up), fontsize=9)
    row[1].set_title(_title(f"{comparison.name} (prediction)", synthetic=made_up), fontsize=9)
    row[2].set_title("prediction − truth", fontsize=9)
    for panel in row[:3]:
        panel.set_axis_off()
        panel.invert_xaxis()  # radiological: the patient's right on the left
    row[0].text(0.01, 0.5, "R", transform=row[0].transAxes, color="white", fontsize=9)
    counts, (first, last) = joint_histogram(pair, inside)
    row[3].imshow(np.log1p(counts.T), origin="lower", extent=(first, last, first, last), cmap="viridis")
    row[3].plot((first, last), (first, last), color="white", linewidth=0.7)
    row[3].set(xlabel="truth", ylabel="prediction")
    row[3].set_title("joint histogram, brain (log)", fontsize=9)
    errors = slice_errors(pair, inside, 0)
    row[4].plot(np.arange(len(errors)), errors)
    row[4].axvline(at, color="grey", linewidth=0.7)
    row[4].set(xlabel="axial slice", ylabel="mean absolute error")
    row[4].set_title("error by slice, brain", fontsize=9)


def _title(name: str, *, synthetic: bool) -> str:
    return f"{name}\n{MARK}" if synthetic else name


def _slice_of(comparison: Comparison) -> int:
    """Return the axial slice (display S index) of the worst place; the middle where there is none."""
    grid = comparison.pair.grid
    order, flips = grid.to_display
    length = grid.display.shape[0]
    if not comparison.worst:
        return length // 2
    index = comparison.worst[0].voxel[order[0]]
    return length - 1 - index if flips[0] else index


def _plane(volume: NDArray[Any], index: int) -> NDArray[np.float32]:
    return np.asarray(volume[min(max(index, 0), len(volume) - 1)], dtype=np.float32)
