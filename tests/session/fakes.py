"""Stand-ins for what a session talks to: an engine that averages its inputs, an executor run by hand."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from napari_mrsynth.bundles import Card
from napari_mrsynth.errors import BundleError, DeviceError
from napari_mrsynth.imaging import LabelVolume, Source, Study, Volume
from napari_mrsynth.progress import Progress
from napari_mrsynth.session import Job, Parts
from napari_mrsynth.session.job import drive
from napari_mrsynth.synthesis import Request, Result, Step

FOUR = ("T1w", "T1ce", "T2w", "FLAIR")


def card(identity: str = "mean", inputs: Sequence[str] = FOUR, outputs: Sequence[str] = FOUR) -> Card:
    """A card of a model that averages."""
    return Card(
        id=identity,
        title=f"The {identity} of what is there",
        summary="Averages its inputs.",
        system="anysubset",
        network={"name": "anysubset"},
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        spacing_mm=1.0,
        neighbours=0,
        normalisation={"method": "foreground-mean"},
        licence="CC0",
        results={"psnr_db": 20.5},
    )


class FakeStore:
    """Models by their cards."""

    def __init__(self, *cards: Card) -> None:
        self._cards = list(cards or (card(),))

    def cards(self) -> list[Card]:
        return self._cards

    def synthesisers(self) -> list[Card]:
        return self._cards

    def default(self, inputs: Sequence[str], wanted: Sequence[str]) -> Card:
        for each in self._cards:
            if each.explain(inputs, wanted) is None:
                return each
        raise BundleError("No model can.")


@dataclass
class FakeEngine:
    """Makes the mean of the inputs, slice after slice, and remembers what it was asked."""

    slices: int = 4
    fails: Exception | None = None
    closed: int = 0
    previews: list[tuple[Request, int]] = field(default_factory=list)

    def check(self, study: Study, request: Request) -> str | None:
        return card().explain(request.used, request.wanted) if request.bundle == "auto" else None

    def run(
        self, study: Study, request: Request, first_slice: int | None = None
    ) -> Generator[Step, None, Result]:
        try:
            mean = self._mean(study, request)
            for count in range(self.slices):
                planes = {}
                if count == 0 and first_slice is not None:
                    plane = study.grid.as_display(mean)[first_slice]
                    planes = dict.fromkeys(request.wanted, (first_slice, plane))
                yield Step(Progress(count / self.slices, "Making", 2.0), planes)
            if self.fails is not None:
                raise self.fails
            notes = {c: {"model": "mean", "inputs": list(request.used)} for c in request.wanted}
            outputs = {c: self._volume(study, mean, c, notes[c]) for c in request.wanted}
            sources = self._sources(study, request) if request.source_map else None
            return Result(
                outputs, request, "mean", "cpu", "fp32", 1.5, 10**9, ("A warning.",), notes, sources
            )
        finally:
            self.closed += 1

    def preview(self, study: Study, request: Request, display_slice: int) -> Mapping[str, np.ndarray]:
        self.previews.append((request, display_slice))
        plane = study.grid.as_display(self._mean(study, request))[display_slice]
        return dict.fromkeys(request.wanted, plane)

    @staticmethod
    def _mean(study: Study, request: Request) -> np.ndarray:
        return np.mean([study.volume(c).array for c in request.used], axis=0).astype(np.float32)

    @staticmethod
    def _sources(study: Study, request: Request) -> LabelVolume:
        source = Source(format="synthetic", synthetic={"model": "mean", "contrast": "source map"})
        array = np.ones(study.grid.shape, np.uint8)
        return LabelVolume(array, study.grid, "Source map", source, labels={1: request.used[0]})

    @staticmethod
    def _volume(study: Study, array: np.ndarray, contrast: str, notes: Mapping[str, Any]) -> Volume:
        source = Source(format="synthetic", synthetic=notes)
        return Volume(array.copy(), study.grid, f"{contrast} (synthetic)", source, contrast=contrast)


class HandExecutor:
    """Holds jobs until a test lets them take a step."""

    asynchronous = True

    def __init__(self) -> None:
        self.waiting: list[tuple[Job[Any], Generator[Any, None, Any]]] = []

    def run(self, job: Job[Any]) -> None:
        self.waiting.append((job, drive(job)))

    def step(self) -> bool:
        """Let the oldest job take one step; False when that was its end."""
        job, steps = self.waiting[0]
        try:
            job.on_step(next(steps))
        except StopIteration as end:
            self.waiting.pop(0)
            job.on_end(end.value)
            return False
        return True

    def finish(self) -> None:
        """Let every job run to its end."""
        while self.waiting:
            self.step()


def parts(study: Study | None = None, engine: FakeEngine | None = None, **others: Any) -> Parts:
    """Parts with a fake engine and store; reading anything gives the volumes of `study`."""
    made = engine or FakeEngine()
    store = others.pop("store", FakeStore())

    def read(specs: Sequence[object]) -> Any:
        assert study is not None
        volumes = tuple(member.native for member in study.members.values())
        return SimpleNamespace(
            name=study.name, volumes=volumes, mask=None, lesions=study.lesions, notes=("a note",), skipped=()
        )

    return Parts(
        read=read,
        engine=lambda cache_bytes: made,
        store=lambda: store,
        device=lambda device, precision: "cpu, fp32",
        **others,
    )


NO_GPU = DeviceError("There is no GPU here.", hint="Choose CPU.")
