"""What comes out: the made contrasts with their provenance, and the steps on the way there."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.imaging import LabelVolume, Volume
from napari_mrsynth.progress import Progress
from napari_mrsynth.synthesis.request import Request


@dataclass(frozen=True)
class Step:
    """One sign of life of a running synthesis.

    Attributes
    ----------
    progress : Progress
        How far it is.
    planes : mapping of str to (int, ndarray)
        Displayed axial slices that are finished: contrast to the S index on the study's display grid and the
        plane, float32 (A, R), in output units. Empty in most steps.
    """

    progress: Progress
    planes: Mapping[str, tuple[int, NDArray[np.float32]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """A finished synthesis.

    Attributes
    ----------
    outputs : mapping of str to Volume
        Each wanted contrast on the study's native grid (i, j, k), float32, zero outside the brain.
    request : Request
        As asked.
    bundle : str
        Id of the model that was used.
    device, precision : str
        Where it ended up running, and in what.
    seconds : float
        From the start to the last voxel.
    peak_rss_bytes : int or None
        Most memory that the process has held up to the end of the run; None where the system does not say.
    warnings : tuple of str
        What the user should know.
    provenance : mapping of str to mapping
        Per output, plain JSON-able data.
    source_map : LabelVolume or None
        Which input supplied most of each voxel, where it was asked for.
    """

    outputs: Mapping[str, Volume]
    request: Request
    bundle: str
    device: str
    precision: str
    seconds: float
    peak_rss_bytes: int | None
    warnings: tuple[str, ...]
    provenance: Mapping[str, Mapping[str, Any]]
    source_map: LabelVolume | None = None


def peak_rss_bytes() -> int | None:
    """Return the most resident memory this process has held so far, in bytes; None on Windows."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024
