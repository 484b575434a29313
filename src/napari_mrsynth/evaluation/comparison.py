"""One prediction compared with its truth: figures, how they were made, and where it is wrong.

The command line prints it, the Compare dock shows it, and every export writes it, so that all give the same
digits.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from napari_mrsynth.evaluation.bootstrap import Bootstrap
from napari_mrsynth.evaluation.matching import Matching
from napari_mrsynth.evaluation.metrics import METRICS, Scores
from napari_mrsynth.evaluation.pairing import Pair
from napari_mrsynth.evaluation.places import Place, worst_places
from napari_mrsynth.imaging import LabelVolume, Volume
from napari_mrsynth.progress import Progress

FULL_SCALE = "the truth's maximum minus minimum over the brain"
TITLES = {
    "mse": "MSE",
    "nmse": "NMSE",
    "mae": "MAE",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "ncc": "NCC",
    "gradient_correlation": "gradient correlation",
    "mutual_information": "mutual information, nats",
}
"""What people call the figures."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A prediction that has been compared.

    Attributes
    ----------
    name : str
        What to call the prediction.
    truth_name : str
        What the truth is called.
    pair : Pair
        The images on one grid.
    scores : Scores
        The figures.
    worst : tuple of Place
        Where the prediction is most wrong within the brain.
    bootstrap : Bootstrap
        How the intervals were made.
    synthetic : tuple of bool
        Whether the prediction and whether the truth are known to be made by a model.
    made_by : mapping
        Of a synthetic prediction: ``bundle``, ``weights_sha256`` and ``inputs``; empty where nobody knows.
    """

    name: str
    truth_name: str
    pair: Pair
    scores: Scores
    worst: tuple[Place, ...]
    bootstrap: Bootstrap
    synthetic: tuple[bool, bool]
    made_by: Mapping[str, Any] = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """Return all of it but the voxels as plain data, as ``mrsynth evaluate --json`` prints it."""
        return {
            **self.scores.as_dict(),
            "data_range_is": FULL_SCALE,
            "prediction": self.name,
            "truth_is": self.truth_name,
            "made_by": dict(self.made_by),
            "mask": self.pair.mask_from,
            "matching": self.pair.matching.value,
            "matching_factor": self.pair.factor,
            "bootstrap": asdict(self.bootstrap) if self.bootstrap.replicates else None,
            "worst": [asdict(place) for place in self.worst],
            "warnings": self.pair.notes,
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return one flat row per region: the figures, their intervals and how they were made."""
        return [
            {
                "prediction": self.name,
                "truth": self.truth_name,
                "model": self.made_by.get("bundle", ""),
                "inputs": "+".join(self.made_by.get("inputs", ())),
                "region": name,
                "voxels": scores.voxels,
                **{metric: getattr(scores, metric) for metric in METRICS},
                **{
                    f"{metric}_{end}": None if scores.intervals is None else scores.intervals[metric][place]
                    for metric in METRICS
                    for place, end in enumerate(("low", "high"))
                },
                "data_range": scores.data_range,
                "mask": self.pair.mask_from,
                "matching": self.pair.matching.value,
                "matching_factor": self.pair.factor,
            }
            for name, scores in self.scores.regions.items()
        ]


def comparing(
    pred: Volume,
    truth: Volume,
    *,
    name: str = "",
    mask: LabelVolume | None = None,
    lesions: LabelVolume | None = None,
    matching: Matching = Matching.NONE,
    bootstrap: Bootstrap | None = None,
) -> Generator[Progress, None, Comparison]:
    """Compare a prediction with its truth, step by step.

    Parameters
    ----------
    pred, truth : Volume
        The two images, on any grids that meet.
    name : str
        What to call the prediction; its own name if empty.
    mask, lesions, matching
        As for :meth:`~napari_mrsynth.evaluation.pairing.Pair.of`.
    bootstrap : Bootstrap, optional
        How intervals are made; the usual way if not given.

    Raises
    ------
    InputError
        What :meth:`Pair.of` and :func:`~napari_mrsynth.evaluation.score` refuse.
    """
    how = Bootstrap() if bootstrap is None else bootstrap
    yield Progress(0.0, "Bringing prediction and truth onto one grid")
    pair = Pair.of(pred, truth, mask=mask, lesions=lesions, matching=matching)
    yield Progress(0.2, "Measuring")
    scores = pair.score(bootstrap=how)
    yield Progress(0.85, "Looking for the worst places")
    worst = worst_places(pair, pair.regions["brain"])
    return Comparison(
        name or pred.name,
        truth.name,
        pair,
        scores,
        worst,
        how,
        (pred.is_synthetic, truth.is_synthetic),
        _made_by(pred.source.synthetic),
    )


def _made_by(provenance: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return which model made a prediction from which inputs, as far as its provenance says."""
    if not provenance:
        return {}
    bundle, inputs = provenance.get("bundle"), provenance.get("inputs")
    found: dict[str, Any] = {}
    if isinstance(bundle, Mapping):
        found |= {"bundle": bundle.get("id"), "weights_sha256": bundle.get("weights_sha256")}
    if isinstance(inputs, Mapping):
        found["inputs"] = list(inputs)
    return found
