"""An experiment's figures onto the card of the model that was judged: nothing typed by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from napari_mrsynth.bundles import Bundle, save_bundle
from napari_mrsynth.evaluation.card.page import how_many
from napari_mrsynth.training.config import CardConfig
from napari_mrsynth.training.experiments.plan import NETWORK
from napari_mrsynth.training.experiments.summary import Table

COLUMNS = {
    "NMSE": ("nmse", "brain"),
    "NMSE in lesions": ("nmse", "lesion"),
    "MAE": ("mae", "brain"),
    "PSNR, dB": ("psnr", "brain"),
    "SSIM": ("ssim", "brain"),
    "SSIM in lesions": ("ssim", "lesion"),
}
HOW = (
    "Foreground error on {patients}, not among the training subjects; both images divided by their own mean "
    "over the brain (NMSE, MAE), data range the truth's over the brain (PSNR). Made by `{command}`."
)


def write_on_card(bundle: Bundle, texts: CardConfig, table: Table, command: str) -> Bundle:
    """Save a bundle again, its weights unchanged, with the figures and texts that belong on its card.

    Parameters
    ----------
    bundle : Bundle
        The one that was judged; its folder is replaced.
    texts : CardConfig
        What people should read, from the training configuration.
    table : Table
        Rows of the ``test`` part.
    command : str
        What made the figures.
    """
    patients = ", ".join(table.patients) if texts.name_patients else how_many(table.patients)
    results: dict[str, Any] = {"how": HOW.format(patients=patients, command=command)}
    results["test"] = {
        f"{inputs} → {target}": _figures(table, inputs, target) for inputs, target in table.pairs
    }
    card = replace(
        bundle.card,
        title=texts.title,
        summary=texts.summary,
        licence=texts.licence,
        data_licences=texts.data_licences,
        citation=texts.citation,
        limits=texts.limits,
        results=results,
    )
    return save_bundle(bundle.folder, card, bundle.state())


def _figures(table: Table, inputs: str, target: str) -> dict[str, float]:
    means = {
        name: table.spread(NETWORK, inputs, target, figure, region).mean
        for name, (figure, region) in COLUMNS.items()
    }
    return {name: round(mean, 4) for name, mean in means.items() if math.isfinite(mean)}
