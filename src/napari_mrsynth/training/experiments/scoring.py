"""One synthesised volume becomes the rows of a ledger, one for each region of the brain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import InputError
from napari_mrsynth.evaluation import score
from napari_mrsynth.training.experiments.ledger import Ledger, Row
from napari_mrsynth.training.experiments.plan import Part
from napari_mrsynth.training.prepared import Prepared

Pair = tuple[tuple[str, ...], str]
Made = Iterator[tuple[Prepared, Pair, NDArray[np.float32]]]

SCORED = ("brain", "healthy", "lesion")


def unscored(ledger: Ledger, part: Part, method: str, pair: Pair) -> list[Prepared]:
    """Return the patients of a part whose volume by a method is not in the ledger yet."""
    inputs, target = "+".join(pair[0]), pair[1]
    return [p for p in part.judge if not ledger.has(part.name, p.subject, method, inputs, target)]


def score_rows(
    part: Part,
    patient: Prepared,
    method: str,
    pair: Pair,
    made: NDArray[np.float32],
    *,
    rescaled: bool = True,
) -> list[Row]:
    """Score one volume on the part's slices.

    Parameters
    ----------
    part : Part
    patient : Prepared
        Who was made, with the truth.
    method : str
    pair : (subset, target)
    made : ndarray of float32, shape (S, A, R)
        Normalised units.
    rescaled : bool
        Whether the made volume is divided by its own mean, so that its overall intensity does not count; if
        not, both volumes are divided by the truth's mean, and `nmse` is the plain mean squared error of
        these.

    Raises
    ------
    InputError
        If the made volume has no mean above 0 to be divided by.
    """
    planes = part.planes(patient)
    case = part.case(patient)
    brain = case.brain[planes]
    labels = None if case.lesions is None else case.lesions[planes]
    if labels is not None and not (labels[brain] != 0).any():
        labels = None
    pred, truth = made[planes], case.scan(pair[1])[planes]
    truth_mean = float(truth[brain].mean(dtype=np.float64))
    pred_mean = float(pred[brain].mean(dtype=np.float64)) if rescaled else truth_mean
    if not pred_mean > 0:
        raise InputError(f"{method} made {pair[1]} of {patient.subject} with the mean {pred_mean:.4g}.")
    scores = score(
        pred / np.float32(pred_mean),
        truth / np.float32(truth_mean),
        brain=brain,
        lesions=labels,
        regions=SCORED,
        in_plane=True,
    )
    return [
        Row(
            part=part.name,
            patient=patient.subject,
            method=method,
            inputs="+".join(pair[0]),
            target=pair[1],
            region=region,
            voxels=figures.voxels,
            nmse=figures.nmse if rescaled else figures.mse,
            mae=figures.mae,
            psnr=figures.psnr,
            ssim=figures.ssim,
            ncc=figures.ncc,
        )
        for region, figures in scores.regions.items()
    ]
