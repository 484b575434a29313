"""The port through which painted lesions become images: what the studio asks of a generator."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Protocol

from napari_mrsynth.imaging import LabelVolume, Volume
from napari_mrsynth.progress import Progress


class LesionGenerator(Protocol):
    """Makes registered contrasts of one anatomy with the lesions that were painted."""

    @property
    def contrasts(self) -> Sequence[str]:
        """What it can make."""

    def generate(
        self, labels: LabelVolume, anatomy: Volume, wanted: Sequence[str]
    ) -> Generator[Progress, None, Mapping[str, Volume]]:
        """Make the wanted contrasts on the grid of `anatomy`, each with its provenance.

        Parameters
        ----------
        labels : LabelVolume
            Lesions, on that grid.
        anatomy : Volume
            The scan that gives the structure.
        wanted : sequence of str
        """
