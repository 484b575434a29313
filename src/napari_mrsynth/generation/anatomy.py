"""The brain that a lesion is painted into, as the generator sees it: its map of edges and its extent.

It comes from a patient's scan, without the edges of the patient's own lesions, or from a seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import InputError
from napari_mrsynth.imaging import Affine, BrainMask, Grid, LabelVolume, Source, Volume
from napari_mrsynth.preprocess.frame import WorkingFrame
from napari_mrsynth.preprocess.members import labels_on
from napari_mrsynth.preprocess.normalise import fit
from napari_mrsynth.structure import StructureSettings, default_beta
from napari_mrsynth.synthesis.device import choose
from napari_mrsynth.synthesis.slabs import MARGIN, QUANTUM
from napari_mrsynth.synthesis.workers import workers

if TYPE_CHECKING:
    from napari_mrsynth.structure.filtering import Drawn

SLICES_AT_ONCE = 8
ByteArray = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A brain to paint into.

    Attributes
    ----------
    name : str
        The patient's, or the seed's.
    brain : BrainMask
        On the native grid, (i, j, k).
    frame : WorkingFrame
        The generator's box of that grid, at its voxel size.
    structure, inside : ndarray of 0/1, (S, A, R)
        In the frame: the map without the patient's own lesions, and the (expanded) brain.
    scale : float
        What normalised intensities are multiplied by on the way back to the scan's units.
    scan : Volume or None
        Where it comes from; None for random anatomy.
    record : mapping
        How it was made; plain data.
    notes : tuple of str
        What the user should know.
    """

    name: str
    brain: BrainMask
    frame: WorkingFrame
    structure: ByteArray
    inside: ByteArray
    scale: float = 1.0
    scan: Volume | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def grid(self) -> Grid:
        """The native grid, on which labels are painted and results lie."""
        return self.frame.native

    @property
    def planes(self) -> NDArray[np.intp]:
        """The frame's axial slices that show brain."""
        return np.flatnonzero(self.inside.any(axis=(1, 2)))

    def in_frame(self, labels: LabelVolume) -> ByteArray:
        """Return labels of the native grid in the frame, by nearest voxel, (S, A, R)."""
        if self.frame.is_exact:
            return np.ascontiguousarray(labels.display[self.frame.box], dtype=np.uint8)
        from napari_mrsynth.preprocess.resample import resample

        found = resample(labels, self.frame.grid).array * (self.inside > 0)
        return np.ascontiguousarray(found, dtype=np.uint8)

    def structure_map(self) -> LabelVolume:
        """Return the map on the native grid, by nearest voxel; marked where it was drawn at random."""
        from napari_mrsynth.preprocess.resample import resample

        framed = LabelVolume(
            self.structure,
            self.frame.grid,
            f"structure map of {self.name}",
            self._source,
            labels={1: "structure"},
        )
        return resample(framed, self.grid)

    def brain_map(self) -> LabelVolume:
        """Return the brain on the native grid; marked where it was drawn at random."""
        array = self.brain.array.astype(np.uint8)
        return LabelVolume(array, self.grid, f"brain of {self.name}", self._source, labels={1: "brain"})

    @property
    def _source(self) -> Source:
        if self.scan is not None:
            return Source(format="structure", synthetic=dict(self.record) if self.scan.is_synthetic else None)
        what = "structural feature map drawn at random (Qu et al. 2020, stage 1)"
        return Source(format="synthetic", synthetic={"Synthetic": True, "what": what, **self.record})


def patient_anatomy(
    scan: Volume,
    spacing_mm: float,
    *,
    name: str = "",
    brain: BrainMask | None = None,
    lesions: LabelVolume | None = None,
    beta: float | None = None,
    expand: int = StructureSettings().expand,
) -> Anatomy:
    """Take the anatomy of a scan.

    Parameters
    ----------
    scan : Volume
        Of any contrast, on any grid.
    spacing_mm : float
        The generator's voxel size.
    name : str
        Of the patient; the scan's own by default.
    brain : BrainMask, optional
        On the scan's grid; read off the scan or computed if not given.
    lesions : LabelVolume, optional
        The patient's own, on any grid that meets the scan's: no edge is kept in them.
    beta : float, optional
        Threshold of the map; the contrast's own if not given.
    expand : int
        Voxels by which the brain grows (algorithm 2); 5 is what the generator learns with.

    Raises
    ------
    InputError
        If there is no brain, or the scan is empty or constant within it.
    GridError
        If the lesions share no space with the scan.
    """
    import torch

    from napari_mrsynth.preprocess.mask import brain_mask
    from napari_mrsynth.structure.maps import background_mask, structural_map, without_lesion

    settings = StructureSettings(default_beta(scan.contrast) if beta is None else beta, 0.0, expand)
    brain = brain_mask([scan]) if brain is None else brain
    frame = WorkingFrame.around(scan.grid, brain.array, spacing_mm, MARGIN, QUANTUM)
    raw = frame.bring_array(scan.array)
    normalisation = fit(raw, frame.mask)
    raw[~frame.mask] = 0
    of = scan.contrast or scan.name or "the scan"
    notes: tuple[str, ...] = ()
    own = None
    if lesions is not None:
        lesions, _, resampled = labels_on(scan.grid, of, lesions, "patient's own lesions")
        empty = "The patient's own lesions are empty: none removed."
        notes = (*resampled, *(() if lesions.present else (empty,)))
        own = _in_frame(lesions, frame).astype(np.int64)
    structure, inside = np.zeros(frame.shape, np.uint8), np.zeros(frame.shape, np.uint8)

    def take(start: int) -> None:
        some = slice(start, start + SLICES_AT_ONCE)
        with torch.inference_mode():
            slices = torch.from_numpy(raw[some])
            background = background_mask(slices, settings.expand) * ~torch.from_numpy(frame.mask[some])
            edges = structural_map(slices, settings.beta) * (1 - background)
            if own is not None:
                edges = without_lesion(edges, torch.from_numpy(own[some]))
            structure[some], inside[some] = edges.numpy(), (1 - background).numpy()

    with workers(choose("cpu").workers) as pool:
        list(pool.map(take, range(0, len(raw), SLICES_AT_ONCE)))
    record = {
        "from": "patient",
        "scan": scan.identity(),
        "structure": settings.as_dict(),
        "normalisation": normalisation.as_dict(),
        "brain": brain.how,
        "lesions_removed": None
        if lesions is None
        else {"name": lesions.name, "classes": list(lesions.present)},
    }
    if scan.is_synthetic:
        notes = (*notes, f"The anatomy comes from {of}, which was itself made by a model.")
    return Anatomy(
        name or scan.name or "patient",
        brain,
        frame,
        structure,
        inside,
        normalisation.scale,
        scan,
        record,
        notes,
    )


def random_slice(
    drawn: Drawn, spacing_mm: float, *, name: str, seed: int, grid: Grid | None = None
) -> Anatomy:
    """Make an anatomy of one drawn axial slice.

    Parameters
    ----------
    drawn : Drawn
        Map and brain mask, (A, R).
    spacing_mm : float
        The generator's voxel size.
    name : str
    seed : int
        What it was drawn from.
    grid : Grid, optional
        Where the slice lies, of shape (R, A, 1); about RAS 0 by default (see :func:`slice_grid`).

    Raises
    ------
    InputError
        If the drawn brain is empty.
    """
    if not drawn.brain.any():
        raise InputError(f"The seed {seed} draws no brain.", hint="Choose another seed.")
    grid = slice_grid(drawn.brain.shape, spacing_mm) if grid is None else grid
    whole = np.ascontiguousarray(drawn.brain.T[:, :, None] > 0)
    frame = WorkingFrame.around(grid, whole, spacing_mm, MARGIN, QUANTUM)
    box = frame.box
    record = {
        "from": "random",
        "seed": seed,
        "attempts": drawn.attempts,
        "outline_error": round(drawn.error, 6),
        "accepted": drawn.accepted,
    }
    refused = f"No map of seed {seed} passed the filter in {drawn.attempts} attempts: the best was taken."
    return Anatomy(
        name,
        BrainMask(whole, f"drawn with seed {seed}"),
        frame,
        np.ascontiguousarray(drawn.structure[None][box], dtype=np.uint8),
        np.ascontiguousarray(drawn.brain[None][box], dtype=np.uint8),
        record=record,
        notes=() if drawn.accepted else (refused,),
    )


def slice_grid(
    shape: tuple[int, ...], spacing_mm: float, about: Grid | None = None, display_slice: int = 0
) -> Grid:
    """Return the grid of one axial slice of shape (A, R) as (R, A, 1) voxels.

    Parameters
    ----------
    shape : (int, int)
        Voxels along A and R.
    spacing_mm : float
    about : Grid, optional
        The slice is laid into this grid's axial slice `display_slice` (display order), middle on middle; by
        default its middle is RAS 0.
    display_slice : int
    """
    tall, wide = shape
    count = np.array([wide, tall, 1])
    matrix = np.diag([spacing_mm] * 3 + [1.0])
    centre = np.zeros(3)
    if about is not None:
        shown = about.display
        middle = [display_slice, (shown.shape[1] - 1) / 2, (shown.shape[2] - 1) / 2]
        centre = shown.affine.apply(middle)
        matrix[:3, :3] = shown.affine.directions[:, ::-1] * spacing_mm
    matrix[:3, 3] = centre - matrix[:3, :3] @ ((count - 1) / 2)
    return Grid((wide, tall, 1), Affine(matrix))


def _in_frame(labels: LabelVolume, frame: WorkingFrame) -> NDArray[Any]:
    from napari_mrsynth.preprocess.resample import resample

    if frame.is_exact:
        return np.ascontiguousarray(labels.display[frame.box])
    return resample(labels, frame.grid).array
