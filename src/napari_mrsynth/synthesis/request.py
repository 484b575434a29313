"""What is asked for: which contrasts, from which, by which model, where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_mrsynth.errors import DeviceError, InputError

PRECISIONS = ("auto", "fp32", "bf16", "fp16")


@dataclass(frozen=True)
class Request:
    """One synthesis, as the window, the command line and the provenance file all state it.

    Attributes
    ----------
    wanted : tuple of str
        Contrasts to make.
    used : tuple of str
        Contrasts of the study to make them from.
    bundle : str
        Id of the model, or ``auto``: the store's default for this request.
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
    precision : str
        ``auto``, ``fp32``, ``bf16`` or ``fp16``.
    batch : int or None
        Axial slices per pass; None lets the device decide.
    source_map : bool
        Whether to make the map of which scan each voxel came from.

    Raises
    ------
    DeviceError
        If `precision` is none of these.
    InputError
        If `batch` is less than 1.
    """

    wanted: tuple[str, ...]
    used: tuple[str, ...]
    bundle: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    batch: int | None = None
    source_map: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "wanted", tuple(dict.fromkeys(self.wanted)))
        object.__setattr__(self, "used", tuple(dict.fromkeys(self.used)))
        if self.precision not in PRECISIONS:
            raise DeviceError(
                f"There is no precision {self.precision!r}.", hint=f"Choose {', '.join(PRECISIONS)}."
            )
        if self.batch is not None and self.batch < 1:
            raise InputError(
                f"A batch of {self.batch} slices is none.", hint="Give 1 or more, or leave it out."
            )

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON-able data."""
        return {
            "wanted": list(self.wanted),
            "used": list(self.used),
            "bundle": self.bundle,
            "device": self.device,
            "precision": self.precision,
            "batch": self.batch,
            "source_map": self.source_map,
        }
