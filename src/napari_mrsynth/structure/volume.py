"""The structural feature map of a scan: of one displayed slice, or of the whole volume on its own grid."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth import __version__
from napari_mrsynth.imaging import LabelVolume, Source, Volume
from napari_mrsynth.preprocess.members import labels_on
from napari_mrsynth.progress import Progress, Stopwatch
from napari_mrsynth.structure.settings import StructureSettings

SLICES_AT_ONCE = 8
MARGIN, STEP = 8, 16
"""Voxels kept around the brain, and of which the box about it begins at a multiple: as generators see it."""

Field = tuple[slice, slice]
_FIELDS: WeakKeyDictionary[Volume, Field] = WeakKeyDictionary()
ByteArray = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class StructureMap:
    """A scan's map and brain mask, or those that were drawn at random.

    Attributes
    ----------
    structure : LabelVolume
        1 on edges, on the scan's own grid.
    brain : LabelVolume
        1 inside the (expanded) brain, on the same grid.
    settings : StructureSettings or None
        None for a map that was drawn.
    provenance : dict
        How it was made; plain data.
    notes : tuple of str
        What the user should know.
    """

    structure: LabelVolume
    brain: LabelVolume
    settings: StructureSettings | None
    provenance: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def edge_share(self) -> float:
        """Share of the brain's voxels that are edges, 0 where there is no brain."""
        inside = int(np.count_nonzero(self.brain.array))
        return float(np.count_nonzero(self.structure.array)) / inside if inside else 0.0


def map_plane(
    volume: Volume, index: int, settings: StructureSettings, lesions: LabelVolume | None = None
) -> tuple[ByteArray, ByteArray]:
    """Return the map and the brain mask of one axial slice.

    Parameters
    ----------
    volume : Volume
    index : int
        The slice, in display order (S).
    settings : StructureSettings
    lesions : LabelVolume, optional
        On the scan's grid (see :func:`napari_mrsynth.preprocess.members.labels_on`); no edge is kept in them.

    Returns
    -------
    structure, brain : ndarray of uint8, shape (A, R)
        The same bits as this slice of :func:`map_volume`.
    """
    chosen = slice(index, index + 1)
    structure, brain = _maps(volume, chosen, settings, lesions)
    return structure[0], brain[0]


def map_volume(
    volume: Volume, settings: StructureSettings, lesions: LabelVolume | None = None
) -> Generator[Progress, None, StructureMap]:
    """Make the map of every axial slice; each step of the generator is a few slices.

    Parameters
    ----------
    volume : Volume
        A scan on any grid, oblique ones included: slices are taken along its own axis nearest to S.
    settings : StructureSettings
    lesions : LabelVolume, optional
        On any grid that meets the scan's; nearest voxels are taken, and a note says so.

    Raises
    ------
    GridError
        If the lesions share no space with the scan.
    """
    name = volume.contrast or volume.name or "the scan"
    notes: tuple[str, ...] = ()
    if lesions is not None:
        lesions, _, resampled = labels_on(volume.grid, name, lesions, "lesion labels")
        notes = (*resampled, *(() if lesions.present else ("The lesion labels are empty: nothing removed.",)))
    shape = volume.grid.display.shape
    structure, brain = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    watch = Stopwatch()
    for start in range(0, shape[0], SLICES_AT_ONCE):
        yield watch.at(start / shape[0], f"Structure map of {name}")
        chosen = slice(start, min(start + SLICES_AT_ONCE, shape[0]))
        structure[chosen], brain[chosen] = _maps(volume, chosen, settings, lesions)
    record = _provenance(volume, settings, lesions)
    source = Source(format="structure", synthetic=record if volume.is_synthetic else None)
    grid = volume.grid
    made = StructureMap(
        LabelVolume(
            grid.from_display(structure), grid, f"structure map of {name}", source, labels={1: "structure"}
        ),
        LabelVolume(grid.from_display(brain), grid, f"brain mask of {name}", source, labels={1: "brain"}),
        settings,
        record,
        notes,
    )
    if not made.structure.present:
        made = StructureMap(made.structure, made.brain, settings, record, (*notes, _no_edges(settings)))
    return made


def _maps(
    volume: Volume, chosen: slice, settings: StructureSettings, lesions: LabelVolume | None
) -> tuple[ByteArray, ByteArray]:
    """Return maps and brain masks of some display slices, shape (S, A, R)."""
    import torch

    from napari_mrsynth.structure.maps import background_mask, structural_map, without_lesion

    planes = np.array(volume.display[chosen], dtype=np.float32)
    _, along_a, along_r = volume.grid.display.spacing
    with torch.no_grad():
        slices = torch.from_numpy(planes)
        background = background_mask(slices, settings.expand)
        structure = structural_map(
            slices,
            settings.beta,
            blur_mm=settings.blur_mm,
            spacing_mm=(along_a, along_r),
            field=field_of(volume),
        )
        structure = structure * (1.0 - background)
        if lesions is not None:
            labels = torch.from_numpy(np.array(lesions.display[chosen], dtype=np.int64))
            structure = without_lesion(structure, labels)
        return structure.to(torch.uint8).numpy(), (1.0 - background).to(torch.uint8).numpy()


def field_of(volume: Volume) -> Field:
    """Return the rows and columns (A, R) around all that a scan shows, over which a map's means are taken.

    Air around a head then does not change its map, and a skull-stripped scan at a generator's voxel size has
    the map that the generator draws from. A scan that shows nothing has all of its field.
    """
    known = _FIELDS.get(volume)
    if known is None:
        shown: NDArray[np.bool_] = np.any(volume.display > 0, axis=0)
        rows, columns = _around(shown.max(axis=1)), _around(shown.max(axis=0))
        known = _FIELDS[volume] = rows, columns
    return known


def _around(shown: NDArray[np.bool_]) -> slice:
    where = np.flatnonzero(shown)
    if not where.size:
        return slice(None)
    return slice(max(int(where[0]) - MARGIN, 0) // STEP * STEP, min(int(where[-1]) + 1 + MARGIN, len(shown)))


def _no_edges(settings: StructureSettings) -> str:
    return f"No edge was found at beta {settings.beta:g}: lower it, or the blur."


def _provenance(volume: Volume, settings: StructureSettings, lesions: LabelVolume | None) -> dict[str, Any]:
    return {
        "what": "structural feature map (Qu et al. 2020, algorithms 1 and 2)",
        "software": {"name": "napari-mrsynth", "version": __version__},
        "made_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "scan": volume.identity(),
        "settings": settings.as_dict(),
        "slices": "axial, rows to the patient's front, columns to the patient's right",
        "lesions_removed": None
        if lesions is None
        else {"name": lesions.name, "classes": list(lesions.present)},
    }
