"""Random anatomy measured: how well maps are rebuilt, and what share of drawings passes the filter."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from napari_mrsynth.structure import default_beta
from napari_mrsynth.structure.maps import background_mask, structural_map
from napari_mrsynth.systems.lesiongan.anatomy.predictor import AnatomyPredictor
from napari_mrsynth.training.prepared import Prepared

if TYPE_CHECKING:
    from napari_mrsynth.systems.lesiongan.anatomy.network import AnatomyNetwork

DRAWN = 200
"""Seeds that are tried."""


def measure_drawings(network: AnatomyNetwork, patients: Sequence[Prepared]) -> dict[str, Any]:
    """Rebuild the maps of patients, and draw new ones.

    Parameters
    ----------
    network : AnatomyNetwork
        Left as it is: a copy of it is measured.
    patients : sequence of Prepared

    Returns
    -------
    dict
        ``rebuilt_f1``: patient -> F1 of the edges of five slices of the middle brain, rebuilt from
        the mean of the code; ``acceptance_rate``: of the first drawings of :data:`DRAWN` seeds.
    """
    predictor = AnatomyPredictor(deepcopy(network).float(), str(next(network.parameters()).device))
    figures = {patient.subject: _f1(predictor, patient) for patient in patients}
    accepted = [predictor.draw(seed, attempts=1).accepted for seed in range(DRAWN)]
    return {"rebuilt_f1": figures, "acceptance_rate": float(np.mean(accepted)), "drawn": DRAWN}


@torch.inference_mode()
def _f1(predictor: AnatomyPredictor, patient: Prepared) -> float:
    """Return the F1 of five slices' rebuilt edges, all of them counted together."""
    name = predictor.network.inputs[0]
    brain = np.flatnonzero(patient.mask.any(axis=(1, 2)))
    planes = brain[(np.linspace(0.3, 0.7, 5) * (len(brain) - 1)).astype(int)]
    slices = torch.from_numpy(patient.volume(name)[planes])
    structure = structural_map(slices, default_beta(name)) * (1 - background_mask(slices))
    fitted = _fitted(structure[:, None], predictor.size).to(predictor.device)
    found = predictor.network.decode(predictor.network.encode(fitted)[0]) > 0.5
    hits = float((found & (fitted > 0)).sum())
    return 2 * hits / max(float(found.sum() + fitted.sum()), 1.0)


def _fitted(slices: Tensor, size: tuple[int, int]) -> Tensor:
    """Pad or cut (B, 1, H, W) about its middle to the network's size."""
    (height, width), (tall, wide) = slices.shape[-2:], size
    top, left = (tall - height) // 2, (wide - width) // 2
    around = (left, wide - width - left, top, tall - height - top)
    return torch.nn.functional.pad(slices, around)
