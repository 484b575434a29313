"""How a scan or a label map becomes part of a study: on its grid, or refused with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from napari_mrsynth.errors import ContrastError, GridError
from napari_mrsynth.imaging import Affine, Grid, LabelVolume, Member, Rigid, Study, Volume
from napari_mrsynth.imaging.geometry import FloatArray
from napari_mrsynth.preprocess.resample import is_exact, resample

LEAST_OVERLAP = 0.1
"""Share of the smaller field of view that two scans of one study must have in common."""

Step = Mapping[str, object]
"""One thing that was done, as plain data that JSON can hold."""


def by_contrast(volumes: Sequence[Volume]) -> dict[str, Volume]:
    """Return scans by their contrasts, in their order.

    Raises
    ------
    ContrastError
        If there is none, a contrast is unknown, or two scans claim the same one.
    """
    if not volumes:
        raise ContrastError("A study needs at least one scan.", hint="Open a scan or a patient folder.")
    members: dict[str, Volume] = {}
    for volume in volumes:
        called = volume.name or (volume.source.path.name if volume.source.path else "A scan")
        if not volume.contrast:
            raise ContrastError(
                f"{called}: its contrast is unknown.",
                hint="Say what it is: choose it in the table, or give T1w=FILE on the command line.",
            )
        if volume.contrast in members:
            raise ContrastError(
                f"{members[volume.contrast].name or 'A scan'} and {called} both claim to be"
                f" {volume.contrast}.",
                hint="Leave one out, or say which contrast the other is.",
            )
        members[volume.contrast] = volume
    return members


def usual_reference(members: Mapping[str, Volume]) -> str:
    """Return the scan whose grid most scans have, then the one with the smallest voxels, then the first.

    A scan of unknown contrast is the reference only where there is no other.
    """

    def rank(contrast: str) -> tuple[bool, int, float]:
        grid = members[contrast].grid
        alike = sum(grid.same_as(other.grid) for other in members.values())
        return members[contrast].confidence == 0, -alike, round(float(np.prod(grid.spacing)), 3)

    return min(members, key=rank)


def place(volume: Volume, grid: Grid, reference: str, *, alignment: Rigid, of_reference: Rigid) -> Member:
    """Make a member on a grid.

    Parameters
    ----------
    volume : Volume
    grid : Grid
        The reference's.
    reference : str
        Its contrast.
    alignment, of_reference : Rigid
        Of the scan and of the reference: from the space that all headers share to the native RAS mm of each.

    Raises
    ------
    GridError
        If nothing is known of a motion and the scan hardly meets the grid.
    """
    motion = motion_between(of_reference, alignment)
    if motion.is_identity:
        share = overlap(grid, volume.grid)
        if share < LEAST_OVERLAP:
            apart = float(np.linalg.norm(grid.centre_mm - volume.grid.centre_mm))
            raise GridError(
                f"{volume.contrast} and {reference} cannot be of one head: their fields of view lie "
                f"{apart:.0f} mm apart, middle to middle, and share {share:.0%} of the smaller one.",
                hint="Check both headers, or leave one of the scans out.",
            )
    return Member(volume, resample(volume, grid, motion=motion), motion, alignment)


def motion_between(reference: Rigid, scan: Rigid) -> Rigid:
    """Return the motion from a reference to a scan, each with the alignment of its own."""
    matrix: FloatArray = scan.matrix @ np.linalg.inv(reference.matrix)
    if np.allclose(matrix, np.eye(4), atol=1e-9):
        return Rigid()
    return Rigid(matrix, "reference aligned" if scan.is_identity else scan.how)


def overlap(one: Grid, other: Grid) -> float:
    """Return the share of the smaller field of view that lies in the other, from about 4000 points."""
    small, large = sorted((one, other), key=lambda grid: float(np.prod(grid.size_mm)))
    steps = [np.linspace(0, n - 1, 16) for n in small.shape]
    points: FloatArray = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    there = large.affine.unapply(small.affine.apply(points))
    inside = ((there >= -0.5) & (there <= np.asarray(large.shape) - 0.5)).all(axis=1)
    return float(inside.mean())


def coverage(member: Member) -> float:
    """Return the share of the study's field of view that a member's own reaches, from about 4000 points."""
    grid, native = member.on_reference.grid, member.native.grid
    steps = [np.linspace(0, n - 1, 16) for n in grid.shape]
    points: FloatArray = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    there = native.affine.unapply(Affine(member.motion.matrix).apply(grid.affine.apply(points)))
    inside = ((there >= -0.5) & (there <= np.asarray(native.shape) - 0.5)).all(axis=1)
    return float(inside.mean())


def resampling_step(member: Member, contrast: str, reference: str) -> Step:
    """Record how a member came onto the reference's grid, as plain data."""
    native, grid = member.native.grid, member.on_reference.grid
    return {
        "step": "resample",
        "contrast": contrast,
        "onto": reference,
        "from_shape": list(native.shape),
        "from_spacing_mm": [round(size, 6) for size in native.spacing],
        "to_shape": list(grid.shape),
        "to_spacing_mm": [round(size, 6) for size in grid.spacing],
        "interpolated": not is_exact(native, grid, member.motion),
        "motion": [[round(float(x), 9) for x in row] for row in member.motion.matrix],
        "motion_how": member.motion.how,
    }


def resampling_note(member: Member, contrast: str, reference: str) -> str:
    """Say to the user that a member was brought onto another grid, and why."""
    reason = member.on_reference.grid.mismatch(member.native.grid)
    how = "copied" if is_exact(member.native.grid, member.on_reference.grid) else "resampled"
    return f"{contrast} was {how} onto the grid of {reference} ({reason})."


def labels_on(
    grid: Grid, reference: str, labels: LabelVolume, what: str
) -> tuple[LabelVolume, list[Step], list[str]]:
    """Bring labels onto the study's grid by nearest voxel.

    Returns
    -------
    labels : LabelVolume
        On `grid`.
    steps, notes : list
        What was done and what the user should know; empty where the grids agree.

    Raises
    ------
    GridError
        If they share no space.
    """
    reason = grid.mismatch(labels.grid)
    if reason is None:
        return replace(labels, grid=grid), [], []
    if overlap(grid, labels.grid) <= 0:
        apart = float(np.linalg.norm(grid.centre_mm - labels.grid.centre_mm))
        raise GridError(
            f"The {what} and {reference} share no space: {apart:.0f} mm apart, middle to middle.",
            hint="Check that the labels belong to this patient.",
        )
    step: Step = {"step": f"resample {what}", "how": "nearest", "reason": reason}
    note = f"The {what} lay on another grid ({reason}) and took the nearest voxels of {reference}."
    return resample(labels, grid), [step], [note]


def adding(study: Study, steps: Sequence[Step], notes: Sequence[str]) -> Study:
    """Return the study with more steps, and with those notes that it does not have yet."""
    fresh = tuple(note for note in notes if note not in study.notes)
    return replace(study, steps=(*study.steps, *steps), notes=(*study.notes, *fresh))
