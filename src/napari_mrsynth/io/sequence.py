"""Guess a scan's contrast from how it was acquired: description, times, contrast agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_mrsynth.imaging.contrasts import Guess, guess_from_name
from napari_mrsynth.imaging.wording import says_unenhanced

_T1 = ("T1w", "T1ce")
_GRADIENT_ECHOES = ("T2star", "SWI", "MRA")
CONTRADICTED = 0.5
"""How sure a description is that the times speak against."""


@dataclass(frozen=True)
class Sequence:
    """How a scan was acquired, as far as its header says.

    Attributes
    ----------
    description : str
        What the operator called it.
    tr_ms, te_ms, ti_ms : float or None
        Repetition, echo and inversion time in milliseconds.
    b_value : float or None
        Diffusion weighting in s/mm².
    agent : str
        The contrast agent given, empty for none.
    image_type : tuple of str
        DICOM's ImageType.
    """

    description: str = ""
    tr_ms: float | None = None
    te_ms: float | None = None
    ti_ms: float | None = None
    b_value: float | None = None
    agent: str = ""
    image_type: tuple[str, ...] = ()


def guess(sequence: Sequence) -> Guess:
    """Guess the contrast from the description, checked against the physics.

    Where both speak and agree the guess is nearly sure; where they differ the description wins at half the
    confidence, except that an echo too short for a FLAIR makes a “T1 FLAIR” T1w. The times of T1w and T1ce
    are the same, and tell nothing between the two: a contrast agent in the header makes T1w T1ce, unless the
    description says that the scan was taken before it.
    """
    named = guess_from_name(sequence.description)
    measured = _from_times(sequence)
    name, confidence, reason = named.contrast, named.confidence, f"“{sequence.description}” in the header"
    if name is None:
        name, confidence, reason = measured, 0.7, _times_text(sequence)
    elif measured == "T1w" and name == "FLAIR":
        name, confidence, reason = "T1w", 0.7, f"{reason}, but {_times_text(sequence)}"
    elif measured is not None and not _agrees(measured, name):
        confidence, reason = (
            CONTRADICTED,
            f"{reason}, though {_times_text(sequence)} would rather be {measured}",
        )
    elif measured == name and name not in _T1:
        confidence = 0.98
    if name in _T1 and sequence.agent:
        name, confidence, reason = _with_agent(sequence, Guess(name, confidence, reason))
    if name is None:
        return Guess(None, 0.0, "neither description nor echo times tell the contrast")
    return Guess(name, confidence, reason)


def _agrees(measured: str, name: str) -> bool:
    """Whether times fit a name: gradient echoes have those of T1w, and T1ce has them too."""
    return measured == name or (measured == "T1w" and name in (*_T1, *_GRADIENT_ECHOES))


def _with_agent(sequence: Sequence, found: Guess) -> tuple[str, float, str]:
    """Decide between T1w and T1ce where the header names a contrast agent."""
    reason = f"{found.reason}; contrast agent {sequence.agent}"
    if says_unenhanced(sequence.description):
        return (
            str(found.contrast),
            min(found.confidence, 0.6),
            f"{reason}, but the description says before it",
        )
    confirmed = found.contrast == "T1ce" and found.confidence > CONTRADICTED
    return "T1ce", 0.98 if confirmed else found.confidence, reason


def from_bids(sidecar: Mapping[str, Any]) -> Sequence:
    """Return the acquisition that a BIDS sidecar describes (its times are in seconds)."""
    words = (sidecar.get(key) for key in ("SeriesDescription", "ProtocolName"))
    agent = sidecar.get("ContrastBolusIngredient") or sidecar.get("ContrastBolusAgent")
    return Sequence(
        description=next((str(word) for word in words if word), ""),
        tr_ms=_in_ms(sidecar.get("RepetitionTime")),
        te_ms=_in_ms(sidecar.get("EchoTime")),
        ti_ms=_in_ms(sidecar.get("InversionTime")),
        agent="" if str(agent or "").upper() in ("", "NONE", "NO") else str(agent),
        image_type=tuple(str(word) for word in sidecar.get("ImageType", ()) or ()),
    )


def _from_times(sequence: Sequence) -> str | None:
    """Return what the times alone say, None where they fit nothing or too much (0.5 to 7 T)."""
    if "ADC" in sequence.image_type:
        return "ADC"
    if sequence.b_value is not None and sequence.b_value >= 500:
        return "DWI"
    te, tr, ti = sequence.te_ms, sequence.tr_ms, sequence.ti_ms
    if te is None or tr is None:
        return None
    if ti is not None and ti >= 1500 and te >= 60:
        return "FLAIR"
    if te <= 30 and (tr <= 1000 or (ti is not None and 300 <= ti <= 1300)):
        return "T1w"
    if ti is None and tr >= 1800:
        return "T2w" if te >= 60 else "PDw" if te <= 40 else None
    return None


def _times_text(sequence: Sequence) -> str:
    named = (("TR", sequence.tr_ms), ("TE", sequence.te_ms), ("TI", sequence.ti_ms))
    return ", ".join(f"{name} {value:g} ms" for name, value in named if value is not None) or "the image type"


def _in_ms(seconds: object) -> float | None:
    return 1000 * float(seconds) if isinstance(seconds, (int, float)) else None
