"""What the user has chosen besides the study: what to make, with which model, on which device."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Choices:
    """How the next synthesis is to be done.

    Attributes
    ----------
    wanted : frozenset of str
        The contrasts to make.
    bundle : str
        A model's id, or ``auto``.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    precision : str
        ``auto``, ``fp32``, ``bf16`` or ``fp16``.
    source_map : bool
        Whether to say which scan each voxel came from.
    """

    wanted: frozenset[str] = frozenset()
    bundle: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    source_map: bool = False
