"""How a synthetic volume came to be, as plain data that goes with it into every file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from napari_mrsynth import __version__
from napari_mrsynth.bundles import Card
from napari_mrsynth.imaging import Grid, Member, Study
from napari_mrsynth.preprocess.frame import WorkingFrame
from napari_mrsynth.preprocess.normalise import Normalisation
from napari_mrsynth.synthesis.device import DevicePlan
from napari_mrsynth.synthesis.request import Request

STATEMENT = "Synthetic image made by a model. Research use, not for diagnosis."


def provenance(
    contrast: str,
    study: Study,
    request: Request,
    card: Card,
    plan: DevicePlan,
    frame: WorkingFrame,
    normalisations: Mapping[str, Normalisation],
    units_of: str,
) -> dict[str, Any]:
    """Return the provenance of one output.

    Parameters
    ----------
    contrast : str
        What was made.
    study, request, card, plan, frame
        From what, what was asked, by which model, where, in which frame.
    normalisations : mapping of str to Normalisation
        Of each input that was used.
    units_of : str
        The input whose normalisation was inverted to give the output its units.

    Returns
    -------
    dict
        JSON-able.
    """
    made = made_by(contrast, study.name, card, plan, frame, study.grid)
    return {
        **made,
        "inputs": {name: _input(study.members[name], normalisations[name]) for name in request.used},
        "request": request.as_dict(),
        "seed": None,  # nothing is drawn at random: the same inputs give the same voxels
        "output_units": {"of": units_of, **normalisations[units_of].as_dict()},
        "frame": {"reference": study.reference, **made["frame"]},
        "mask": study.mask.how if study.mask is not None else None,
        "steps": [dict(step) for step in study.steps],
    }


def made_by(
    contrast: str, patient: str, card: Card, plan: DevicePlan, frame: WorkingFrame, grid: Grid
) -> dict[str, Any]:
    """Return what the provenance of everything that a model makes has in common.

    Parameters
    ----------
    contrast, patient
        What was made, and of whom.
    card, plan, frame
        By which model, where, in which frame.
    grid : Grid
        The patient's, that the frame was laid over.
    """
    return {
        **marked_synthetic(contrast),
        "bundle": {
            "id": card.id,
            "system": card.system,
            "weights_sha256": card.weights_sha256,
            "licence": card.licence,
            "citation": card.citation,
        },
        "patient": patient,
        "device": plan.device,
        "precision": plan.precision,
        "frame": {
            "reference_shape": list(grid.shape),
            "reference_affine_ras": grid.affine.matrix.tolist(),
            "spacing_mm": frame.spacing_mm,
            "start_SAR": list(frame.start),
            "shape_SAR": list(frame.shape),
            "interpolated": not frame.is_exact,
        },
    }


def marked_synthetic(contrast: str) -> dict[str, Any]:
    """Return the mark of an image that was made just now: that it is synthetic, what it shows, by what."""
    return {
        "Synthetic": True,
        "statement": STATEMENT,
        "contrast": contrast,
        "made_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": {"name": "napari-mrsynth", "version": __version__},
    }


def _input(member: Member, normalisation: Normalisation) -> dict[str, Any]:
    native = member.native
    return {
        "file": native.source.path.name if native.source.path is not None else None,
        "name": native.name,
        "fingerprint": native.fingerprint,
        "resampled": member.is_resampled,
        "motion": {"how": member.motion.how, "matrix": member.motion.matrix.tolist()},
        "normalisation": normalisation.as_dict(),
        "synthetic": native.is_synthetic,
    }
