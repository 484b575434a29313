"""What comes of a painted lesion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from napari_mrsynth.generation.anatomy import Anatomy
from napari_mrsynth.generation.check import Check
from napari_mrsynth.generation.painted import Painted
from napari_mrsynth.imaging import Volume


@dataclass(frozen=True, eq=False)
class Generated:
    """Registered contrasts of one anatomy with painted lesions.

    Every volume lies on the anatomy's native grid, is 0 outside its brain, and carries its provenance.

    Attributes
    ----------
    outputs : mapping of str to Volume
        By contrast.
    anatomy : Anatomy
    painted : Painted
    healthy, difference : mapping of str to Volume
        The same anatomy without the lesion, and `outputs` minus it; empty where it was not asked for.
    structure_f1 : mapping of str to float
        How well the map made again of each contrast agrees with the given one, lesion left out, 0 to 1.
    bundle, device, precision : str
        What made it, and where.
    seconds : float
    warnings : tuple of str
        What the user should know.
    check : Check or None
        What a segmenter found in it, where it was asked.
    """

    outputs: Mapping[str, Volume]
    anatomy: Anatomy
    painted: Painted
    healthy: Mapping[str, Volume]
    difference: Mapping[str, Volume]
    structure_f1: Mapping[str, float]
    bundle: str
    device: str
    precision: str
    seconds: float
    warnings: tuple[str, ...] = ()
    check: Check | None = field(default=None)
