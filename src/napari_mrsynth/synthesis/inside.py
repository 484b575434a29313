"""Inside a synthesis: what each input alone would give, and the latents that are fused, for one slice.

Joyce et al. 2017 show both (figures 2 and 4): an input whose own decoding lacks a lesion cannot have
supplied it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import BundleError, InputError
from napari_mrsynth.imaging import Affine, Grid, LabelVolume, Study
from napari_mrsynth.preprocess.mask import no_mask
from napari_mrsynth.synthesis.engine import Engine
from napari_mrsynth.synthesis.job import Job
from napari_mrsynth.synthesis.request import Request
from napari_mrsynth.synthesis.slabs import Slab, put

if TYPE_CHECKING:
    from torch import Tensor

Planes = Mapping[str, NDArray[np.float32]]
ALL = "all inputs"


@dataclass(frozen=True)
class Inside:
    """One displayed axial slice of what happens inside.

    Attributes
    ----------
    display_slice : int
        S index on the study's display grid.
    grid : Grid
        Of that slice alone, axes (S, A, R), one voxel along S.
    decodings : mapping of str to mapping of str to ndarray, shape (A, R)
        By wanted contrast, then by input: the image made from that input alone, and from ``all inputs``; in
        the output's units.
    latents : mapping of str to ndarray, shape (channels, A, R)
        By input, after alignment; without a unit.
    fused : ndarray, shape (channels, A, R)
        What is decoded.
    sources : ndarray of uint8, shape (A, R)
        Which input supplied most of each voxel, from 1 in the order of `latents`; 0 outside the brain.
    provenance : mapping
        How it was made, as plain data.
    """

    display_slice: int
    grid: Grid
    decodings: Mapping[str, Planes]
    latents: Planes
    fused: NDArray[np.float32]
    sources: NDArray[np.uint8]
    provenance: Mapping[str, Any]


def look_inside(engine: Engine, study: Study, request: Request, display_slice: int) -> Inside:
    """Open up one displayed axial slice of a synthesis; encodings are taken from the engine's cache.

    Parameters
    ----------
    engine : Engine
    study, request
        As for :meth:`Engine.run`.
    display_slice : int
        S index on the study's display grid.

    Raises
    ------
    InputError
        What :meth:`Engine.check` says, or if the slice shows no brain.
    BundleError
        If the model's system does not fuse latents.
    """
    bundle = engine._require(study, request)
    _require_brain(study, display_slice)
    job = engine._job(study, request, bundle)
    network = getattr(job.runner.predictor, "network", None)
    if not hasattr(network, "fuse"):
        raise BundleError(
            f"The model {bundle.card.id!r} has no latents to show: its system is {bundle.card.system!r}.",
            hint="Choose an any-subset model.",
        )
    for contrast in request.used:
        job.prepare(contrast)
    working = _Working(job, display_slice)
    for slab in working.slabs:
        latents = {contrast: job._latent(contrast, slab) for contrast in request.used}
        subsets = {**{contrast: {contrast: z} for contrast, z in latents.items()}, ALL: latents}
        for name, subset in subsets.items():
            for wanted, made in job.runner.decode(subset, request.wanted).items():
                put(working.of(f"{wanted}/{name}"), slab, made)
        for name, channels in _channels(job, latents).items():
            for number, channel in enumerate(channels):
                put(working.of(f"{name}/{number:03d}"), slab, channel)
        put(working.sources, slab, job.runner.sources(latents) + 1)
    return Inside(
        display_slice,
        working.grid,
        {wanted: working.planes(wanted, in_units=True) for wanted in request.wanted},
        {contrast: working.stack(f"latent of {contrast}") for contrast in request.used},
        working.stack("fused"),
        working.source_plane(),
        job.provenance(request.wanted[0]),
    )


def most_brain(study: Study) -> int:
    """Return the displayed axial slice of a study that shows most of its brain.

    Raises
    ------
    InputError
        If the study has no brain mask.
    """
    return int(_brain_by_slice(study).argmax())


def _require_brain(study: Study, display_slice: int) -> None:
    voxels = _brain_by_slice(study)
    if 0 <= display_slice < len(voxels) and voxels[display_slice]:
        return
    shown = np.flatnonzero(voxels)
    raise InputError(
        f"The axial slice {display_slice} shows no brain.",
        hint=f"Choose one from {shown[0]} to {shown[-1]}, counted from the lowest, which is 0.",
    )


def _brain_by_slice(study: Study) -> NDArray[np.integer]:
    if study.mask is None:
        raise no_mask(study)
    counts: NDArray[np.integer] = np.count_nonzero(study.grid.as_display(study.mask.array), axis=(1, 2))
    return counts


class _Working:
    """Arrays in the model's frame, by name, and their displayed slice.

    Parameters
    ----------
    job : Job
    display_slice : int
    """

    def __init__(self, job: Job, display_slice: int) -> None:
        self._job, self._slice = job, display_slice
        self._arrays: dict[str, NDArray[np.float32]] = {}
        self.sources = np.zeros(job.framing.frame.shape, np.uint8)

    @property
    def slabs(self) -> list[Slab]:
        """What has to be computed for the slice; at least one, whatever the model's voxel size."""
        planes = self._job.framing.frame.planes_for(self._slice)
        found = [slab for slab in self._job.slabs if slab.start < planes.stop and slab.stop > planes.start]
        return found if planes and found else self._job.slabs[:1]

    @property
    def grid(self) -> Grid:
        """Where the slice lies."""
        shown = self._job.study.grid.display
        matrix = shown.affine.matrix.copy()
        matrix[:3, 3] = shown.affine.apply((self._slice, 0, 0))
        return Grid((1, shown.shape[1], shown.shape[2]), Affine(matrix))

    def of(self, name: str) -> NDArray[np.float32]:
        """Return an array to be filled, shape (S, A, R)."""
        if name not in self._arrays:
            self._arrays[name] = np.zeros(self._job.framing.frame.shape, np.float32)
        return self._arrays[name]

    def planes(self, group: str, *, in_units: bool) -> dict[str, NDArray[np.float32]]:
        """Return the displayed slice of every array named ``group/...``, by what follows."""
        return {
            name.removeprefix(f"{group}/"): self._plane(array, in_units)
            for name, array in sorted(self._arrays.items())
            if name.startswith(f"{group}/")
        }

    def stack(self, group: str) -> NDArray[np.float32]:
        """Return the displayed slices of a group, shape (count, A, R)."""
        return np.stack(list(self.planes(group, in_units=False).values()))

    def source_plane(self) -> NDArray[np.uint8]:
        """Return the displayed slice of `sources`, shape (A, R)."""
        from napari_mrsynth.preprocess.resample import resample

        working = LabelVolume(self.sources, self._job.framing.frame.grid)
        plane = np.array(resample(working, self.grid).array[0])
        self._clear_outside(plane)
        return plane

    def _plane(self, array: NDArray[np.float32], in_units: bool) -> NDArray[np.float32]:
        job, needed = self._job, self._job.framing.frame.planes_for(self._slice)
        planes = array[needed.start : needed.stop]
        if in_units:
            planes = job._in_units(planes)
        plane = job.framing.frame.bring_back_plane(planes, self._slice)
        self._clear_outside(plane)
        return plane

    def _clear_outside(self, plane: NDArray[Any]) -> None:
        study = self._job.study
        if study.mask is not None:
            plane[~study.grid.as_display(study.mask.array)[self._slice].astype(bool)] = 0


def _channels(job: Job, latents: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    """Return every aligned latent and the fused one, each of shape (channels, B, H, W)."""
    import torch

    predictor: Any = job.runner.predictor  # of the any-subset system: it has latents to fuse
    network = predictor.network
    with torch.inference_mode():
        aligned = predictor.aligned(latents)
        parts = [network.unpacked(z) for z in (*aligned, network.fuse(aligned))]
    names = [*(f"latent of {contrast}" for contrast in latents), "fused"]
    return {
        name: np.ascontiguousarray(z.float().cpu().numpy().swapaxes(0, 1))
        for name, z in zip(names, parts, strict=True)
    }
