"""One model on one study: slabs are encoded or recalled, decoded, and put together on the patient's grid."""

from __future__ import annotations

from collections.abc import Hashable
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.bundles import Card
from napari_mrsynth.imaging import LabelVolume, Source, Study, Volume
from napari_mrsynth.imaging.known_voxels import remembered
from napari_mrsynth.synthesis.cache import ByteCache
from napari_mrsynth.synthesis.inputs import FramedInput, Framing, frame_input
from napari_mrsynth.synthesis.provenance import provenance
from napari_mrsynth.synthesis.request import Request
from napari_mrsynth.synthesis.runner import Runner
from napari_mrsynth.synthesis.slabs import Slab, put, take

if TYPE_CHECKING:
    from torch import Tensor

THICK = 2.0
"""Slices more than this many times the model's voxel size are called thick."""

WHOLE_BRAIN = 0.95
"""Scans that show less of the brain than this are said to show a part of it."""


class Job:
    """What a request needs, and what of it is finished.

    Every input is prepared before the first slab is made; slabs may be made in several threads at once.

    Parameters
    ----------
    study, request : Study, Request
        What to make from what; checked before.
    card : Card
        Of the model.
    runner : Runner
        The model at work.
    framing : Framing
        The model's frame on the study.
    slabs : list of Slab
        What there is to compute.
    cache : ByteCache
        Of encodings and prepared inputs.

    Attributes
    ----------
    stop : Event
        Once it is set, slabs that are under way end at their next encoding, unfinished.
    """

    def __init__(
        self,
        study: Study,
        request: Request,
        card: Card,
        runner: Runner,
        framing: Framing,
        slabs: list[Slab],
        cache: ByteCache,
    ) -> None:
        self.study, self.request, self.card, self.runner = study, request, card, runner
        self.framing, self.slabs, self.cache = framing, slabs, cache
        self.stop = Event()
        self._inputs: dict[str, FramedInput] = {}
        shape = framing.frame.shape
        self._made = {contrast: np.zeros(shape, np.float32) for contrast in request.wanted}
        self._sources = np.zeros(shape, np.uint8) if request.source_map else None
        # The wanted contrast's own scale is never used: where that contrast is here, it is the truth.
        self.units_of = study.reference if study.reference in request.used else request.used[0]

    def prepare(self, contrast: str) -> None:
        """Bring one input into the model's frame (errors as for :func:`frame_input`)."""
        self._inputs[contrast] = frame_input(self.study, contrast, self.card, self.framing, self.cache)

    def make(self, slab: Slab) -> None:
        """Encode a slab of every input, or recall it, and decode what is wanted."""
        latents: dict[str, Tensor] = {}
        for contrast in self._inputs:
            if self.stop.is_set():
                return
            latents[contrast] = self._latent(contrast, slab)
        for contrast, planes in self.runner.decode(latents, self.request.wanted).items():
            put(self._made[contrast], slab, planes)
        if self._sources is not None:
            put(self._sources, slab, self.runner.sources(latents) + 1)

    def _latent(self, contrast: str, slab: Slab) -> Tensor:
        framed = self._inputs[contrast]
        key: Hashable = (
            "latent",
            self.card.weights_sha256,
            self.runner.plan.precision,
            contrast,
            framed.key,
            slab,
        )
        latent: Tensor | None = self.cache.get(key)
        if latent is None:
            latent = self.runner.encode(contrast, take(framed.array, slab, self.card.neighbours))
            self.cache.put(key, latent, latent.nbytes)
        return latent

    def plane(self, contrast: str, display_slice: int) -> NDArray[np.float32]:
        """Return one displayed axial slice, (A, R), in output units, zero outside the brain."""
        frame, mask = self.framing.frame, self.study.mask
        needed = frame.planes_for(display_slice)
        planes = self._in_units(self._made[contrast][needed.start : needed.stop])
        plane = frame.bring_back_plane(planes, display_slice)
        if mask is not None:
            plane[~self.study.grid.as_display(mask.array)[display_slice].astype(bool)] = 0
        return plane

    def planes(self, display_slice: int) -> dict[str, tuple[int, NDArray[np.float32]]]:
        """Return one displayed axial slice of every wanted contrast."""
        return {c: (display_slice, self.plane(c, display_slice)) for c in self.request.wanted}

    def finish(self, contrast: str, notes: dict[str, Any]) -> Volume:
        """Return a finished contrast on the study's native grid and free its working copy."""
        array = self.framing.frame.bring_back(self._in_units(self._made.pop(contrast)))
        self._clear_outside(array)
        reference = self.study.members[self.study.reference].native
        source = Source(format="synthetic", header=reference.source.header, synthetic=notes)
        name = f"{contrast} (synthetic)"
        return remembered(Volume(array, self.study.grid, name, source, contrast=contrast))

    def finish_sources(self) -> LabelVolume | None:
        """Return the source map on the study's native grid, or None where it was not asked for."""
        if self._sources is None:
            return None
        from napari_mrsynth.preprocess.resample import resample

        working = LabelVolume(
            self._sources,
            self.framing.frame.grid,
            name="Source map",
            labels={index + 1: contrast for index, contrast in enumerate(self._inputs)},
        )
        native = resample(working, self.study.grid)
        array = np.array(native.array)
        self._clear_outside(array)
        made = self.provenance(self.request.wanted[0]) | {"contrast": "source map"}
        source = Source(format="synthetic", synthetic=made)
        return LabelVolume(array, self.study.grid, working.name, source, labels=working.labels)

    def provenance(self, contrast: str) -> dict[str, Any]:
        """Return how `contrast` was made (see :func:`~napari_mrsynth.synthesis.provenance.provenance`)."""
        normalisations = {name: framed.normalisation for name, framed in self._inputs.items()}
        return provenance(
            contrast,
            self.study,
            self.request,
            self.card,
            self.runner.plan,
            self.framing.frame,
            normalisations,
            self.units_of,
        )

    @property
    def warnings(self) -> list[str]:
        """What the user should know about this run."""
        warnings = list(self.runner.warnings)
        for contrast in self.request.used:
            native = self.study.members[contrast].native
            if native.is_synthetic:
                warnings.append(f"{contrast} ({native.name}) was itself made by a model.")
            thickest = max(native.grid.spacing)
            if thickest > THICK * self.card.spacing_mm:
                warnings.append(
                    f"{contrast} has voxels of up to {thickest:.1f} mm; "
                    f"the model was trained at {self.card.spacing_mm:g} mm."
                )
            framed = self._inputs.get(contrast)
            if framed is not None and framed.coverage < WHOLE_BRAIN:
                warnings.append(
                    f"{contrast} shows only {framed.coverage:.0%} of the brain; "
                    "elsewhere the result is made without it."
                )
        return warnings

    def _in_units(self, normalised: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._inputs[self.units_of].normalisation.invert(normalised)

    def _clear_outside(self, array: NDArray[Any]) -> None:
        if self.study.mask is not None:
            array[~self.study.mask.array.astype(bool)] = 0
