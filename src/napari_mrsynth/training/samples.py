"""Pictures of a training: what went in, what was made and what is true, for one patient."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.io.figures import blank_figure, write_png
from napari_mrsynth.training.prepared import Prepared, SomeSlices
from napari_mrsynth.training.registry import predictor_of

if TYPE_CHECKING:
    import lightning as L  # noqa: N812  (Lightning's own convention)
    from torch import nn

INCHES = 1.5
"""Side of one picture."""

OFF = 3
"""Differences are shown so many times as bright as the images."""

_INK = "#d8d8d8"
_SCALE = f"“off”: the absolute difference, brightest at 1/{OFF} of white"


def draw_sample(path: Path, system: str, network: nn.Module, patient: Prepared, title: str) -> None:
    """Draw the largest slice of a patient: a row per output, made from all other inputs.

    Parameters
    ----------
    path : Path
        PNG.
    system : str
        Whose network it is.
    network : nn.Module
        With ``inputs`` and ``outputs``; left as it is.
    patient : Prepared
    title : str

    Raises
    ------
    OutputError
        If the picture cannot be written.
    """
    from napari_mrsynth.training.heldout import needs_all, synthesise

    reads: Sequence[str] = network.inputs  # type: ignore[assignment]
    makes: Sequence[str] = network.outputs  # type: ignore[assignment]
    requests = [(tuple(c for c in reads if c != target), target) for target in makes]
    whole = needs_all(network)
    requests = [(inputs, target) for inputs, target in requests if inputs and not (whole and target in reads)]
    if not requests:  # one contrast alone is made from nothing else
        return
    predictor = predictor_of(system, deepcopy(network).float())
    plane = int(patient.mask.sum(axis=(1, 2)).argmax())
    one = SomeSlices.of(patient, [plane])
    made = synthesise(predictor, one, requests)
    rows = []
    for inputs, target in requests:
        truth = one.volume(target)[plane] * one.mask[plane]
        image = made[inputs, target][plane]
        row = [(contrast, one.volume(contrast)[plane], "gray", top(one, contrast)) for contrast in inputs]
        row += [
            (f"{target} made", image, "gray", top(one, target)),
            (f"{target} true", truth, "gray", top(one, target)),
            ("off by", np.abs(image - truth), "magma", top(one, target) / OFF),
        ]
        rows.append(row)
    montage(path, rows, f"{patient.subject}, {title}")


def picture_in(run: Path, step: int) -> Path:
    """Return where a run folder keeps the picture of a step."""
    return run / "samples" / f"step-{step:06d}.png"


@dataclass(frozen=True)
class DrawSamples:
    """Draws a patient as the averaged network makes them, every so many steps and after the last.

    Asked after every step, once the averaged weights have moved.

    Attributes
    ----------
    run : Path
        The run folder.
    system : str
        Whose network it is; one that synthesises.
    patient : Prepared
    said : str
        What the picture says of the patient.
    every : int
    """

    run: Path
    system: str
    patient: Prepared
    said: str
    every: int

    def after_step(self, trainer: L.Trainer, network: nn.Module) -> None:
        """Draw where a picture is due."""
        step = trainer.global_step
        if not trainer.is_global_zero or (step % self.every and step != trainer.max_steps):
            return
        path = picture_in(self.run, step)
        draw_sample(path, self.system, network, self.patient, f"{self.said}, step {step}")


def top(patient: Prepared, contrast: str) -> float:
    """Return the intensity shown as white."""
    return float(np.percentile(patient.volume(contrast)[patient.mask], 99.5)) or 1.0


def montage(path: Path, rows: list[list[tuple[str, NDArray[np.float32], str, float]]], title: str) -> None:
    """Write rows of (title, slice (A, R), colour map, intensity shown as the map's end) as a PNG.

    Drawn as the scans are: on black, front up, the patient's left on the left; letters say so.

    Raises
    ------
    OutputError
        If it cannot be written, or matplotlib is not installed.
    """
    columns = max(len(row) for row in rows)
    figure = blank_figure(INCHES * columns, (INCHES + 0.25) * len(rows) + 0.45)
    figure.set_facecolor("black")
    figure.suptitle(title, fontsize=10, color=_INK)
    for axes in (grid := figure.subplots(len(rows), columns, squeeze=False)).ravel():
        axes.axis("off")
    for line, row in zip(grid, rows, strict=True):
        for axes, (name, image, colours, top) in zip(line[-len(row) :], row, strict=True):
            axes.imshow(image[::-1], cmap=colours, vmin=0, vmax=top)
            axes.set_title(name, fontsize=9, color=_INK)
        first = line[-len(row)]
        for x, side, alignment in ((0.0, "L", "left"), (1.0, "R", "right")):
            first.text(x, 0.04, side, transform=first.transAxes, fontsize=8, color=_INK, ha=alignment)
    figure.supxlabel(_SCALE, fontsize=8, color=_INK)
    write_png(figure, path, dpi=100)
