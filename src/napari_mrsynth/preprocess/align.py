"""Rigid alignment of two scans of one head, whatever their contrasts, by mutual information.

The measure is Mattes' mutual information (Mattes et al. 2003, DOI 10.1109/TMI.2003.809072), climbed from
coarse to fine in RAS millimetres. The climb begins both at the header and where the heads' middles meet; the
better of the two goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from napari_mrsynth.errors import InputError
from napari_mrsynth.imaging import Rigid, Volume
from napari_mrsynth.imaging.geometry import FloatArray
from napari_mrsynth.preprocess.pyramid import FINEST_MM, Prepared, picture, prepare
from napari_mrsynth.progress import Progress, Stopwatch

ALIGNED = "aligned"
KEPT = "header kept: no better place was found"
"""What :attr:`Rigid.how` says of a result."""

BINS = 32
SEED = 1971
SAMPLES = 40_000
WORK_UNITS = 1
"""Sums are made in one order, so that a result is the same to the last bit everywhere."""
RELAXATION = 0.85
"""How much of a step is kept when the climb turns; a smaller share ends it before the top."""


@dataclass(frozen=True)
class _Level:
    """One resolution of the climb: voxel size, first and last step, iterations at most, share of the work."""

    spacing_mm: float
    first_step_mm: float
    last_step_mm: float
    iterations: int
    share: float


POLL_S = 0.1
PATIENCE_S = 0.3
"""How long closing waits for the work to notice; it then ends by itself at its next step."""

LEVELS = (_Level(8, 4, 0.08, 150, 0.2), _Level(4, 2, 0.04, 150, 0.3), _Level(FINEST_MM, 1, 0.02, 150, 0.4))


def estimate_rigid(
    fixed: Volume, moving: Volume, *, start: Rigid | None = None
) -> Generator[Progress, None, Rigid]:
    """Estimate the rigid motion that brings a scan onto another of the same head.

    Deterministic; made for offsets up to about 10 degrees and 15 mm from `start`, whole heads or stripped
    brains, thick slices included. Close the generator to cancel: it returns within :data:`PATIENCE_S`.

    Parameters
    ----------
    fixed : Volume
        The reference.
    moving : Volume
        The scan to bring onto it, of any contrast.
    start : Rigid, optional
        Where to begin: fixed RAS mm to moving RAS mm; the headers' word by default.

    Yields
    ------
    Progress
        With every iteration, and at least every :data:`POLL_S` seconds, so that the caller can always stop.

    Returns
    -------
    Rigid
        Fixed RAS mm to moving RAS mm. Its `how` is :data:`ALIGNED`; or :data:`KEPT`, and the matrix that of
        `start`, where the best place found has no more mutual information than the start.

    Raises
    ------
    InputError
        If one of the scans is constant, or the two cannot be compared.
    """
    for volume in (fixed, moving):
        low, high = float(volume.array.min()), float(volume.array.max())
        if not low < high:
            raise InputError(
                f"{_name(volume)} cannot be aligned: every voxel is {low:g}.",
                hint="Choose a scan that shows the head.",
            )
    climb = _Climb(fixed, moving, start if start is not None else Rigid())
    thread = threading.Thread(target=climb.run, name="mrsynth-align")
    thread.start()
    latest = Progress(0.0, climb.message)
    try:
        while True:
            try:
                report = climb.reports.get(timeout=POLL_S)
            except Empty:
                yield latest
                continue
            if not isinstance(report, Progress):
                break
            latest = report
            yield latest
    finally:
        climb.stop.set()
        thread.join(timeout=PATIENCE_S)
    if isinstance(report, BaseException):
        raise report
    return report


def _name(volume: Volume) -> str:
    return volume.contrast or volume.name or "A scan"


class _Stopped(Exception):  # noqa: N818 - no error: the caller asked for it
    """The generator was closed."""


@dataclass
class _Climb:
    """One alignment at work in its own thread: SimpleITK iterates there, the caller may stop it any time."""

    fixed: Volume
    moving: Volume
    start: Rigid
    stop: threading.Event = field(default_factory=threading.Event)
    reports: SimpleQueue[Progress | Rigid | BaseException] = field(default_factory=SimpleQueue)
    watch: Stopwatch = field(default_factory=Stopwatch)
    done: float = 0.0

    def run(self) -> None:
        """Climb, and report the result or what went wrong."""
        try:
            self.reports.put(self._climb())
        except RuntimeError as error:  # how SimpleITK reports everything
            reason = str(error).strip().splitlines()[-1]
            self.reports.put(
                InputError(
                    f"{_name(self.moving)} cannot be aligned with {_name(self.fixed)}: {reason}",
                    hint="Check that both scans show the same head.",
                )
            )
        except BaseException as error:
            self.reports.put(error)

    def _climb(self) -> Rigid:
        self._tell()
        fixed = prepare(self.fixed)
        self._tell()
        moving = prepare(self.moving)
        self.done = 0.1
        places = _starts(fixed, moving, self.start)
        begin = places[0]
        for level in LEVELS:
            registration, images = self._registration(fixed, moving, level)
            found = [self._from(place, registration, images, level, len(places)) for place in places]
            places = [min(found, key=lambda pair: pair[0])[1]]
        return self._judge(registration, images, begin, places[0])

    @property
    def message(self) -> str:
        """What is being done, for people."""
        return f"Aligning {_name(self.moving)}"

    def _tell(self) -> None:
        """Report how far it is, or give up where the caller asked for it."""
        if self.stop.is_set():
            raise _Stopped
        self.reports.put(self.watch.at(self.done, self.message))

    def _registration(self, fixed: Prepared, moving: Prepared, level: _Level) -> tuple[Any, tuple[Any, Any]]:
        import SimpleITK as sitk  # noqa: N813

        self._tell()
        image, mask = picture(fixed, level.spacing_mm)
        self._tell()
        other, _ = picture(moving, level.spacing_mm, margin=True)
        registration = sitk.ImageRegistrationMethod()
        registration.SetNumberOfWorkUnits(WORK_UNITS)
        registration.SetMetricAsMattesMutualInformation(BINS)
        registration.SetMetricFixedMask(mask)
        count = int(sitk.GetArrayViewFromImage(mask).sum())
        if count > SAMPLES:
            registration.SetMetricSamplingStrategy(registration.RANDOM)
            registration.SetMetricSamplingPercentage(SAMPLES / count, SEED)
        registration.SetInterpolator(sitk.sitkLinear)
        registration.SetOptimizerAsRegularStepGradientDescent(
            level.first_step_mm, level.last_step_mm, level.iterations, RELAXATION, 1e-8
        )
        registration.SetOptimizerScalesFromPhysicalShift()
        registration.SetMovingInitialTransform(_affine(self.start.matrix))
        return registration, (image, other)

    def _from(
        self, place: Any, registration: Any, images: tuple[Any, Any], level: _Level, of: int
    ) -> tuple[float, Any]:
        """Climb from one place; return the measure (the lower the better) and where it led."""
        import SimpleITK as sitk  # noqa: N813

        self._tell()
        share, before = level.share / of, self.done

        def follow() -> None:
            if self.stop.is_set():
                registration.StopRegistration()
                return
            self.done = before + share * registration.GetOptimizerIteration() / level.iterations
            self._tell()

        here = sitk.Euler3DTransform(place)
        registration.RemoveAllCommands()
        registration.AddCommand(sitk.sitkIterationEvent, follow)
        registration.SetInitialTransform(here, inPlace=True)
        registration.Execute(*images)
        self.done = before + share
        self._tell()
        return float(registration.GetMetricValue()), here

    def _judge(self, registration: Any, images: tuple[Any, Any], begin: Any, end: Any) -> Rigid:
        """Return where the climb ended, or the start where that is no worse."""
        registration.RemoveAllCommands()
        measures = []
        for place in (begin, end):
            self._tell()
            registration.SetInitialTransform(place, inPlace=True)
            measures.append(float(registration.MetricEvaluate(*images)))
        if not measures[1] < measures[0]:
            return Rigid(self.start.matrix, KEPT)
        return Rigid(self.start.matrix @ _matrix(end), ALIGNED)


def _starts(fixed: Prepared, moving: Prepared, start: Rigid) -> list[Any]:
    """Return the places to climb from, the given start first, as motions about the fixed head's middle."""
    import SimpleITK as sitk  # noqa: N813

    centre = fixed.centre_mm
    there = np.linalg.inv(start.matrix) @ np.append(moving.centre_mm, 1.0)
    places = []
    for shift in (np.zeros(3), there[:3] - centre):
        place = sitk.Euler3DTransform()
        place.SetCenter(centre.tolist())
        place.SetTranslation(shift.tolist())
        places.append(place)
    return places


def _affine(matrix: FloatArray) -> Any:
    import SimpleITK as sitk  # noqa: N813

    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    return transform


def _matrix(transform: Any) -> FloatArray:
    """Return a transform about a centre as a 4x4 matrix."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(transform.GetMatrix(), (3, 3))
    centre = np.asarray(transform.GetCenter())
    matrix[:3, 3] = np.asarray(transform.GetTranslation()) + centre - matrix[:3, :3] @ centre
    return matrix
