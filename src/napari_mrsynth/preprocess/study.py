"""From scans to a study, and from one study to the next: every step recorded, every step undoable.

All functions return a new :class:`Study`; scans are never changed. A member is always resampled straight from
its native voxels, so that aligning, choosing another reference and undoing never interpolate twice.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from napari_mrsynth.errors import ContrastError
from napari_mrsynth.imaging import BrainMask, LabelVolume, Rigid, Study, Volume
from napari_mrsynth.preprocess.align import ALIGNED, estimate_rigid
from napari_mrsynth.preprocess.members import (
    Step,
    adding,
    by_contrast,
    labels_on,
    motion_between,
    place,
    resampling_note,
    resampling_step,
    usual_reference,
)
from napari_mrsynth.preprocess.resample import resample
from napari_mrsynth.preprocess.study_mask import mask_is_given, with_found_mask, with_mask
from napari_mrsynth.progress import Progress


def build_study(
    volumes: Sequence[Volume],
    *,
    name: str,
    reference: str | None = None,
    mask: LabelVolume | None = None,
    lesions: LabelVolume | None = None,
    fill_specks: bool = True,
) -> Study:
    """Put the scans of one patient on one grid, all of them switched on.

    Parameters
    ----------
    volumes : sequence of Volume
        One per contrast, each with its contrast known.
    name : str
        The patient's.
    reference : str, optional
        The contrast whose grid the study takes. By default the grid that most scans already have, among
        equals the one with the smallest voxels, and on it the scan that was given first.
    mask : LabelVolume, optional
        The brain (any class but 0); found from the scans otherwise (:func:`~.mask.brain_mask`).
    lesions : LabelVolume, optional
        Lesion labels.
    fill_specks : bool
        Whether small closed holes of `mask` count as brain.

    Returns
    -------
    Study
        Its `steps` say what was done to each scan; its `notes` what the user should know.

    Raises
    ------
    ContrastError
        If there is no scan, a contrast is unknown or claimed twice, or `reference` is not here.
    GridError
        If a scan does not share the reference's space.
    LabelError
        If the mask is empty or misses what the scans show. One of unlikely size is noted.
    """
    members = by_contrast(volumes)
    chosen = reference if reference is not None else usual_reference(members)
    if chosen not in members:
        raise ContrastError(
            f"The reference {chosen!r} is not among {', '.join(members)}.",
            hint=f"Choose one of {', '.join(members)}.",
        )
    grid = members[chosen].grid
    placed = {
        contrast: place(volume, grid, chosen, alignment=Rigid(), of_reference=Rigid())
        for contrast, volume in members.items()
    }
    study = Study(
        name=name,
        reference=chosen,
        members=placed,
        active=frozenset(placed),
        steps=tuple(resampling_step(placed[c], c, chosen) for c in placed if placed[c].is_resampled),
        notes=tuple(resampling_note(placed[c], c, chosen) for c in placed if placed[c].is_resampled),
    )
    if lesions is not None:
        labels, steps, notes = labels_on(study.grid, chosen, lesions, "lesion labels")
        study = adding(replace(study, lesions=labels), steps, notes)
    return with_mask(study, mask, fill_specks=fill_specks) if mask is not None else with_found_mask(study)


def align_study(study: Study, contrasts: Sequence[str] | None = None) -> Generator[Progress, None, Study]:
    """Estimate the rigid motion of contrasts against the reference, and resample them through it.

    Parameters
    ----------
    study : Study
    contrasts : sequence of str, optional
        Which to align; all but the reference by default.

    Yields
    ------
    Progress
        Over all of them. Close the generator to cancel; the study given stays as it was.

    Returns
    -------
    Study
        Each aligned member's `motion` says by how much; where no better place than the header was found the
        member stays and a note says so. A mask that was found from the scans is found again.

    Raises
    ------
    ContrastError
        If a contrast is not in the study.
    InputError
        If a scan is constant.
    """
    wanted = [c for c in (study.contrasts if contrasts is None else contrasts) if c != study.reference]
    for contrast in wanted:
        study.volume(contrast)
    fixed = study.members[study.reference].native
    for index, contrast in enumerate(wanted):
        member = study.members[contrast]
        climb = estimate_rigid(fixed, member.native, start=member.motion)
        motion = yield from _shared(climb, index, len(wanted))
        if motion.how != ALIGNED:
            note = f"{contrast} was left where it was: alignment found no better place."
            study = adding(study, ({"step": "align", "contrast": contrast, "kept": True},), (note,))
            continue
        study = _moved(study, contrast, motion)
    return with_found_mask(study) if wanted and not mask_is_given(study) else study


def undo_alignment(study: Study, contrast: str) -> Study:
    """Put a contrast back where its header puts it; a mask found from the scans is found again.

    Every other scan stays at its header's place or where its own alignment put it, also where the contrast is
    the reference: then they, the mask and the lesions are brought onto its grid anew.

    Raises
    ------
    ContrastError
        If the study does not have it.
    """
    study.volume(contrast)
    if study.members[contrast].alignment.is_identity:
        return study
    if contrast == study.reference:
        undone = _placed(study, contrast, {**_alignments(study), contrast: Rigid()})
    else:
        undone = _replaced(study, contrast, Rigid())
    undone = adding(undone, ({"step": "undo alignment", "contrast": contrast},), ())
    return undone if mask_is_given(undone) else with_found_mask(undone)


def with_reference(study: Study, contrast: str) -> Study:
    """Make another contrast's native grid the study's.

    Scans that were aligned stay aligned; every scan is resampled anew from its native voxels. Mask and
    lesions move along, by nearest voxel where grids differ; a mask that was missing is looked for again.

    Raises
    ------
    ContrastError
        If the study does not have it.
    """
    study.volume(contrast)
    if contrast == study.reference:
        return study
    step = {"step": "reference", "from": study.reference, "to": contrast}
    changed = adding(_placed(study, contrast, _alignments(study)), (step,), ())
    return with_found_mask(changed) if changed.mask is None else changed


def without(study: Study, contrast: str) -> Study:
    """Take a contrast out of the study; another becomes the reference where it was that.

    Raises
    ------
    ContrastError
        If the study does not have it, or has no other.
    """
    study.volume(contrast)
    rest = [name for name in study.contrasts if name != contrast]
    if not rest:
        raise ContrastError(f"{contrast} is the study's only scan.", hint="Open another scan first.")
    if contrast == study.reference:
        study = with_reference(study, usual_reference({n: study.members[n].native for n in rest}))
    left = replace(
        study,
        members={name: study.members[name] for name in rest},
        active=study.active - {contrast},
    )
    return adding(left, ({"step": "remove", "contrast": contrast},), ())


def with_volume(study: Study, volume: Volume) -> Study:
    """Add a scan to the study, switched on; where the study has no brain mask, one is looked for again.

    Raises
    ------
    ContrastError
        If its contrast is unknown or already here.
    GridError
        If it does not share the study's space.
    """
    named = by_contrast([*(member.native for member in study.members.values()), volume])
    contrast = list(named)[-1]
    member = place(
        volume,
        study.grid,
        study.reference,
        alignment=Rigid(),
        of_reference=study.members[study.reference].alignment,
    )
    more = replace(study, members={**study.members, contrast: member}, active=study.active | {contrast})
    steps: list[Step] = [{"step": "add", "contrast": contrast}]
    notes: list[str] = []
    if member.is_resampled:
        steps.append(resampling_step(member, contrast, study.reference))
        notes.append(resampling_note(member, contrast, study.reference))
    added = adding(more, steps, notes)
    return with_found_mask(added) if added.mask is None else added


def _moved(study: Study, contrast: str, motion: Rigid) -> Study:
    """Put a contrast where a motion from the reference was estimated."""
    of_reference = study.members[study.reference].alignment
    moved = _replaced(study, contrast, Rigid(motion.matrix @ of_reference.matrix, motion.how))
    step: Step = {
        "step": "align",
        "contrast": contrast,
        "to": study.reference,
        "degrees": round(motion.degrees, 4),
        "mm": round(motion.shift_mm(study.grid.centre_mm), 4),
        "motion": [[round(float(x), 9) for x in row] for row in motion.matrix],
    }
    return adding(moved, (step,), ())


def _replaced(study: Study, contrast: str, alignment: Rigid) -> Study:
    """Give a contrast other than the reference another alignment."""
    native = study.members[contrast].native
    of_reference = study.members[study.reference].alignment
    member = place(native, study.grid, study.reference, alignment=alignment, of_reference=of_reference)
    return replace(study, members={**study.members, contrast: member})


def _alignments(study: Study) -> dict[str, Rigid]:
    return {contrast: member.alignment for contrast, member in study.members.items()}


def _placed(study: Study, reference: str, alignments: Mapping[str, Rigid]) -> Study:
    """Bring the study onto the grid of a reference, each scan with its alignment; mask and lesions follow."""
    grid, of_reference = study.members[reference].native.grid, alignments[reference]
    members = {
        name: place(member.native, grid, reference, alignment=alignments[name], of_reference=of_reference)
        for name, member in study.members.items()
    }
    carry = motion_between(of_reference, study.members[study.reference].alignment)
    lesions = resample(study.lesions, grid, motion=carry) if study.lesions is not None else None
    mask = None
    if study.mask is not None:
        labels = LabelVolume(study.mask.array.astype(np.uint8), study.grid)
        mask = BrainMask(resample(labels, grid, motion=carry).array > 0, study.mask.how)
    return replace(study, reference=reference, members=members, lesions=lesions, mask=mask)


def _shared(climb: Generator[Progress, None, Rigid], index: int, of: int) -> Generator[Progress, None, Rigid]:
    """Pass on one alignment's progress as its share of several."""
    try:
        while True:
            one = next(climb)
            left = one.seconds_left if of == index + 1 else None
            yield Progress((index + one.fraction) / of, one.message, left)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        climb.close()
