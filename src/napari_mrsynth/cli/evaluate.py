"""``mrsynth evaluate``: how far a prediction is from the truth, over the brain, its healthy part, lesions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_mrsynth.cli._evaluate_card import measure_card
from napari_mrsynth.cli._output import Report, absolute, follow, left_out, say, table
from napari_mrsynth.errors import InputError, MrsynthError

if TYPE_CHECKING:
    from napari_mrsynth.evaluation.bootstrap import Bootstrap
    from napari_mrsynth.evaluation.comparison import Comparison
    from napari_mrsynth.evaluation.folders import FilePair


class Match(StrEnum):
    """What is done to the prediction's intensities."""

    NONE = "none"
    MEAN = "mean"


def evaluate(
    patients: Annotated[
        Path | None, typer.Argument(metavar="[PATIENTS]", help="With --card: a folder with one per patient.")
    ] = None,
    pred: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The prediction, or a folder of them.")
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The real scan it is to be compared with, or a folder of them."),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="A brain mask, or a folder; by default computed from the truth."),
    ] = None,
    lesions: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Lesion labels, or a folder, for scores inside and outside them."),
    ] = None,
    match: Annotated[
        Match, typer.Option(help="Compare intensities as they are, or bring both brain means together.")
    ] = Match.NONE,
    bootstrap: Annotated[
        int, typer.Option(metavar="N", min=0, help="Replicates behind the intervals; 0 for none.")
    ] = 500,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the figures as a table.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also draw images, difference and error by slice.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Also write a one-page report.")
    ] = None,
    card: Annotated[
        str | None,
        typer.Option(metavar="BUNDLE", help="Measure a model on PATIENTS: every subset of inputs."),
    ] = None,
    training_error: Annotated[
        bool, typer.Option("--training-error", help="With --card: the model may have seen these patients.")
    ] = False,
    align: Annotated[
        bool, typer.Option("--align", help="With --card: first align each patient's scans to each other.")
    ] = False,
    on_card: Annotated[
        bool, typer.Option("--on-card", help="With --card: write the figures on the model's card too.")
    ] = False,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="With --card: where page, figure and rows go.")
    ] = Path(),
) -> Report:
    """Score predictions against the truth: errors, PSNR, SSIM and correlations per region."""
    from napari_mrsynth.evaluation.bootstrap import Bootstrap
    from napari_mrsynth.evaluation.folders import FilePair, pair_folders

    if card is not None:
        return measure_card(
            card, patients, absolute(out), training_error=training_error, on_card=on_card, align=align
        )
    if pred is None or truth is None or patients is not None:
        raise InputError(
            "Nothing to compare was given.",
            hint="Give --pred and --truth, or --card BUNDLE and a folder of patients.",
        )
    how = Bootstrap(replicates=bootstrap)
    pred, truth = absolute(pred), absolute(truth)
    mask, lesions = (None if path is None else absolute(path) for path in (mask, lesions))
    for path, ending in ((csv, ".csv"), (figure, ".png"), (html, ".html")):
        _require_ending(path, ending)
    writers = _writers(csv, figure, html)
    if not pred.is_dir() and not truth.is_dir():
        only = FilePair("", None, pred, truth, lesions, mask)
        comparison = _compare(only, match, how)
        files = {what: write([comparison], []) for what, write in writers.items()}
        return Report({**_payload(only, comparison), "files": files}, _text(comparison))
    pairs, skipped = pair_folders(pred, truth, lesions=lesions, mask=mask)
    done: list[tuple[FilePair, Comparison]] = []
    for count, pair in enumerate(pairs):
        say(f"{count + 1} of {len(pairs)}: {pair.pred.name}")
        try:
            done.append((pair, _compare(pair, match, how, one_of_many=True)))
        except MrsynthError as error:
            skipped.append((pair.pred, str(error)))
    return _folder_report(done, skipped, writers)


def _folder_report(
    done: Sequence[tuple[FilePair, Comparison]],
    skipped: Sequence[tuple[Path, str]],
    writers: dict[str, Callable[..., Path]],
) -> Report:
    from napari_mrsynth.evaluation.tables import summary

    if not done:
        path, reason = skipped[-1]
        raise InputError(f"None of the predictions could be scored; {path.name}: {reason}")
    comparisons = [comparison for _, comparison in done]
    patients = [pair.patient for pair, _ in done]
    files = {what: write(comparisons, patients) for what, write in writers.items()}
    by_contrast: dict[str, list[Comparison]] = {}
    for pair, comparison in done:
        by_contrast.setdefault(pair.contrast or "unknown", []).append(comparison)
    summaries = {contrast: summary(each) for contrast, each in by_contrast.items()}
    payload = {
        "patients": [{"patient": pair.patient, **_payload(pair, found)} for pair, found in done],
        "summary": summaries,
        "skipped": [{"path": path, "reason": reason} for path, reason in skipped],
        "files": files,
    }
    rows = [
        (contrast, region, metric, f"{spread['mean']:.4g}", f"{spread['sd']:.4g}", str(spread["count"]))
        for contrast, regions in summaries.items()
        for region, metrics in regions.items()
        for metric, spread in metrics.items()
    ]
    lines = [table(rows, ("contrast", "region", "figure", "mean", "sd", "scans"))]
    lines += left_out((path.name, reason) for path, reason in skipped)
    return Report(payload, "\n".join(lines))


def _compare(pair: FilePair, match: Match, how: Bootstrap, *, one_of_many: bool = False) -> Comparison:
    """Compare two files; among many, a truth that a model made is refused and empty lesions are left out."""
    from napari_mrsynth.evaluation.comparison import comparing
    from napari_mrsynth.evaluation.matching import Matching
    from napari_mrsynth.evaluation.regions import scored_lesions
    from napari_mrsynth.io import read_image

    truth = read_image(pair.truth, kind="scan")
    lesions = None if pair.lesions is None else read_image(pair.lesions, kind="labels")
    if one_of_many:
        if truth.is_synthetic:
            raise InputError(f"its truth, {pair.truth.name}, is itself synthetic")
        lesions, why = scored_lesions(lesions)
        if why is not None:
            say(f"{pair.pred.name}: {why}")
    return follow(
        comparing(
            read_image(pair.pred, kind="scan"),
            truth,
            mask=None if pair.mask is None else read_image(pair.mask, kind="labels"),
            lesions=lesions,
            matching=Matching(match),
            bootstrap=how,
        )
    )


def _payload(pair: FilePair, comparison: Comparison) -> dict[str, Any]:
    return {**comparison.payload(), "pred": pair.pred, "truth": pair.truth, "lesions": pair.lesions}


def _require_ending(path: Path | None, ending: str) -> None:
    """Refuse a name that says another kind of file: a slip of the keyboard must not overwrite a scan."""
    if path is not None and path.suffix.lower() != ending:
        raise InputError(f"“{path.name}” does not end in {ending}.", hint=f"Call it {path.stem}{ending}.")


def _writers(csv: Path | None, figure: Path | None, html: Path | None) -> dict[str, Callable[..., Path]]:
    """Return what writes the files that were asked for; each takes comparisons and patients."""
    found: dict[str, Callable[..., Path]] = {}
    if csv is not None:
        from napari_mrsynth.evaluation.tables import write_csv

        found["csv"] = lambda comparisons, patients: write_csv(absolute(csv), comparisons, patients)
    if figure is not None:
        from napari_mrsynth.evaluation.drawing import write_figure

        found["figure"] = lambda comparisons, _: write_figure(absolute(figure), comparisons)
    if html is not None:
        from napari_mrsynth.evaluation.page import write_page

        found["html"] = lambda comparisons, _: write_page(absolute(html), comparisons)
    return found


def _text(comparison: Comparison) -> str:
    from napari_mrsynth.evaluation.metrics import METRICS
    from napari_mrsynth.evaluation.words import how_measured, interval, shown

    header = ("region", "voxels", "MSE", "NMSE", "MAE", "PSNR dB", "SSIM", "NCC", "grad. corr.", "mut. inf.")
    rows: list[tuple[str, ...]] = []
    for name, scores in comparison.scores.regions.items():
        rows.append(
            (name, str(scores.voxels), *(shown(metric, getattr(scores, metric)) for metric in METRICS))
        )
        if scores.intervals is not None:
            rows.append(("", "", *(interval(metric, scores).replace(" to ", "–") for metric in METRICS)))
    return "\n".join([table(rows, header), *how_measured(comparison)])
