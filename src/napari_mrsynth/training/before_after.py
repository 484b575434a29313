"""A picture of a fine-tuning: a slice kept aside as it was made before and after, beside the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.training.aside import Aside
from napari_mrsynth.training.samples import OFF, montage, top

if TYPE_CHECKING:
    from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork
    from napari_mrsynth.training.adapt import Pair


@dataclass(frozen=True)
class BeforeAfter:
    """One slice of what was kept aside, each contrast made from all the others.

    Attributes
    ----------
    aside : Aside
    requests : tuple of (subset, target)
        One of each target.
    plane : int
        The slice kept aside that shows most brain.
    """

    aside: Aside
    requests: tuple[Pair, ...]
    plane: int

    @classmethod
    def of(cls, aside: Aside, requests: Sequence[Pair]) -> BeforeAfter:
        """Choose the slice, and of every target's subsets the largest."""
        largest: dict[str, Pair] = {}
        for subset, target in requests:
            if target not in largest or len(subset) > len(largest[target][0]):
                largest[target] = (subset, target)
        brain = aside.judge.mask[aside.planes].sum(axis=(1, 2))
        return cls(aside, tuple(largest.values()), int(aside.planes[int(brain.argmax())]))

    def made(self, network: AnySubsetNetwork) -> dict[Pair, NDArray[np.float32]]:
        """Return the slice (A, R) that a network makes for each request, in normalised units."""
        from napari_mrsynth.systems.anysubset.predictor import AnySubsetPredictor
        from napari_mrsynth.training.heldout import synthesise

        planes = np.array([self.plane])
        predictor = AnySubsetPredictor(deepcopy(network))
        found = synthesise(predictor, self.aside.judge, self.requests, planes=planes)
        return {request: image[self.plane] for request, image in found.items()}

    def draw(
        self,
        path: Path,
        before: Mapping[Pair, NDArray[np.float32]],
        after: Mapping[Pair, NDArray[np.float32]],
    ) -> None:
        """Draw truth, before, after and how far each is off, a row per contrast, as a PNG.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        patient, rows = self.aside.judge, []
        for request in self.requests:
            target = request[1]
            truth = patient.volume(target)[self.plane] * patient.mask[self.plane]
            white = top(patient, target)
            rows.append(
                [
                    (f"{target} true", truth, "gray", white),
                    ("made before", before[request], "gray", white),
                    ("made after", after[request], "gray", white),
                    ("off before", np.abs(before[request] - truth), "magma", white / OFF),
                    ("off after", np.abs(after[request] - truth), "magma", white / OFF),
                ]
            )
        montage(path, rows, f"{patient.subject}, each from the other contrasts")
