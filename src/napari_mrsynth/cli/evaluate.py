"""``mrsynth evaluate``: how far a prediction is from the truth, over the brain, its healthy part, lesions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mrsynth.cli._output import Report, absolute, table

if TYPE_CHECKING:
    from napari_mrsynth.evaluation import Pair, Scores
    from napari_mrsynth.imaging import LabelVolume, Volume

FULL_SCALE = "the truth's maximum minus minimum over the brain"


def evaluate(
    pred: Annotated[Path, typer.Option(metavar="FILE", help="The prediction.")],
    truth: Annotated[Path, typer.Option(metavar="FILE", help="The real scan it is to be compared with.")],
    mask: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A brain mask; by default computed from the truth.")
    ] = None,
    lesions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Lesion labels, for scores inside and outside them.")
    ] = None,
) -> Report:
    """Score a prediction against the truth: MSE, MAE, PSNR, SSIM and correlation per region."""
    from napari_mrsynth.evaluation import Pair

    pair = Pair.of(
        _scan(pred),
        _scan(truth),
        mask=None if mask is None else _labels(mask),
        lesions=None if lesions is None else _labels(lesions),
    )
    scores = pair.score()
    payload = {
        **scores.as_dict(),
        "data_range_is": FULL_SCALE,
        "pred": absolute(pred),
        "truth": absolute(truth),
        "mask": pair.mask_from,
        "warnings": pair.notes,
    }
    return Report(payload, _text(pair, scores))


def _scan(path: Path) -> Volume:
    from napari_mrsynth.errors import FormatError
    from napari_mrsynth.imaging import Volume
    from napari_mrsynth.io import read_image

    image = read_image(absolute(path), kind="scan")
    if not isinstance(image, Volume):
        raise FormatError(f"{path} is a label map, not a scan.", hint="Give labels with --mask or --lesions.")
    return image


def _labels(path: Path) -> LabelVolume:
    from napari_mrsynth.errors import FormatError
    from napari_mrsynth.imaging import LabelVolume
    from napari_mrsynth.io import read_image

    image = read_image(absolute(path), kind="labels")
    if not isinstance(image, LabelVolume):
        raise FormatError(f"{path} is a scan, not a label map.", hint="Give scans with --pred and --truth.")
    return image


def _text(pair: Pair, scores: Scores) -> str:
    header = ("region", "voxels", "MSE", "NMSE", "MAE", "PSNR dB", "SSIM", "NCC")
    rows = [
        (
            name,
            str(figures.voxels),
            *(_number(value) for value in (figures.mse, figures.nmse, figures.mae)),
            "identical" if math.isinf(figures.psnr) else f"{figures.psnr:.2f}",
            f"{figures.ssim:.4f}",
            _number(figures.ncc),
        )
        for name, figures in scores.regions.items()
    ]
    lines = [
        table(rows, header),
        f"NMSE: each volume divided by its own mean over the brain (prediction {scores.pred_mean:.5g}, "
        f"truth {scores.truth_mean:.5g}).",
        f"Full scale of PSNR and SSIM: {scores.data_range:.5g}, {FULL_SCALE}.",
        f"Brain mask: {pair.mask_from}.",
        *(f"Note: {note}" for note in pair.notes),
    ]
    return "\n".join(lines)


def _number(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.4g}"
