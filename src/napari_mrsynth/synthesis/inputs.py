"""The inputs as a model sees them: in its frame, normalised, nothing outside the brain."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.bundles import Card
from napari_mrsynth.imaging import BrainMask, Study
from napari_mrsynth.preprocess.frame import WorkingFrame
from napari_mrsynth.preprocess.normalise import Normalisation, fit
from napari_mrsynth.preprocess.study_mask import unseen
from napari_mrsynth.synthesis.cache import ByteCache
from napari_mrsynth.synthesis.slabs import MARGIN, QUANTUM, Slab, plan_slabs


@dataclass(frozen=True)
class FramedInput:
    """One contrast, ready to be encoded.

    Attributes
    ----------
    key : hashable
        Equal for equal voxels in an equal frame.
    array : ndarray of float32, shape (S, A, R)
        Normalised; zero outside the brain.
    normalisation : Normalisation
        How it was normalised.
    coverage : float
        Share of the brain that lies in the scan's field of view, 0 to 1.
    """

    key: Hashable
    array: NDArray[np.float32]
    normalisation: Normalisation
    coverage: float = 1.0


@dataclass(frozen=True)
class Framing:
    """A model's frame on a study.

    Attributes
    ----------
    key : hashable
        Equal for equal frames.
    frame : WorkingFrame
    """

    key: Hashable
    frame: WorkingFrame
    _slabs: dict[tuple[int, int, int], list[Slab]] = field(default_factory=dict)

    def slabs(self, size: int, multiple: int, margin: int) -> list[Slab]:
        """Return the frame cut into slabs (see :func:`~napari_mrsynth.synthesis.slabs.plan_slabs`)."""
        key = (size, multiple, margin)
        if key not in self._slabs:
            self._slabs[key] = plan_slabs(self.frame.mask, *key)
        return self._slabs[key]


def without_truth(study: Study, wanted: Sequence[str], cache: ByteCache) -> Study:
    """Return the study with a brain mask in which scans of what is wanted had no part.

    They are the truth that a result is compared with; nothing of them may reach it.
    """
    truths = sorted(set(wanted) & set(study.members))
    if study.mask is None or not truths:
        return study
    scans = [(c, m.native.fingerprint, m.motion.matrix.tobytes()) for c, m in study.members.items()]
    key = ("mask", study.mask.fingerprint, tuple(scans), tuple(truths))
    mask: BrainMask | None = cache.get(key)
    if mask is None:
        mask = unseen(study, truths).mask
        if mask is not None:
            cache.put(key, mask, mask.array.nbytes)
    return replace(study, mask=mask)


def frame_study(study: Study, card: Card, cache: ByteCache) -> Framing:
    """Lay a model's frame around a study's brain mask (which must be there)."""
    mask = study.mask
    key = (
        study.grid.shape,
        study.grid.affine.matrix.tobytes(),
        mask.fingerprint if mask is not None else None,
        card.spacing_mm,
    )
    framing: Framing | None = cache.get(("frame", key))
    if framing is None:
        framing = Framing(key, WorkingFrame.of(study, card.spacing_mm, MARGIN, QUANTUM))
        cache.put(("frame", key), framing, framing.frame.mask.nbytes)
    return framing


def frame_input(study: Study, contrast: str, card: Card, framing: Framing, cache: ByteCache) -> FramedInput:
    """Bring one contrast of a study into a model's frame and normalise it.

    The normalisation is measured over the brain that the scan shows: what lies beyond its field of view is
    unknown, not dark.

    Raises
    ------
    InputError
        If the scan is empty or constant within the brain, or misses it.
    """
    member = study.members[contrast]
    method = str(card.normalisation["method"])
    motion = b"" if member.motion.is_identity else member.motion.matrix.tobytes()
    key = (member.native.fingerprint, motion, framing.key, method)
    found: FramedInput | None = cache.get(("input", key))
    if found is not None:
        return found
    mask = framing.frame.mask
    raw = framing.frame.bring(member)
    shown = mask & framing.frame.seen_by(member)
    normalisation = fit(raw, shown, method)
    array = normalisation.apply(raw)
    array[~shown] = 0
    coverage = float(np.count_nonzero(shown) / np.count_nonzero(mask))
    framed = FramedInput(key, array, normalisation, coverage)
    cache.put(("input", key), framed, array.nbytes)
    return framed
