"""What was measured of painted lesions as people read it: a page, a picture, rows, figures for the card."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_mrsynth.bundles import Card
from napari_mrsynth.evaluation.card.page import TRAINING_ERROR, closing, how_many, opening
from napari_mrsynth.evaluation.displacement import REACH_VOX
from napari_mrsynth.generation.measured.measure import EVERY, MADE, REAL, Pictured, Score
from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.io.figures import blank_figure, write_png

PUBLISHED_DICE = 0.838
"""The best unfiltered figure of Qu et al. 2020, on their own measure."""


def write_painted_report(
    folder: Path,
    card: Card,
    judge: Card,
    scores: Sequence[Score],
    pictured: Sequence[Pictured],
    *,
    skipped: Sequence[tuple[str, str]] = (),
    training_error: bool = False,
) -> dict[str, Path]:
    """Write ``painted-ID.md``, ``.png`` and ``.csv`` into a folder.

    Returns
    -------
    dict of str to Path
        ``painted page``, ``painted figure`` and ``painted rows``.

    Raises
    ------
    OutputError
        If matplotlib, which draws the figure, is not installed, or the disk refuses.
    """
    stem = f"painted-{card.id}"
    paths = {
        f"painted {what}": folder / f"{stem}.{ending}"
        for what, ending in (("page", "md"), ("figure", "png"), ("rows", "csv"))
    }
    _draw(paths["painted figure"], pictured)
    rows = [_row(score) for score in scores]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with (
        replacing(paths["painted rows"]) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as f,
    ):
        writer = csv.DictWriter(f, columns)
        writer.writeheader()
        writer.writerows(rows)
    text = page(card, judge, scores, skipped=skipped, training_error=training_error, figure=f"{stem}.png")
    with replacing(paths["painted page"]) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return paths


def page(
    card: Card,
    judge: Card,
    scores: Sequence[Score],
    *,
    skipped: Sequence[tuple[str, str]],
    training_error: bool,
    figure: str,
) -> str:
    """Return the report as Markdown."""
    patients = list(dict.fromkeys(score.patient for score in scores))
    lines = opening(
        f"Painted lesions: {card.id}",
        card,
        patients,
        training_error=training_error,
        judged_by=f", segmenter {judge.id} `{judge.weights_sha256[:12]}`",
    )
    lines += [
        "- Anatomy: the structure map of the patient's first scan of T1w, T2w, FLAIR, T1ce, without its own "
        "lesion. Lesion: an expert's label, the patient's own or another patient's on the same grid; what "
        "lies outside the brain is left out. Nothing is drawn again, nothing is filtered.",
        "- *Dice*: what the segmenter finds in all made contrasts together, against the painted label, over "
        "the voxels of the whole volume. On the patient's real scans the same segmenter is asked too. A "
        "class that is found where nobody drew it counts as 0; one that is neither drawn nor found is left "
        "out, and a mean over fewer than all says of how many it is.",
        "- *published measure*: class numbers, slice by slice, for comparing with the published figures only "
        f"(Qu et al. 2020: {PUBLISHED_DICE} unfiltered at best, other data).",
        "- *structure*: F1 of the map made again of a made contrast and the given map, pixel by pixel, "
        "lesion left out.",
        "- *apart*: in-plane shift in voxels that brings the edges of two contrasts together best, of those "
        f"up to {REACH_VOX} along each axis, on every {EVERY}th slice; mean, and the greatest of all "
        f"slices. Where that is near {REACH_VOX} or above, the slice has too few common edges for a shift to "
        "be found.",
        "",
        "## Is the painted lesion found?",
        "",
        *_dice_table(scores),
        "",
        "## Is the structure kept?",
        "",
        *_structure_table(scores),
        "",
        "## Are the contrasts registered?",
        "",
        *_apart_table(scores),
        "",
        f"![Real and made contrasts of the same slices]({figure})",
        "",
        "Of each patient the slice with most lesion: the real scans, and what was made of the map and the "
        "label alone. Grey values are shown on the same scale, both divided by their own mean.",
    ]
    lines += closing(skipped)
    return "\n".join(lines) + "\n"


def results_of(
    scores: Sequence[Score], judge: Card, command: str, *, training_error: bool = False
) -> dict[str, Any]:
    """Return the figures as a card keeps them: means over the made sets, texts first."""
    made = [score for score in scores if score.kind == MADE]
    patients = how_many(list(dict.fromkeys(score.patient for score in made)))
    figures: dict[str, Any] = {
        f"Dice of {name}": round(mean, 4)
        for name in made[0].dice
        if (mean := _mean([score.dice[name] for score in made])) is not None
    }
    for name in made[0].structure_f1:
        figures[f"F1 of the structure in {name}"] = round(
            float(np.mean([score.structure_f1[name] for score in made])), 4
        )
    figures["contrasts apart, mean, voxels"] = round(
        float(np.mean([value for score in made for value in score.apart_mean.values()])), 4
    )
    figures["contrasts apart, most, voxels"] = round(
        max(value for score in made for value in score.apart_most.values()), 4
    )
    unseen = "" if training_error else ", not among the training subjects"
    how = (
        f"Painted lesions on the anatomy of {patients}{unseen}: expert labels, nothing filtered; Dice of "
        f"{judge.id} on the made contrasts. Made by `{command}`."
    )
    if training_error:
        how = f"{TRAINING_ERROR} {how}"
    return {"how lesions were measured": how, "painted": figures}


def _row(score: Score) -> dict[str, Any]:
    return {
        "patient": score.patient,
        "lesion": score.lesion,
        "scans": score.kind,
        **{f"dice {name}": value for name, value in score.dice.items()},
        "published measure": score.published,
        **{f"structure {name}": value for name, value in score.structure_f1.items()},
        **{f"apart {name} mean": value for name, value in score.apart_mean.items()},
        **{f"apart {name} most": value for name, value in score.apart_most.items()},
    }


def _dice_table(scores: Sequence[Score]) -> list[str]:
    names = list(scores[0].dice)
    rows = [
        [*_whose(score), *(_told(score.dice[name], 3) for name in names), _told(score.published, 3)]
        for score in scores
    ]
    for kind in (MADE, REAL):
        here = [score for score in scores if score.kind == kind]
        means = [_told_mean([score.dice[name] for score in here]) for name in names]
        rows.append(["**mean**", "", kind, *means, _told_mean([score.published for score in here])])
    return _table(("anatomy", "lesion of", "scans", *names, "published measure"), rows)


def _structure_table(scores: Sequence[Score]) -> list[str]:
    made = [score for score in scores if score.kind == MADE]
    names = list(made[0].structure_f1)
    rows = [
        [score.patient, score.lesion, *(_told(score.structure_f1[name], 3) for name in names)]
        for score in made
    ]
    return _table(("anatomy", "lesion of", *names), rows)


def _apart_table(scores: Sequence[Score]) -> list[str]:
    names = list(scores[0].apart_mean)
    rows = [
        [*_whose(score), *(f"{score.apart_mean[n]:.2f} ({score.apart_most[n]:.2f})" for n in names)]
        for score in scores
    ]
    return _table(("anatomy", "lesion of", "scans", *names), rows)


def _whose(score: Score) -> tuple[str, str, str]:
    return score.patient, score.lesion, score.kind


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _told(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _told_mean(values: Sequence[float | None]) -> str:
    """Write a mean, and of how many values it is where some are missing."""
    known = sum(value is not None for value in values)
    return _told(_mean(values), 3) + (f" (of {known})" if 0 < known < len(values) else "")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows)]


def _draw(path: Path, pictured: Sequence[Pictured]) -> None:
    """Draw two rows per patient, real and made; a column per contrast, and label and map at the end."""
    names = list(pictured[0].made)
    figure = blank_figure(2.0 * (len(names) + 1), 4.6 * len(pictured))
    panels = figure.subplots(2 * len(pictured), len(names) + 1, squeeze=False)
    for place, each in enumerate(pictured):
        rows, columns = np.nonzero(each.real[names[0]])
        box = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
        sets: tuple[tuple[str, Mapping[str, Any]], ...] = ((REAL, each.real), (MADE, each.made))
        for half, (kind, images) in enumerate(sets):
            line = panels[2 * place + half]
            for panel, name in zip(line, names, strict=False):
                truth = each.real[name] / each.real[name][each.real[name] > 0].mean()
                image = images[name] / images[name][images[name] > 0].mean()
                panel.imshow(
                    image[box][::-1], cmap="gray", vmin=0, vmax=np.percentile(truth[truth > 0], 99.5)
                )
                panel.set_title(f"{name}, {kind}", fontsize=8)
            shown, title = (each.labels, "label") if kind == REAL else (each.structure, "map")
            line[-1].imshow(shown[box][::-1], cmap="viridis" if kind == REAL else "gray")
            line[-1].set_title(f"{title} of {each.patient}", fontsize=8)
    for panel in panels.flat:
        panel.set_axis_off()
    write_png(figure, path, dpi=110)
