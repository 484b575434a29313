"""The study as a table of plain rows: what a view shows of each contrast, computed without any toolkit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from napari_mrsynth.imaging.contrasts import KNOWN, known
from napari_mrsynth.imaging.study import Member, Study


class Fit(Enum):
    """How a contrast came onto the study's grid."""

    REFERENCE = "reference"
    SAME = "same"
    RESAMPLED = "resampled"
    ALIGNED = "aligned"


@dataclass(frozen=True)
class Chip:
    """The few words that say how a contrast lies on the study's grid.

    Attributes
    ----------
    fit : Fit
    text : str
        Short enough for a badge: ``same grid``, ``2.3 mm, 1.1°``.
    explanation : str
        The whole story.
    """

    fit: Fit
    text: str
    explanation: str


@dataclass(frozen=True)
class ContrastRow:
    """One contrast that is here.

    Attributes
    ----------
    contrast : str
    on : bool
        Whether it is an input.
    confidence : float
        How sure its name is, 0 to 1.
    synthetic : bool
        Whether it was made by a model in an earlier session.
    origin : str
        The file or folder it came from, or what kind of thing it was.
    chip : Chip
    can_align, can_undo : bool
    notes : tuple of str
        What was corrected or assumed while it was read.
    """

    contrast: str
    on: bool
    confidence: float
    synthetic: bool
    origin: str
    chip: Chip
    can_align: bool
    can_undo: bool
    notes: tuple[str, ...]


class Need(Enum):
    """Why a contrast can or cannot be made."""

    MISSING = "missing"
    OFF = "off"
    IN_USE = "in use"


@dataclass(frozen=True)
class MakeRow:
    """One contrast that the model can make.

    Attributes
    ----------
    contrast : str
    ticked : bool
    need : Need
        ``IN_USE`` cannot be ticked: an input is not made from itself.
    """

    contrast: str
    ticked: bool
    need: Need

    @property
    def explanation(self) -> str:
        """What ticking it would do, or why it cannot be ticked."""
        if self.need is Need.MISSING:
            return f"{title(self.contrast)} is missing; it will be made from the inputs that are on."
        if self.need is Need.OFF:
            return (
                f"{title(self.contrast)} is here but switched off: it can be made from the others, "
                "and the real scan is the truth to compare with."
            )
        return f"{title(self.contrast)} is in use as an input. Switch it off in the study to make it."


def title(contrast: str) -> str:
    """Return a contrast's name with what it means: ``FLAIR (T2-weighted, fluid attenuated)``."""
    found = known(contrast)
    return f"{contrast} ({found.title})" if found else contrast


def in_field_order(contrasts: Iterable[str]) -> tuple[str, ...]:
    """Order contrasts as people list them: T1w, T1ce, T2w, FLAIR, then the rest."""
    usual = ["T1w", "T1ce", "T2w", "FLAIR", *(c.name for c in KNOWN)]
    rank = {name: place for place, name in reversed(list(enumerate(usual)))}
    return tuple(sorted(contrasts, key=lambda name: (rank.get(name, len(usual)), name)))


def contrast_rows(study: Study) -> tuple[ContrastRow, ...]:
    """Return a row for each contrast of `study`, as people list them."""
    return tuple(_row(study, contrast) for contrast in in_field_order(study.contrasts))


def make_rows(study: Study | None, offered: Sequence[str], wanted: set[str]) -> tuple[MakeRow, ...]:
    """Return a row for each of the `offered` contrasts; none where there is no study."""
    if study is None:
        return ()
    rows = []
    for contrast in in_field_order(set(offered)):
        need = Need.MISSING
        if contrast in study.members:
            need = Need.IN_USE if contrast in study.active else Need.OFF
        rows.append(MakeRow(contrast, contrast in wanted and need is not Need.IN_USE, need))
    return tuple(rows)


def _row(study: Study, contrast: str) -> ContrastRow:
    member = study.members[contrast]
    chip = _chip(study, contrast, member)
    return ContrastRow(
        contrast=contrast,
        on=contrast in study.active,
        confidence=member.native.confidence,
        synthetic=member.native.is_synthetic,
        origin=path.name if (path := member.native.source.path) is not None else member.native.name,
        chip=chip,
        can_align=chip.fit is not Fit.REFERENCE and member.alignment.is_identity,
        can_undo=not member.alignment.is_identity,
        notes=member.native.notes,
    )


def _chip(study: Study, contrast: str, member: Member) -> Chip:
    sizes = " × ".join(f"{size:.3g}" for size in member.native.grid.spacing)
    voxels = f"{' × '.join(str(n) for n in member.native.grid.shape)} voxels of {sizes} mm"
    if contrast == study.reference:
        return Chip(Fit.REFERENCE, "reference", f"Results come back on this grid: {voxels}.")
    if not member.motion.is_identity:
        shift = member.motion.shift_mm(study.grid.centre_mm)
        moved = (
            f"Moved by {shift:.2f} mm (at the middle of the reference) and turned by "
            f"{member.motion.degrees:.2f}° to lie on {study.reference}"
        )
        if member.alignment.is_identity:
            moved += " as its header says: it was not aligned itself, the reference was"
        text = f"{shift:.1f} mm, {member.motion.degrees:.1f}°"
        return Chip(Fit.ALIGNED, text, f"{moved}. Its own grid: {voxels}.")
    reason = study.grid.mismatch(member.native.grid)
    if reason is None:
        return Chip(Fit.SAME, "same grid", f"On the same grid as {study.reference}: {voxels}.")
    return Chip(
        Fit.RESAMPLED,
        "resampled",
        f"On another grid ({reason}), interpolated onto {study.reference} where its header says it lies. "
        "If the anatomy does not match, align it.",
    )
