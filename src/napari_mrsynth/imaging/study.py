"""A patient as the project sees one: contrasts in one space, some missing, some switched off.

A :class:`Study` never resamples by itself. Its members keep their native voxels, the rigid transform that
brings them to the reference (identity until *Align* finds another), and the voxels on the reference grid;
:mod:`napari_mrsynth.preprocess` makes members and records what it did to them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import ContrastError, GridError
from napari_mrsynth.imaging.geometry import FloatArray, Grid
from napari_mrsynth.imaging.volume import LabelVolume, Volume


@dataclass(frozen=True)
class Rigid:
    """A rigid motion in RAS millimetres: where a point of the reference lies in the moving image.

    Parameters
    ----------
    matrix : ndarray, shape (4, 4)
        Reference RAS mm to moving RAS mm (the direction resampling needs).
    how : str
        ``header`` (nothing estimated), ``aligned``, ``reference aligned`` (only the reference was) ...
    """

    matrix: FloatArray = field(default_factory=lambda: np.eye(4))
    how: str = "header"

    @property
    def is_identity(self) -> bool:
        """Whether nothing moves (beyond rounding)."""
        return bool(np.allclose(self.matrix, np.eye(4), atol=1e-9))

    @property
    def degrees(self) -> float:
        """Total rotation angle in degrees."""
        cosine = (np.trace(self.matrix[:3, :3]) - 1) / 2
        return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))

    def shift_mm(self, at_mm: FloatArray) -> float:
        """How far the point `at_mm` (RAS mm) of the reference is moved, in mm."""
        moved = self.matrix[:3, :3] @ at_mm + self.matrix[:3, 3]
        return float(np.linalg.norm(moved - at_mm))


@dataclass(frozen=True)
class Member:
    """One contrast of a study.

    Attributes
    ----------
    native : Volume
        As read; never changed.
    on_reference : Volume
        The same scan on the study's grid (the very same object where the grids agree).
    motion : Rigid
        Reference RAS mm to native RAS mm.
    alignment : Rigid
        What was estimated for this scan itself: from the space that all headers share to native RAS mm.
        Whatever the reference is, `motion` is this after the inverse of the reference's.
    """

    native: Volume
    on_reference: Volume
    motion: Rigid = field(default_factory=Rigid)
    alignment: Rigid = field(default_factory=Rigid)

    @property
    def is_resampled(self) -> bool:
        """Whether voxels were interpolated to get onto the study's grid."""
        return self.native is not self.on_reference


@dataclass(frozen=True)
class BrainMask:
    """Which voxels are brain, on the study's grid, and how that is known.

    Attributes
    ----------
    array : ndarray of bool, shape (i, j, k)
        True inside.
    how : str
        ``skull-stripped data``, ``median_otsu``, ``given: FILE`` ...
    """

    array: NDArray[np.bool_]
    how: str

    @property
    def is_given(self) -> bool:
        """Whether somebody gave it, rather than that it was found in the scans."""
        return self.how.startswith("given")

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest of the voxels: equal for equal masks."""
        digest = hashlib.blake2b(str(self.array.shape).encode(), digest_size=16)
        digest.update(np.packbits(np.ascontiguousarray(self.array)).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Study:
    """Contrasts of one patient on one reference grid.

    Invariant: every member's `on_reference`, the mask and the lesions lie on `grid`; `reference` and
    every name in `active` are members.

    Attributes
    ----------
    name : str
        The patient's folder or file stem.
    reference : str
        The contrast whose native grid is the study's.
    members : mapping of str to Member
        By contrast name, in the order they were given.
    active : frozenset of str
        The inputs that are switched on.
    mask : BrainMask or None
    lesions : LabelVolume or None
    steps : tuple of mapping
        What was done to make the study, in order, as plain JSON-able data.
    notes : tuple of str
        What the user should know.
    """

    name: str
    reference: str
    members: Mapping[str, Member]
    active: frozenset[str] = frozenset()
    mask: BrainMask | None = None
    lesions: LabelVolume | None = None
    steps: tuple[Mapping[str, object], ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", MappingProxyType(dict(self.members)))
        if self.reference not in self.members:
            raise ContrastError(
                f"The reference {self.reference!r} is not among {', '.join(self.members) or 'no contrasts'}."
            )
        unknown = sorted(self.active - set(self.members))
        if unknown:
            raise ContrastError(
                f"{', '.join(unknown)} cannot be switched on: this study has {', '.join(self.members)}."
            )
        for contrast, member in self.members.items():
            self._require_grid(member.on_reference.grid, contrast)
        if self.mask is not None and self.mask.array.shape != self.grid.shape:
            raise GridError(f"The mask has shape {self.mask.array.shape}, the study {self.grid.shape}.")
        if self.lesions is not None:
            self._require_grid(self.lesions.grid, "the lesion labels")

    @property
    def grid(self) -> Grid:
        """The reference contrast's native grid."""
        return self.members[self.reference].native.grid

    @property
    def contrasts(self) -> tuple[str, ...]:
        """The contrasts that are here, switched on or not."""
        return tuple(self.members)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The contrasts that are switched on, in the study's order."""
        return tuple(contrast for contrast in self.members if contrast in self.active)

    def volume(self, contrast: str) -> Volume:
        """Return a contrast's voxels on the study's grid.

        Raises
        ------
        ContrastError
            If the study does not have it.
        """
        if contrast not in self.members:
            raise ContrastError(f"There is no {contrast} here, only {', '.join(self.members)}.")
        return self.members[contrast].on_reference

    def switched(self, **on: bool) -> Study:
        """Return the study with some inputs switched on or off: ``study.switched(T1w=False)``."""
        return self.using(
            {c for c in self.members if on.get(c, c in self.active)} | {c for c, yes in on.items() if yes}
        )

    def using(self, active: set[str] | frozenset[str] | tuple[str, ...]) -> Study:
        """Return the study with exactly these inputs switched on."""
        return replace(self, active=frozenset(active))

    def _require_grid(self, grid: Grid, what: str) -> None:
        reason = self.grid.mismatch(grid)
        if reason is not None:
            raise GridError(
                f"{what} does not lie on the grid of {self.reference}: {reason}.",
                hint="Resample it onto the reference first.",
            )
