"""Whether a segmenter finds in a generated scan the lesion that was painted."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.bundles import Bundle
from napari_mrsynth.errors import ContrastError
from napari_mrsynth.imaging import BrainMask, LabelVolume, Source, Volume
from napari_mrsynth.preprocess.frame import WorkingFrame
from napari_mrsynth.preprocess.normalise import fit
from napari_mrsynth.progress import Stopwatch
from napari_mrsynth.synthesis.device import choose
from napari_mrsynth.synthesis.result import Step
from napari_mrsynth.synthesis.slabs import MARGIN, QUANTUM
from napari_mrsynth.synthesis.workers import follow, workers

if TYPE_CHECKING:
    from napari_mrsynth.systems.segmenter.predictor import SegmenterPredictor

BATCH = 8


@dataclass(frozen=True, eq=False)
class Check:
    """What a segmenter found.

    Attributes
    ----------
    dice : mapping of str to (float or None)
        ``label-1`` and so on, and ``lesion`` for all classes together; None where neither has the class.
    found : LabelVolume
        What it marked, on the scans' grid.
    contrasts : tuple of str
        What it was given.
    bundle : str
    published : float or None
        The measure of the published figures (class numbers, slice by slice), for comparing with them only.
    """

    dice: Mapping[str, float | None]
    found: LabelVolume
    contrasts: tuple[str, ...]
    bundle: str
    published: float | None = None

    @property
    def overall(self) -> float | None:
        """Dice of all lesion tissue together."""
        return self.dice["lesion"]


class LesionCheck:
    """A segmenter that can be used again and again; the model is loaded by the first use.

    Parameters
    ----------
    bundle : Bundle
        Of the system ``segmenter``.
    device, precision : str
        As for :func:`napari_mrsynth.synthesis.device.choose`.
    """

    def __init__(self, bundle: Bundle, device: str = "auto", precision: str = "auto") -> None:
        self.bundle, self.card = bundle, bundle.card
        self._asked = (device, precision)
        self._predictor: SegmenterPredictor | None = None
        self._loading = Lock()

    def run(
        self, volumes: Mapping[str, Volume], labels: LabelVolume, brain: BrainMask
    ) -> Generator[Step, None, Check]:
        """Segment scans and compare with what was painted.

        The scans are treated as if they had been read from files: brought into the segmenter's own frame and
        normalised there.

        Parameters
        ----------
        volumes : mapping of contrast to Volume
            On one grid; those that the segmenter does not know are left out.
        labels : LabelVolume
            What was painted, on that grid.
        brain : BrainMask
            On that grid.

        Raises
        ------
        ContrastError
            If it knows none of the contrasts, or cannot do without one that is not there.
        """
        from napari_mrsynth.systems.segmenter.overlap import dice, label_value_dice

        clock, what = Stopwatch(), "Checking the lesion with the segmenter"
        yield Step(clock.at(0.0, what))
        used = {name: volume for name, volume in volumes.items() if name in self.card.inputs}
        if not used:
            raise ContrastError(
                f"The segmenter {self.card.id} knows none of {', '.join(volumes)}.",
                hint=f"It reads {', '.join(self.card.inputs)}.",
            )
        predictor = self._loaded()
        frame = WorkingFrame.around(labels.grid, brain.array, self.card.spacing_mm, MARGIN, QUANTUM)
        framed = {name: self._framed(volume, frame) for name, volume in used.items()}
        planes = np.flatnonzero(frame.mask.any(axis=(1, 2)))
        segmented = np.zeros(frame.shape, np.uint8)
        groups = [planes[start : start + BATCH] for start in range(0, len(planes), BATCH)]

        def segment(index: int) -> None:
            some = groups[index]
            segmented[some] = predictor.segment_volume(framed, BATCH, some)[some]

        done, count = 0, choose(*self._asked).workers
        with workers(count) as pool:
            for index in follow(pool, segment, range(len(groups)), ahead=2 * count):
                done += 0 if index is None else len(groups[index])
                yield Step(clock.at(done / len(planes), what))
        segmented *= frame.mask
        found = self._returned(segmented, frame, labels, brain)
        return Check(
            dice(found.array, labels.array, predictor.classes),
            found,
            tuple(used),
            self.card.id,
            label_value_dice(np.asarray(found.display), np.asarray(labels.display)),
        )

    def _framed(self, volume: Volume, frame: WorkingFrame) -> NDArray[np.float32]:
        raw = frame.bring_array(volume.array)
        normalised = fit(raw, frame.mask, str(self.card.normalisation["method"])).apply(raw)
        normalised[~frame.mask] = 0
        return normalised

    def _returned(
        self, segmented: NDArray[np.uint8], frame: WorkingFrame, labels: LabelVolume, brain: BrainMask
    ) -> LabelVolume:
        from napari_mrsynth.preprocess.resample import resample

        record = {"Synthetic": True, "what": "found by a segmenter", "bundle": {"id": self.card.id}}
        source = Source(format="synthetic", synthetic=record)
        framed = LabelVolume(segmented, frame.grid, "found lesion", source, labels=labels.labels)
        native = resample(framed, labels.grid)
        return replace(native, array=native.array * brain.array)

    def _loaded(self) -> SegmenterPredictor:
        with self._loading:
            if self._predictor is None:
                from napari_mrsynth.systems.segmenter.predictor import SegmenterPredictor

                plan = choose(*self._asked)
                self._predictor = SegmenterPredictor.from_bundle(self.bundle, plan.device, plan.precision)
            return self._predictor


def mean_dice(checks: Sequence[Check]) -> float | None:
    """Return the mean overall Dice of several checks; None where none has one."""
    values = [check.overall for check in checks if check.overall is not None]
    return float(np.mean(values)) if values else None
