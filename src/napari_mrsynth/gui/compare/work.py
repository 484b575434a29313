"""What comparing takes, done beside the window: figures, difference, curves and histograms."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import InputError
from napari_mrsynth.evaluation.bootstrap import Bootstrap
from napari_mrsynth.evaluation.comparison import Comparison, comparing
from napari_mrsynth.evaluation.matching import Matching
from napari_mrsynth.evaluation.pairing import Pair
from napari_mrsynth.evaluation.places import Place, joint_histogram, slice_errors, worst_places
from napari_mrsynth.evaluation.regions import box_of
from napari_mrsynth.gui.compare.common_grid import mask_on, moving_note, pair_on, require_meeting
from napari_mrsynth.gui.layer_data import limits
from napari_mrsynth.imaging import known_voxels
from napari_mrsynth.imaging.volume import LabelVolume, Volume
from napari_mrsynth.progress import Progress

Histogram = tuple[NDArray[np.float64], tuple[float, float]]

ROOM = 6
"""Voxels of background beside the brain in the side-by-side view."""

DIFFERENCE_TOP = 99.0
"""Percentile of the absolute difference over the brain at which the difference map's colours end."""


@dataclass(frozen=True, eq=False)
class Looks:
    """What is drawn of one region.

    Attributes
    ----------
    by_slice : tuple of three ndarrays
        Mean absolute error of every displayed slice along S, A and R.
    histogram : (ndarray, (float, float))
        Counts of (truth, prediction) and the limits of both axes.
    worst : tuple of Place
    """

    by_slice: tuple[NDArray[np.float64], ...]
    histogram: Histogram
    worst: tuple[Place, ...]


@dataclass(frozen=True, eq=False)
class Looked:
    """A comparison with all that the dock draws of it.

    Invariant: what is looked at together lies on one grid, the first prediction's.

    Attributes
    ----------
    comparison : Comparison
        On the prediction's own grid.
    shown : Pair
        The same images as they are displayed, axes (S, A, R).
    difference : ndarray of float32, shape (S, A, R)
        Prediction minus truth.
    difference_top : float
        Where its colours end, above 0.
    limits : (float, float)
        Display limits of the truth, used for the prediction too.
    looks : mapping of str to Looks
        By region.
    synthetic : bool
        Whether a model made either image.
    across : tuple of three index tuples
        What cuts a volume (S, A, R) to the brain along S, A or R, with a little room.
    note : str
        What was done to show it where the first one is shown, for people; may be empty.
    """

    comparison: Comparison
    shown: Pair
    difference: NDArray[np.float32]
    difference_top: float
    limits: tuple[float, float]
    looks: Mapping[str, Looks]
    synthetic: bool
    across: tuple[tuple[slice, ...], ...]
    note: str = ""

    @property
    def title(self) -> str:
        """What the prediction is called on the canvas."""
        return f"{self.comparison.name} (resampled)" if self.note else self.comparison.name


@dataclass(frozen=True)
class Task:
    """What is to be compared, and how.

    Attributes
    ----------
    predictions : tuple of Volume
    truth : Volume
    mask, lesions : LabelVolume or None
    matching : Matching
    bootstrap : Bootstrap
    """

    predictions: tuple[Volume, ...]
    truth: Volume
    mask: LabelVolume | None = None
    lesions: LabelVolume | None = None
    matching: Matching = Matching.MEAN
    bootstrap: Bootstrap = field(default_factory=Bootstrap)


def looking(task: Task) -> Generator[Progress, None, tuple[Looked, ...]]:
    """Compare every prediction of a task with its truth.

    Raises
    ------
    InputError
        If there is no prediction, predictions show no common part of the brain, or what :func:`comparing`
        refuses.
    """
    import skimage.feature  # noqa: F401  (the edges need it later, on the window's own thread)

    if not task.predictions:
        raise InputError("No prediction is chosen.", hint="Tick at least one layer to be compared.")
    found: list[Looked] = []
    for count, pred in enumerate(task.predictions):
        steps = comparing(
            pred,
            task.truth,
            mask=task.mask,
            lesions=task.lesions,
            matching=task.matching,
            bootstrap=task.bootstrap,
        )
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                comparison: Comparison = end.value
                break
            share = (count + 0.8 * step.fraction) / len(task.predictions)
            yield replace(step, fraction=share, message=f"{pred.name}: {step.message}")
        yield Progress((count + 0.85) / len(task.predictions), f"{pred.name}: Drawing curves")
        first = found[0].comparison if found else comparison
        found.append(_looked(comparison, first, pred.is_synthetic or task.truth.is_synthetic))
        known_voxels.remember(found[-1].shown.pred, pred.source.synthetic or {})  # matched: other numbers
    return tuple(found)


def _looked(comparison: Comparison, first: Comparison, synthetic: bool) -> Looked:
    pair, grid = comparison.pair, first.pair.grid.display
    shown = pair_on(pair, grid)
    require_meeting(shown, comparison, first)
    difference = shown.difference
    regions = pair.regions
    top = float(np.percentile(np.abs(difference[shown.brain]), DIFFERENCE_TOP))
    looks = {
        name: Looks(
            tuple(slice_errors(shown, mask_on(region, pair.grid, grid), axis) for axis in range(3)),
            joint_histogram(pair, region),
            comparison.worst if name == "brain" else worst_places(pair, region),
        )
        for name, region in regions.items()
    }
    low, high = limits(pair.truth)["contrast_limits"]
    box = box_of(shown.brain, margin=ROOM)
    across = tuple(
        tuple(side if axis == along else slice(None) for axis, side in enumerate(box)) for along in range(3)
    )
    note = moving_note(comparison, first)
    return Looked(comparison, shown, difference, top or 1.0, (low, high), looks, synthetic, across, note)


def exporting(
    looked: Sequence[Looked], path: Path, slice_index: int | None
) -> Generator[Progress, None, Path]:
    """Write what was found as ``.csv``, ``.json``, ``.png`` or ``.html``, whichever the path ends in.

    Raises
    ------
    InputError
        If it ends in something else.
    OutputError
        If it cannot be written.
    """
    yield Progress(0.0, f"Writing {path.name}")
    comparisons = [each.comparison for each in looked]
    suffix = path.suffix.lower()
    if suffix == ".csv":
        from napari_mrsynth.evaluation.tables import write_csv

        return write_csv(path, comparisons)
    if suffix == ".json":
        from napari_mrsynth.evaluation.tables import write_json

        return write_json(path, comparisons)
    if suffix == ".png":
        from napari_mrsynth.evaluation.drawing import write_figure

        return write_figure(path, comparisons, slice_index)
    if suffix == ".html":
        from napari_mrsynth.evaluation.page import write_page

        return write_page(path, comparisons)
    raise InputError(
        f"“{path.name}” ends in {suffix or 'nothing'}.", hint="End the name in .csv, .json, .png or .html."
    )
