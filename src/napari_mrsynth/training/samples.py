"""Pictures of a training: what went in, what was made and what is true, for a patient held out."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.training.prepared import Prepared
from napari_mrsynth.training.registry import predictor_of

if TYPE_CHECKING:
    from torch import nn

INCHES = 1.7
"""Side of one picture."""


@dataclass(frozen=True)
class OneSlice(Prepared):
    """A prepared patient of whom one slice counts: the one at `plane`."""

    plane: int = 0

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """Brain in that slice, (S, A, R) bool."""
        mask = np.array(Prepared(self.subject, self.folder).mask)
        mask[np.arange(len(mask)) != self.plane] = False
        return mask


def draw_sample(path: Path, system: str, network: nn.Module, patient: Prepared, title: str) -> None:
    """Draw the largest slice of a patient: a row per output, made from all other inputs.

    Parameters
    ----------
    path : Path
        PNG.
    system : str
        Whose network it is.
    network : nn.Module
        Left as it is.
    patient : Prepared
        Held out.
    title : str

    Raises
    ------
    OutputError
        If the picture cannot be written.
    """
    from napari_mrsynth.training.heldout import synthesise

    predictor = predictor_of(system, deepcopy(network).float())
    plane = int(patient.mask.sum(axis=(1, 2)).argmax())
    one = OneSlice(patient.subject, patient.folder, plane)
    requests = [
        (tuple(c for c in predictor.inputs if c != target), target)
        for target in predictor.outputs
        if any(c != target for c in predictor.inputs)
    ]
    made = synthesise(predictor, one, requests)
    rows = []
    for inputs, target in requests:
        truth = one.volume(target)[plane] * one.mask[plane]
        image = made[inputs, target][plane]
        row = [(contrast, one.volume(contrast)[plane], "gray", top(one, contrast)) for contrast in inputs]
        row += [
            (f"{target} made", image, "gray", top(one, target)),
            (f"{target} true", truth, "gray", top(one, target)),
            ("off by", np.abs(image - truth), "magma", top(one, target) / 3),
        ]
        rows.append(row)
    montage(path, rows, f"{patient.subject}, {title}")


def top(patient: Prepared, contrast: str) -> float:
    """Return the intensity shown as white."""
    return float(np.percentile(patient.volume(contrast)[patient.mask], 99.5)) or 1.0


def montage(path: Path, rows: list[list[tuple[str, NDArray[np.float32], str, float]]], title: str) -> None:
    """Write rows of (title, slice (A, R), colour map, intensity shown as the map's end) as a PNG.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = max(len(row) for row in rows)
    figure = Figure((INCHES * columns, (INCHES + 0.25) * len(rows) + 0.3), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=9)
    for axes in (grid := figure.subplots(len(rows), columns, squeeze=False)).ravel():
        axes.axis("off")
    for line, row in zip(grid, rows, strict=True):
        for axes, (name, image, colours, top) in zip(line[-len(row) :], row, strict=True):
            axes.imshow(image[::-1], cmap=colours, vmin=0, vmax=top)  # (A, R): front up, left on the left
            axes.set_title(name, fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100, format="png")
