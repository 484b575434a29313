"""The generator at work: contrasts of an anatomy with painted lesions, the displayed slice first."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.bundles import Bundle
from napari_mrsynth.errors import ContrastError, LabelError
from napari_mrsynth.generation.anatomy import Anatomy
from napari_mrsynth.generation.models import classes_of
from napari_mrsynth.generation.painted import Painted
from napari_mrsynth.generation.provenance import difference_record, provenance
from napari_mrsynth.generation.result import Generated
from napari_mrsynth.imaging import LabelVolume, Source, Volume
from napari_mrsynth.imaging.known_voxels import remembered
from napari_mrsynth.progress import Stopwatch
from napari_mrsynth.synthesis.device import choose
from napari_mrsynth.synthesis.result import Step
from napari_mrsynth.synthesis.runner import Runner
from napari_mrsynth.synthesis.workers import attend, follow, workers

if TYPE_CHECKING:
    from napari_mrsynth.systems.predictor import Predictor

FloatArray = NDArray[np.float32]
Planes = dict[str, tuple[int, FloatArray]]
LOADED, MADE = 0.05, 0.93
"""Shares of the work when the model is loaded, and when every slice is made."""


class LesionMaker:
    """A lesion generator that can be used again and again; the model is loaded by the first use.

    Parameters
    ----------
    bundle : Bundle
        Of the system ``lesion-scans``.
    device, precision : str
        As for :func:`napari_mrsynth.synthesis.device.choose`.
    batch : int, optional
        Axial slices per pass; the device's own number by default. It does not change the result but for
        rounding.
    """

    def __init__(
        self, bundle: Bundle, device: str = "auto", precision: str = "auto", batch: int | None = None
    ) -> None:
        self.bundle, self.card = bundle, bundle.card
        self._asked, self._batch = (device, precision), batch
        self._runner: _MakingRunner | None = None
        self._loading = Lock()

    @property
    def contrasts(self) -> tuple[str, ...]:
        """What it makes."""
        return self.card.outputs

    @property
    def spacing_mm(self) -> float:
        """Its voxel size."""
        return self.card.spacing_mm

    def require(self, wanted: Sequence[str], painted: Painted | None = None) -> tuple[str, ...]:
        """Return the wanted contrasts, each once, or refuse.

        Raises
        ------
        ContrastError
            If nothing is wanted, or something that the model does not make.
        LabelError
            If a class was painted that the model has not learnt.
        """
        names = tuple(dict.fromkeys(wanted))
        makes = f"It makes {', '.join(self.contrasts)}."
        if not names:
            raise ContrastError("Nothing is asked for.", hint=makes)
        unmade = [name for name in names if name not in self.contrasts]
        if unmade:
            raise ContrastError(f"{', '.join(unmade)} cannot be made by {self.card.id}.", hint=makes)
        known = classes_of(self.card)
        unknown = sorted(set(painted.present) - known) if painted is not None else []
        if unknown:
            raise LabelError(
                f"{self.card.id} has not learnt the class {unknown[0]}.",
                hint=f"It knows {', '.join(map(str, sorted(known)))}.",
            )
        return names

    def preview(
        self, anatomy: Anatomy, painted: Painted | None, wanted: Sequence[str], display_slice: int
    ) -> dict[str, FloatArray]:
        """Make one displayed axial slice.

        Parameters
        ----------
        anatomy : Anatomy
        painted : Painted or None
            None for the anatomy without a lesion.
        wanted : sequence of str
        display_slice : int
            S index on the anatomy's display grid.

        Returns
        -------
        dict of str to ndarray of float32, (A, R)
            On the native grid, in the anatomy's units, 0 outside the brain.

        Raises
        ------
        ContrastError, LabelError
            As :meth:`require`.
        """
        names = self.require(wanted, painted)
        needed = anatomy.frame.planes_for(display_slice)
        if not needed:
            return {name: np.zeros(anatomy.grid.display.shape[1:], np.float32) for name in names}
        runner, labels = self._loaded(), _labels(anatomy, painted)
        made: dict[str, FloatArray] = {}
        count = min(runner.plan.workers, len(names))
        shares = [names[first::count] for first in range(count)]
        with workers(count) as pool:
            for part in pool.map(lambda some: runner.make(anatomy, labels, np.array(needed), some), shares):
                made |= part
        made = {name: made[name] for name in names}
        return {name: _plane(anatomy, planes, display_slice) for name, planes in made.items()}

    def healthy(self, anatomy: Anatomy, contrast: str) -> Volume:
        """Make one contrast of an anatomy without any lesion, at once (errors as :meth:`require`)."""
        names, runner = self.require([contrast]), self._loaded()
        none = _labels(anatomy, None)
        framed = np.zeros(anatomy.frame.shape, np.float32)
        with workers(1) as pool:
            made = pool.submit(runner.make, anatomy, none, anatomy.planes, names).result()
        framed[anatomy.planes] = made[contrast]
        empty = LabelVolume(np.zeros(anatomy.grid.shape, np.uint8), anatomy.grid)
        record = provenance(
            contrast, anatomy, Painted(empty, none), names, self.card, runner.plan, lesion=False
        )
        return _volume(anatomy, framed, contrast, record)

    def run(
        self,
        anatomy: Anatomy,
        painted: Painted,
        wanted: Sequence[str],
        *,
        healthy: bool = False,
        first_slice: int | None = None,
    ) -> Generator[Step, None, Generated]:
        """Make the wanted contrasts of the whole anatomy.

        Parameters
        ----------
        anatomy : Anatomy
        painted : Painted
        wanted : sequence of str
        healthy : bool
            Whether to make the same anatomy without the lesion too, and the difference.
        first_slice : int, optional
            S index on the anatomy's display grid of the slice to make first and to show when it is ready; the
            slices around it follow.

        Yields
        ------
        Step
            Several times a second. Closing the generator stops the run within a pass and leaves nothing.

        Raises
        ------
        ContrastError, LabelError
            As :meth:`require`.
        DeviceError
            If the device is not here, or even one slice does not fit the processor's memory.
        """
        names = self.require(wanted, painted)
        clock = Stopwatch()
        runner = yield from attend(self._loaded, Step(clock.at(0.0, "Loading the model")))
        job = _Job(anatomy, painted, names, runner, healthy=healthy)
        yield from job.work(clock, first_slice)
        outputs, twins, differences = {}, {}, {}
        for done, name in enumerate(names):
            yield Step(
                clock.at(MADE + (1 - MADE) * done / len(names), f"Bringing {name} back to the patient's grid")
            )
            record = partial(provenance, name, anatomy, painted, names, self.card, runner.plan)
            outputs[name] = _volume(anatomy, job.made[name], name, record())
            if healthy:
                twins[name] = _volume(anatomy, job.twins[name], name, record(lesion=False), "healthy twin")
                differences[name] = _difference(outputs[name], twins[name], name)
        yield Step(clock.at(1.0, "Done"))
        return Generated(
            outputs=outputs,
            anatomy=anatomy,
            painted=painted,
            healthy=twins,
            difference=differences,
            structure_f1=job.agreement(),
            bundle=self.card.id,
            device=runner.plan.device,
            precision=runner.plan.precision,
            seconds=clock.seconds,
            warnings=tuple(dict.fromkeys((*anatomy.notes, *painted.labels.notes, *runner.warnings))),
        )

    def _loaded(self) -> _MakingRunner:
        with self._loading:
            if self._runner is None:
                from napari_mrsynth.systems import load_predictor

                def load(device: str, precision: str) -> Predictor:
                    return load_predictor(self.bundle, device, precision)

                plan = choose(*self._asked)
                self._runner = _MakingRunner(load, plan, self._batch or plan.batch)
            return self._runner


class _MakingRunner(Runner):
    """A lesion generator in passes that fit the memory."""

    def make(
        self,
        anatomy: Anatomy,
        labels: NDArray[np.uint8],
        planes: NDArray[np.intp],
        wanted: Sequence[str],
    ) -> dict[str, FloatArray]:
        """Make some of the frame's slices, (len(planes), A, R) per contrast, normalised.

        Every slice is made in the frame's whole box: the network normalises over what it sees, so that a
        slice made in a closer crop would be another one.
        """

        def work(predictor: Any, part: slice) -> dict[str, FloatArray]:
            some = planes[part]
            found: dict[str, FloatArray] = predictor.make(
                anatomy.structure[some], labels[some], anatomy.inside[some], wanted
            )
            return found

        passes = self._in_passes(work, len(planes))
        return {name: np.concatenate([each[name] for each in passes]) for name in wanted}


class _Job:
    """One run: slices are made in several threads at once and put in their places."""

    def __init__(
        self,
        anatomy: Anatomy,
        painted: Painted,
        names: Sequence[str],
        runner: _MakingRunner,
        *,
        healthy: bool,
    ) -> None:
        self.anatomy, self.painted, self.names, self.runner = anatomy, painted, tuple(names), runner
        shape = anatomy.frame.shape
        self.made = {name: np.zeros(shape, np.float32) for name in names}
        self.twins = {name: np.zeros(shape, np.float32) for name in names} if healthy else {}
        self._overlap = dict.fromkeys(names, (0, 0, 0))
        self._counting = Lock()

    def work(self, clock: Stopwatch, first_slice: int | None) -> Generator[Step, None, None]:
        """Make every slice that shows brain, those of the displayed slice first."""
        needed = range(0) if first_slice is None else self.anatomy.frame.planes_for(first_slice)
        middle = needed[len(needed) // 2] if needed else None
        planes = self.anatomy.planes
        if middle is not None:
            planes = planes[np.argsort(np.abs(planes - middle), kind="stable")]
        size = self.runner.batch
        groups = [planes[start : start + size] for start in range(0, len(planes), size)]
        shown = {plane for plane in needed if plane in set(planes.tolist())}
        what = f"Making {', '.join(self.names)}"
        done, count = 0, self.runner.plan.workers
        with workers(count) as pool:
            for index in follow(pool, lambda index: self._make(groups[index]), range(len(groups)), 2 * count):
                ready: Planes = {}
                if index is not None:
                    done += len(groups[index])
                    if shown:
                        shown -= set(groups[index].tolist())
                        ready = {} if shown or first_slice is None else self._planes(first_slice)
                share = done / max(1, len(planes))
                yield Step(clock.at(LOADED + (MADE - LOADED) * share, what), ready)

    def _make(self, planes: NDArray[np.intp]) -> None:
        made = self.runner.make(self.anatomy, self.painted.framed, planes, self.names)
        for name, slices in made.items():
            self.made[name][planes] = slices
        if self.twins:
            # a slice without lesion is its own twin: nothing in the network looks at its neighbours
            marked = self.painted.framed[planes].any(axis=(1, 2))
            bare = np.zeros_like(self.painted.framed)
            fresh = self.runner.make(self.anatomy, bare, planes[marked], self.names) if marked.any() else {}
            for name in self.names:
                twin = made[name].copy()
                if fresh:
                    twin[marked] = fresh[name]
                self.twins[name][planes] = twin
        self._compare(planes, made)

    def _compare(self, planes: NDArray[np.intp], made: Mapping[str, FloatArray]) -> None:
        """Count where the map made again of each contrast agrees with the given one."""
        import torch

        from napari_mrsynth.systems.lesiongan.maps import map_of

        apart = self.painted.framed[planes] == 0
        given = (self.anatomy.structure[planes] > 0) & apart
        background = torch.from_numpy((self.anatomy.inside[planes] == 0).astype(np.float32))
        for name, slices in made.items():
            with torch.inference_mode():
                again = map_of(torch.from_numpy(slices), name, background).numpy() > 0
            again &= apart
            counted = int((again & given).sum()), int(again.sum()), int(given.sum())
            with self._counting:
                before = self._overlap[name]
                self._overlap[name] = (before[0] + counted[0], before[1] + counted[1], before[2] + counted[2])

    def agreement(self) -> dict[str, float]:
        """Return F1 of the maps by contrast; 1 where neither has an edge."""
        return {
            name: 2 * both / (again + given) if again + given else 1.0
            for name, (both, again, given) in self._overlap.items()
        }

    def _planes(self, display_slice: int) -> Planes:
        needed = self.anatomy.frame.planes_for(display_slice)
        return {
            name: (display_slice, _plane(self.anatomy, array[needed.start : needed.stop], display_slice))
            for name, array in self.made.items()
        }


def _labels(anatomy: Anatomy, painted: Painted | None) -> NDArray[np.uint8]:
    return np.zeros(anatomy.frame.shape, np.uint8) if painted is None else painted.framed


def _plane(anatomy: Anatomy, planes: FloatArray, display_slice: int) -> FloatArray:
    """Bring the frame's planes of a displayed slice back, (A, R), in the anatomy's units."""
    plane = anatomy.frame.bring_back_plane(planes * np.float32(anatomy.scale), display_slice)
    brain = anatomy.grid.as_display(anatomy.brain.array)[display_slice].astype(bool)
    plane[~brain] = 0
    return plane


def _volume(
    anatomy: Anatomy, framed: FloatArray, contrast: str, record: dict[str, Any], what: str = "synthetic"
) -> Volume:
    array = anatomy.frame.bring_back(framed * np.float32(anatomy.scale))
    array[~anatomy.brain.array] = 0
    header = anatomy.scan.source.header if anatomy.scan is not None else None
    source = Source(format="synthetic", header=header, synthetic=record)
    return remembered(
        Volume(array, anatomy.grid, name=f"{contrast} ({what})", source=source, contrast=contrast)
    )


def _difference(made: Volume, twin: Volume, contrast: str) -> Volume:
    record = difference_record(made.source.synthetic or {})
    source = Source(format="synthetic", header=made.source.header, synthetic=record)
    array = made.array - twin.array
    return Volume(
        array, made.grid, name=f"{contrast} (lesion's difference)", source=source, contrast=contrast
    )
