"""The brain mask of a study: given, found from its scans, or found without some of them.

All functions return a new :class:`Study`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import InputError, LabelError
from napari_mrsynth.imaging import BrainMask, LabelVolume, Member, Study, Volume
from napari_mrsynth.preprocess.mask import (
    NO_MASK,
    brain_mask,
    mask_size_note,
    stripped_support,
    without_specks,
)
from napari_mrsynth.preprocess.members import adding, coverage, labels_on

WHOLE_HEAD = 0.5
"""Share of the study's field of view that a scan must reach for the brain to be looked for in it."""


def with_mask(study: Study, mask: LabelVolume, *, fill_specks: bool = True) -> Study:
    """Give the study a brain mask: any class but 0 is brain, and so are closed specks in it, with a note.

    A mask of unlikely size gets a note, too.

    Raises
    ------
    LabelError
        If the mask is empty, or lies where the reference shows nothing.
    GridError
        If it does not share the study's space.
    """
    labels, steps, notes = labels_on(study.grid, study.reference, mask, "brain mask")
    inside = labels.array > 0
    if not inside.any():
        raise LabelError(
            f"The brain mask {mask.name or ''} is empty on the grid of {study.reference}.".replace("  ", " "),
            hint="Paint the brain, or leave the mask out to have it computed.",
        )
    shown = _shown(study.volume(study.reference))
    if (shown & inside).sum() < 0.5 * inside.sum():
        share = (shown & inside).sum() / inside.sum()
        raise LabelError(
            f"The brain mask misses the brain: {study.reference} shows tissue in only {share:.0%} of it.",
            hint="Check that the mask belongs to this patient and has the right header.",
        )
    whole, filled = without_specks(inside, study.grid) if fill_specks else (inside, 0)
    if filled:
        notes = [*notes, f"Small closed holes of the brain mask count as brain ({filled} voxels)."]
    said = (f"{mask.name or 'The brain mask'}: {note}" for note in mask.notes)
    found = BrainMask(whole, f"given: {mask.source.path.name if mask.source.path else mask.name or 'mask'}")
    step = {
        "step": "mask",
        "how": found.how,
        "voxels": int(whole.sum()),
        "holes_filled": filled,
    }
    return adding(
        replace(_without_mask_note(study), mask=found),
        (*steps, step),
        [*notes, *said, *mask_size_note(whole, shown, study.grid)],
    )


def with_found_mask(study: Study) -> Study:
    """Give the study the brain mask that its scans show, or a note why they show none."""
    whole = [member.on_reference for member in study.members.values() if _can_show_the_brain(member)]
    study = _without_mask_note(study)
    try:
        found = _found_in(whole)
    except InputError as error:
        return adding(replace(study, mask=None), (), (f"{NO_MASK}{error}",))
    step = {"step": "mask", "how": found.how, "voxels": int(found.array.sum())}
    return adding(replace(study, mask=found), (step,), ())


def unseen(study: Study, contrasts: Sequence[str]) -> Study:
    """Return the study with a brain mask that `contrasts` had no part in.

    A mask found from the scans bears a trace of each of them. Where a scan that is here is to be synthesised
    and then compared with, it must leave none. A mask that was given stays.

    Raises
    ------
    InputError
        If the other scans do not show where the brain is.
    """
    if study.mask is None or mask_is_given(study) or not set(contrasts) & set(study.members):
        return study
    others = [
        member.on_reference
        for contrast, member in study.members.items()
        if contrast not in contrasts and _can_show_the_brain(member)
    ]
    return replace(study, mask=brain_mask(others)) if others else study


def _found_in(volumes: Sequence[Volume]) -> BrainMask:
    """Find the brain in some scans; where the one that shows it best does not, in any other of them."""
    try:
        return brain_mask(volumes)
    except InputError:
        for volume in volumes:
            try:
                return brain_mask([volume])
            except InputError:
                continue
        raise


def _without_mask_note(study: Study) -> Study:
    """Return the study without the note that it has no brain mask, for one that is getting one."""
    return replace(study, notes=tuple(note for note in study.notes if not note.startswith(NO_MASK)))


def _can_show_the_brain(member: Member) -> bool:
    """Whether a scan is worth asking for the brain: a slab of a head is not.

    On the reference's grid a slab ends in zeros, as if it were stripped, in a box of perhaps a brain's size.
    """
    if not member.is_resampled or coverage(member) >= WHOLE_HEAD:
        return True
    return stripped_support(member.native) is not None


def mask_is_given(study: Study) -> bool:
    """Whether the study's brain mask was given, not found."""
    return study.mask is not None and study.mask.is_given


def _shown(volume: Volume) -> NDArray[np.bool_]:
    """Where a scan shows more than air: above a twentieth of its range."""
    air, bright = float(volume.array.min()), float(np.percentile(volume.array, 99.5))
    shown: NDArray[np.bool_] = volume.array > air + 0.05 * (bright - air)
    return shown
