"""Whose scan a layer shows, so far as its file tells: two patients may lie in one viewer, on equal grids."""

from __future__ import annotations

from napari_mrsynth.imaging.volume import Volume
from napari_mrsynth.io.naming import patient_of_scans


def patient_name(scan: Volume) -> str:
    """Return the patient's name as its file or folder tells it; empty for a scan that is in no file."""
    path = scan.source.path
    return "" if path is None else patient_of_scans(path, (path,))


def of_one_patient(one: Volume, other: Volume) -> bool:
    """Whether two scans lie on one grid and are of one patient, so far as their files tell."""
    return one.grid.same_as(other.grid) and patient_name(one) == patient_name(other)
