"""The availability table for people and programs: Markdown, CSV, JSON; published figures beside ours."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sized
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_mrsynth import __version__
from napari_mrsynth.datasets.availability.arms import MEASURE, SOURCE, SYNTHETIC_FIRST, Arm
from napari_mrsynth.datasets.availability.experiment import Outcome
from napari_mrsynth.datasets.availability.learning import PUBLISHED
from napari_mrsynth.datasets.availability.mixing import CLASSICAL, PRE_TRAINING
from napari_mrsynth.evaluation.patients import Interval, OverPatients
from napari_mrsynth.io.atomic import replacing
from napari_mrsynth.lesions import label_set
from napari_mrsynth.training.experiments.plan import changes
from napari_mrsynth.training.shipped import called

REHEARSAL = "**A rehearsal (`--quick`): few lines, short trainings. These figures say nothing.**"
LESION = "lesion"


def write_report(outcome: Outcome) -> dict[str, Path]:
    """Write ``availability.md``, ``.json`` and ``.csv``; return them as ``page``, ``data`` and ``rows``.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    folder = outcome.settings.folder
    texts = {
        "page": ("availability.md", page(outcome)),
        "data": (
            "availability.json",
            json.dumps(finite(payload(outcome)), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        ),
        "rows": ("availability.csv", rows(outcome)),
    }
    paths = {}
    for kind, (name, text) in texts.items():
        paths[kind] = folder / name
        with replacing(paths[kind]) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return paths


def payload(outcome: Outcome) -> dict[str, Any]:
    """Return everything as plain data; what is not known is NaN or None."""
    sides = outcome.sides
    return {
        "quick": outcome.settings.quick,
        "software": {"name": "napari-mrsynth", "version": __version__},
        "learnt_from": [patient.subject for patient in sides.learn],
        "judged_on": {"patients": [patient.subject for patient in sides.judge], "why": sides.why},
        "synthetic": {
            "samples": len(sides.synthetic),
            "acceptance_rate": sides.manifest.get("acceptance_rate"),
            "dice": sides.manifest.get("dice"),
            "recipe": sides.manifest.get("recipe"),
        },
        "steps": outcome.config.optim.steps,
        "repeats": outcome.settings.repeats,
        "published": {"source": SOURCE, "measure": MEASURE},
        "arms": [_arm(outcome, arm) for arm in outcome.arms],
        "realism": asdict(outcome.realism),
        "skipped": [{"subject": subject, "reason": reason} for subject, reason in sides.skipped],
    }


def _arm(outcome: Outcome, arm: Arm) -> dict[str, Any]:
    return {
        "line": arm.number,
        "title": arm.title,
        "real": arm.real,
        "synthetic": arm.synthetic,
        "enhanced": arm.enhanced,
        "mixing": arm.mixing.value,
        "patients": dict(outcome.used(arm)),
        "published": {"mse": arm.mse, "dice": arm.dice},
        "figures": {name: asdict(outcome.spread(arm, name)) for name in outcome.measures},
        "gain_over_real_only": {name: asdict(outcome.gain(arm, name)) for name in outcome.measures},
    }


def rows(outcome: Outcome) -> str:
    """Return one line per arm, training, patient and measure, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("line", "title", "repeat", "patient", "measure", "value", "published_dice"))
    for each in outcome.judged:
        for measure in outcome.measures:
            for patient, value in each.figures.get(measure, {}).items():
                line = (each.arm.number, each.arm.title, each.repeat, patient, measure)
                writer.writerow((*line, f"{value:.6g}", each.arm.dice))
    return text.getvalue()


def page(outcome: Outcome) -> str:
    """Return the report as Markdown."""
    lines = ["# What synthetic patients are good for", ""]
    if outcome.settings.quick:
        lines += [REHEARSAL, ""]
    lines += [f"Made by `{_command(outcome)}` of napari-mrsynth {__version__}.", ""]
    lines += [f"- {sentence}" for sentence in _protocol(outcome)]
    lines += ["", "## Overlap with what experts drew", "", *_overlap(outcome)]
    lines += ["", "## Beside the published figures", "", *_published(outcome)]
    lines += ["", "## Variety and realism", "", *_realism(outcome)]
    if outcome.sides.skipped:
        lines += ["", "## Left out", ""]
        lines += [f"- {subject}: {reason}" for subject, reason in outcome.sides.skipped]
    return "\n".join(lines) + "\n"


def verdict(outcome: Outcome) -> str | None:
    """Say what synthetic-first training gains over real data alone; None where it was not asked."""
    arm = next((arm for arm in outcome.arms if arm.number == SYNTHETIC_FIRST), None)
    if arm is None:
        return None
    gain = outcome.gain(arm, LESION)
    better = "gains" if gain.mean >= 0 else "loses"
    sure = "" if gain.student is None else f" (95 % interval {_interval(gain.student, signed=True)})"
    return (
        f"Synthetic first, then real {better} {abs(gain.mean):.3f} in lesion Dice against real data alone"
        f"{sure}, over {_count(range(gain.count), 'patient')}."
    )


def _command(outcome: Outcome) -> str:
    """Write the command that makes the page; where the data lie is left out."""
    settings, disease = outcome.settings, outcome.sides.manifest["recipe"]["disease"]
    said = ["mrsynth dataset verify --real REAL --synthetic SYNTHETIC"]
    said += [f"--only '{settings.only}'"] if settings.only else []
    said += [f"--held-out {','.join(settings.held_out)}"] if settings.held_out else []
    said += [f"--lines {','.join(map(str, settings.arms))}"] if settings.arms else []
    said += [f"--repeats {settings.repeats}"] if settings.repeats > 1 else []
    said += [] if (config := called(settings.config)) == f"segmenter/{disease}" else [f"--config {config}"]
    said += changes(settings.overrides)
    return " ".join([*said, *(["--quick"] if settings.quick else [])])


def _protocol(outcome: Outcome) -> list[str]:
    sides, optim = outcome.sides, outcome.config.optim
    rate = sides.manifest.get("acceptance_rate")
    accepted = "" if rate is None else f", {rate:.1%} of all attempts"
    repeats = outcome.settings.repeats
    return [
        f"Learnt from {_count(sides.learn, 'real patient')} and {_count(sides.synthetic, 'synthetic sample')}"
        f"{accepted}.",
        f"Judged on {_count(sides.judge, 'real patient')} on no other side and without a part in making the "
        f"synthetic ones: {', '.join(p.subject for p in sides.judge)} ({sides.why}).",
        f"Every line learns for {optim.steps} steps of {optim.batch} crops from the same first weights"
        + (
            f"; the mean of {repeats} trainings counts (the paper: the best of four)." if repeats > 1 else "."
        ),
        f"The segmenter sees {_seen(int(outcome.config.network.get('neighbours', 1)))}.",
        "Real data are counted in patients, never in slices of one patient: 10 % is at least one. Shares of "
        "the crops follow the table; 300 % synthetic draws from every sample, 100 % from a third of them.",
        f"Where one source comes first, it has {PRE_TRAINING:.0%} of the steps; the paper does not say.",
        f"Augmented: mirrored, turned by up to {CLASSICAL.degrees:g}°, scaled by up to {CLASSICAL.zoom:.0%}, "
        "shifted. No other line is augmented, as in the paper.",
        f"Dice is the overlap of label voxels over a whole patient, of label {_classes(outcome)}.",
        "Intervals: 95 % over patients, by Student's t; the bootstrap's, too narrow with so few, are in "
        "`availability.json`.",
    ]


def _overlap(outcome: Outcome) -> list[str]:
    names = [name for name in outcome.measures if name != PUBLISHED]
    lines = [
        "| line | learnt from | patients | " + " | ".join(names) + " | lesion, gain over real only |",
        "|---:|---|---|" + "---|" * (len(names) + 1),
    ]
    for arm in outcome.arms:
        used = ", ".join(f"{count} {kind}" for kind, count in outcome.used(arm).items())
        cells = [_shown(outcome.spread(arm, name)) for name in names]
        cells.append(_shown(outcome.gain(arm, LESION), signed=True))
        lines.append(f"| {arm.number} | {arm.title} | {used} | " + " | ".join(cells) + " |")
    said = verdict(outcome)
    return [*lines, *(["", said] if said else [])]


def _published(outcome: Outcome) -> list[str]:
    lines = [
        f"{SOURCE}: {MEASURE} Ours is the same measure of the mean training, on other patients: only "
        "how lines stand to each other can be compared.",
        "",
        "| line | learnt from | published Dice | published, gain over real only | ours, the same measure "
        "| ours, gain | ours, Dice of lesion voxels |",
        "|---:|---|---:|---:|---|---|---|",
    ]
    base = next(arm for arm in outcome.arms if arm.number == 1)
    for arm in outcome.arms:
        cells = [
            f"{arm.dice:.3f}",
            f"{arm.dice - base.dice:+.3f}",
            _shown(outcome.spread(arm, PUBLISHED)),
            _shown(outcome.gain(arm, PUBLISHED), signed=True),
            _shown(outcome.spread(arm, LESION)),
        ]
        lines.append(f"| {arm.number} | {arm.title} | " + " | ".join(cells) + " |")
    return lines


def _realism(outcome: Outcome) -> list[str]:
    found = outcome.realism
    lines = [
        f"MS-SSIM between slices of different patients, mean of {found.pairs} random pairs: lower is more "
        f"varied. Fréchet distance on the features of the segmenter of line 1, {found.slices} slices a side.",
        "",
        "| | synthetic | real |",
        "|---|---:|---:|",
    ]
    for contrast, both in found.ms_ssim.items():
        lines.append(f"| MS-SSIM, {contrast} | {_number(both['synthetic'])} | {_number(both['real'])} |")
    apart = found.frechet
    made, same = _number(apart["synthetic_to_real"]), _number(apart["real_to_real"])
    return [*lines, f"| Fréchet distance to real | {made} | {same} |"]


def _shown(spread: OverPatients, *, signed: bool = False) -> str:
    if math.isnan(spread.mean):
        return "–"
    text = f"{spread.mean:+.3f}" if signed else f"{spread.mean:.3f}"
    return text if spread.student is None else f"{text} [{_interval(spread.student, signed=signed)}]"


def _interval(interval: Interval, *, signed: bool = False) -> str:
    low, high = interval
    if not signed:
        low, high = max(low, 0.0), min(high, 1.0)
    return f"{low:+.3f} to {high:+.3f}" if signed else f"{low:.3f} to {high:.3f}"


def _count(things: Sized, what: str) -> str:
    return f"{len(things)} {what}{'' if len(things) == 1 else 's'}"


def _seen(neighbours: int) -> str:
    if not neighbours:
        return "one slice at a time, as synthetic patients of random anatomy are one slice thick"
    return f"{1 + 2 * neighbours} neighbouring slices at a time"


def _classes(outcome: Outcome) -> str:
    return label_set(str(outcome.sides.manifest["recipe"]["disease"])).described()


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def finite(value: Any) -> Any:
    """Return plain data with None for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
