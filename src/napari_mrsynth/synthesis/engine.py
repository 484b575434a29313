"""The engine: runs a model on a study, the displayed slice first, and keeps the encoded inputs.

Any-subset synthesis is *encode each input, fuse, decode*. The encodings are kept per input, model and slab,
so that switching an input on or off costs fusion and decoding only.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.bundles import Bundle, BundleStore
from napari_mrsynth.errors import BundleError, ContrastError, InputError
from napari_mrsynth.imaging import Study
from napari_mrsynth.preprocess.mask import GIVE_MASK, no_mask
from napari_mrsynth.progress import Stopwatch
from napari_mrsynth.synthesis import device as devices
from napari_mrsynth.synthesis.cache import ByteCache
from napari_mrsynth.synthesis.device import DevicePlan
from napari_mrsynth.synthesis.inputs import frame_study, without_truth
from napari_mrsynth.synthesis.job import Job
from napari_mrsynth.synthesis.request import Request
from napari_mrsynth.synthesis.result import Result, Step, peak_rss_bytes
from napari_mrsynth.synthesis.runner import Runner
from napari_mrsynth.synthesis.slabs import outwards
from napari_mrsynth.synthesis.workers import attend, follow, workers

if TYPE_CHECKING:
    from napari_mrsynth.systems import Predictor

LoadPredictor = Callable[[Bundle, str, str], "Predictor"]
SHARE_BEFORE, SHARE_AFTER = 0.03, 0.03


class Engine:
    """Runs models on studies and remembers what can be used again.

    Parameters
    ----------
    store : BundleStore, optional
        Where models are found; the default folders if not given.
    cache_bytes : int
        How much may be kept: encoded inputs, normalised scans.
    load_predictor : callable, optional
        Bundle, device and precision to a predictor; :func:`napari_mrsynth.systems.load_predictor`.
    choose_device : callable, optional
        Device and precision of a request to a plan; :func:`napari_mrsynth.synthesis.device.choose`.
    """

    def __init__(
        self,
        store: BundleStore | None = None,
        cache_bytes: int = 2**30,
        *,
        load_predictor: LoadPredictor | None = None,
        choose_device: Callable[[str, str], DevicePlan] | None = None,
    ) -> None:
        self.store = BundleStore() if store is None else store
        self.cache = ByteCache(cache_bytes)
        self._load_predictor = _load_predictor if load_predictor is None else load_predictor
        self._choose_device = devices.choose if choose_device is None else choose_device
        self._loaded: tuple[Hashable, Predictor] | None = None
        self._loading = Lock()

    def check(self, study: Study, request: Request) -> str | None:
        """Say why a request cannot be run and how to mend it, or return None where it can.

        Reads cards only: torch is not imported.
        """
        try:
            self._require(study, request)
        except InputError as error:
            return str(error)
        return None

    def run(
        self, study: Study, request: Request, first_slice: int | None = None
    ) -> Generator[Step, None, Result]:
        """Make the wanted contrasts.

        Parameters
        ----------
        study : Study
            With a brain mask.
        request : Request
            What to make from what.
        first_slice : int, optional
            S index on the study's display grid of the axial slice to make first and to show when it is ready;
            the slices around it follow.

        Yields
        ------
        Step
            At least every 0.3 s while slices are made. Closing the generator stops the run within one pass
            and leaves nothing behind but valid cache entries.

        Returns
        -------
        Result
            Outputs on the study's native grid.

        Raises
        ------
        InputError
            What :meth:`check` says.
        DeviceError
            If the device is not here, or even one slice does not fit the processor's memory.
        """
        bundle = self._require(study, request)
        clock = Stopwatch()
        step = Step(clock.at(0.0, "Loading the model"))
        job = yield from attend(lambda: self._job(study, request, bundle), step)
        for done, contrast in enumerate(request.used):
            step = Step(clock.at(SHARE_BEFORE * done / len(request.used), f"Preparing {contrast}"))
            yield from attend(partial(job.prepare, contrast), step)
        yield from self._make_slabs(job, clock, first_slice)
        outputs, notes = {}, {}
        for done, contrast in enumerate(request.wanted):
            fraction = 1 - SHARE_AFTER * (1 - done / len(request.wanted))
            step = Step(clock.at(fraction, f"Bringing {contrast} back to the patient's grid"))
            notes[contrast] = job.provenance(contrast)
            outputs[contrast] = yield from attend(partial(job.finish, contrast, notes[contrast]), step)
        source_map = (yield from attend(job.finish_sources, step)) if request.source_map else None
        yield Step(clock.at(1.0, "Done"))
        return Result(
            outputs=outputs,
            request=request,
            bundle=bundle.card.id,
            device=job.runner.plan.device,
            precision=job.runner.plan.precision,
            seconds=clock.seconds,
            peak_rss_bytes=peak_rss_bytes(),
            warnings=tuple(job.warnings),
            provenance=notes,
            source_map=source_map,
        )

    def preview(self, study: Study, request: Request, display_slice: int) -> dict[str, NDArray[np.float32]]:
        """Make one displayed axial slice.

        Only the slices it needs are computed; encodings are taken from the cache and put there.

        Parameters
        ----------
        study, request
            As for :meth:`run`.
        display_slice : int
            S index on the study's display grid.

        Returns
        -------
        dict of str to ndarray of float32, shape (A, R)
            Per wanted contrast, in output units, zero outside the brain.
        """
        job = self._job(study, request, self._require(study, request))
        for contrast in request.used:
            job.prepare(contrast)
        planes = job.framing.frame.planes_for(display_slice)
        needed = [slab for slab in job.slabs if slab.start < planes.stop and slab.stop > planes.start]
        with workers(job.runner.plan.workers) as pool:
            list(pool.map(job.make, needed if planes else ()))
        return {contrast: job.plane(contrast, display_slice) for contrast in request.wanted}

    def _make_slabs(self, job: Job, clock: Stopwatch, first_slice: int | None) -> Generator[Step, None, None]:
        planes = range(0) if first_slice is None else job.framing.frame.planes_for(first_slice)
        order = outwards(job.slabs, planes[len(planes) // 2] if planes else None)
        shown = {slab for slab in order if planes and slab.start < planes.stop and slab.stop > planes.start}
        what = f"Making {', '.join(job.request.wanted)}"
        count, done = job.runner.plan.workers, 0
        with workers(count) as pool:
            try:
                for slab in follow(pool, job.make, order, ahead=2 * count):
                    done += slab.planes if slab is not None else 0
                    share = done / max(1, sum(each.planes for each in order))
                    progress = clock.at(SHARE_BEFORE + (1 - SHARE_BEFORE - SHARE_AFTER) * share, what)
                    ready = slab in shown and not (shown := shown - {slab})
                    yield Step(progress, job.planes(first_slice) if ready and first_slice is not None else {})
            finally:
                job.stop.set()

    def _require(self, study: Study, request: Request) -> Bundle:
        """Return the bundle a request will run on, or raise what is in the way."""
        here = ", ".join(study.contrasts)
        if not request.used:
            raise ContrastError("No input is switched on.", hint=f"Switch on at least one of {here}.")
        absent = [name for name in request.used if name not in study.members]
        if absent:
            raise ContrastError(f"{', '.join(absent)} is not in this study.", hint=f"It has {here}.")
        if not request.wanted:
            raise ContrastError("Nothing is asked for.", hint="Choose at least one contrast to make.")
        both = [name for name in request.wanted if name in request.used]
        if both:
            raise ContrastError(
                f"{', '.join(both)} is both an input and wanted.",
                hint="Switch it off to have it made from the others, or do not ask for it.",
            )
        if study.mask is None:
            raise no_mask(study)
        if not study.mask.array.any():
            raise InputError("The brain mask is empty.", hint=GIVE_MASK)
        if request.bundle == "auto":
            return self.store.get(self.store.default(request.used, request.wanted).id)
        bundle = self.store.get(request.bundle)
        reason = bundle.card.explain(request.used, request.wanted)
        if reason is not None:
            raise BundleError(reason, hint="Change the inputs or what to make, or choose another model.")
        return bundle

    def _job(self, study: Study, request: Request, bundle: Bundle) -> Job:
        plan = self._choose_device(request.device, request.precision)
        batch = request.batch or plan.batch

        def load(device: str, precision: str) -> Predictor:
            return self._predictor(bundle, device, precision)

        runner = Runner(load, plan, batch)
        study = without_truth(study, request.wanted, self.cache)
        framing = frame_study(study, bundle.card, self.cache)
        slabs = framing.slabs(batch, runner.predictor.multiple, runner.predictor.margin)
        return Job(study, request, bundle.card, runner, framing, slabs, self.cache)

    def _predictor(self, bundle: Bundle, device: str, precision: str) -> Predictor:
        key = (bundle.card.weights_sha256, device, precision)
        with self._loading:
            if self._loaded is None or self._loaded[0] != key:
                self._loaded = None  # the old one goes before the new one comes
                self._loaded = (key, self._load_predictor(bundle, device, precision))
            return self._loaded[1]


def _load_predictor(bundle: Bundle, device: str, precision: str) -> Predictor:
    from napari_mrsynth.systems import load_predictor

    return load_predictor(bundle, device, precision)
