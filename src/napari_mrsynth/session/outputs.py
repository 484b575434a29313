"""What was made of a patient: the latest image of each contrast, and which of them nobody has saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_mrsynth.io.naming import SOURCE_MAP

if TYPE_CHECKING:
    from napari_mrsynth.imaging.volume import LabelVolume, Volume
    from napari_mrsynth.synthesis import Result


@dataclass(frozen=True, eq=False)
class Output:
    """One image that a synthesis made.

    Attributes
    ----------
    image : Volume or LabelVolume
    provenance : mapping or None
        How it was made; None where that is in the image.
    run : int
        Which synthesis of the patient made it.
    """

    image: Volume | LabelVolume
    provenance: Mapping[str, object] | None
    run: int


class Outputs:
    """The images of all syntheses of a patient, by contrast; a later one takes an earlier one's place.

    Invariant: a source map is here only while an image of its synthesis is.
    """

    def __init__(self) -> None:
        self._made: dict[str, Output] = {}
        self._unsaved: set[str] = set()
        self._run = 0
        self.last: Result | None = None

    @property
    def unsaved(self) -> tuple[str, ...]:
        """The names of what is not saved yet, the earliest first."""
        return tuple(name for name in self._made if name in self._unsaved)

    @property
    def to_save(self) -> dict[str, Output]:
        """What the next saving writes: what is not saved yet, and all of the last synthesis."""
        return {
            name: output
            for name, output in self._made.items()
            if name in self._unsaved or output.run == self._run
        }

    def add(self, result: Result) -> None:
        """Take up what a synthesis made; nothing of it is saved."""
        self.last = result
        self._run += 1
        for contrast, volume in result.outputs.items():
            self._take(contrast, Output(volume, result.provenance.get(contrast), self._run))
        if result.source_map is not None:
            self._take(SOURCE_MAP, Output(result.source_map, result.provenance.get(SOURCE_MAP), self._run))
        self._forget_stale_map()

    def saved(self, names: Iterable[str]) -> None:
        """Remember that images were saved."""
        self._unsaved.difference_update(names)

    def _take(self, name: str, output: Output) -> None:
        self._made.pop(name, None)
        self._made[name] = output
        self._unsaved.add(name)

    def _forget_stale_map(self) -> None:
        source_map = self._made.get(SOURCE_MAP)
        runs = {output.run for name, output in self._made.items() if name != SOURCE_MAP}
        if source_map is not None and source_map.run not in runs:
            del self._made[SOURCE_MAP]
            self._unsaved.discard(SOURCE_MAP)
