"""How a generated image came to be, as plain data that goes with it into every file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_mrsynth.bundles import Card
from napari_mrsynth.generation.anatomy import Anatomy
from napari_mrsynth.generation.painted import Painted
from napari_mrsynth.imaging import LabelVolume
from napari_mrsynth.synthesis.device import DevicePlan
from napari_mrsynth.synthesis.provenance import made_by


def provenance(
    contrast: str,
    anatomy: Anatomy,
    painted: Painted,
    wanted: Sequence[str],
    card: Card,
    plan: DevicePlan,
    *,
    lesion: bool = True,
) -> dict[str, Any]:
    """Return the provenance of one generated contrast.

    Parameters
    ----------
    contrast : str
    anatomy, painted, wanted, card, plan
        Of what, what was asked, by which model, where.
    lesion : bool
        Whether it shows the lesion; False for the healthy twin.
    """
    scan = anatomy.record.get("scan")
    return {
        **made_by(contrast, anatomy.name, card, plan, anatomy.frame, anatomy.grid),
        "what": "scan with a painted lesion" if lesion else "the same anatomy without the painted lesion",
        "inputs": {str(scan["contrast"] or scan["name"]): dict(scan)} if scan else {},
        "anatomy": dict(anatomy.record),
        "lesion": label_record(painted.labels) if lesion else None,
        "request": {"wanted": list(wanted)},
        "seed": anatomy.record.get("seed"),
        "output_units": {"scale": anatomy.scale},
        "mask": anatomy.brain.how,
    }


def label_record(labels: LabelVolume) -> dict[str, Any]:
    """Return what is said of painted labels."""
    return {
        "name": labels.name,
        "file": labels.source.path.name if labels.source.path is not None else None,
        "fingerprint": labels.fingerprint,
        "classes": {str(value): labels.labels.get(value, "") for value in labels.present},
        "notes": list(labels.notes),
    }


def difference_record(made: Mapping[str, Any]) -> dict[str, Any]:
    """Return the provenance of the difference between a generated contrast and its healthy twin."""
    return {**made, "what": "the scan with the painted lesion minus the same anatomy without it"}
