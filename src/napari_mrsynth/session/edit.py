"""Corrections to a study that move no voxel: another name for a contrast, one that is still unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from napari_mrsynth.errors import ContrastError
from napari_mrsynth.imaging.contrasts import canonical
from napari_mrsynth.imaging.study import Study
from napari_mrsynth.imaging.volume import Volume


def renamed(study: Study, old: str, new: str) -> Study:
    """Return `study` with the contrast `old` called `new`, as the user says.

    Raises
    ------
    ContrastError
        If there is no `old`, `new` is empty, or another scan already has that name.
    """
    new = canonical(new)
    if old not in study.members:
        raise ContrastError(f"There is no {old} here, only {', '.join(study.members)}.")
    if not new:
        raise ContrastError("A contrast needs a name.", hint="Type one, such as T1w.")
    if new != old and new in study.members:
        raise ContrastError(
            f"{new} is already here: two scans cannot be the same contrast.",
            hint=f"Rename or remove the other {new} first.",
        )
    member = study.members[old]
    native = member.native.as_contrast(new)
    moved = replace(
        member,
        native=native,
        on_reference=member.on_reference.as_contrast(new) if member.is_resampled else native,
    )
    return replace(
        study,
        members={new if c == old else c: moved if c == old else m for c, m in study.members.items()},
        active=frozenset(new if c == old else c for c in study.active),
        reference=new if study.reference == old else study.reference,
        steps=(*study.steps, {"step": "rename", "from": old, "to": new}),
    )


def named(volumes: Sequence[Volume]) -> tuple[tuple[Volume, ...], frozenset[str]]:
    """Give every scan a name, taking the file's or layer's where its contrast was not recognised.

    Returns
    -------
    volumes : tuple of Volume
        Each with a contrast.
    unknown : frozenset of str
        The names that are only stand-ins and should be corrected by the user.
    """
    taken = {volume.contrast for volume in volumes if volume.contrast}
    result: list[Volume] = []
    unknown: set[str] = set()
    for volume in volumes:
        if volume.contrast:
            result.append(volume)
            continue
        stem = volume.name or "scan"
        name, count = stem, 2
        while name in taken:
            name, count = f"{stem} {count}", count + 1
        taken.add(name)
        unknown.add(name)
        result.append(volume.as_contrast(name, confidence=0.0))
    return tuple(result), frozenset(unknown)
