"""``mrsynth dataset build`` and ``verify``: labelled synthetic data sets, and what they are good for."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mrsynth.cli._options import REHEARSED, Changes, Disease, Only, Quick, listed, refuse_unused
from napari_mrsynth.cli._output import Report, absolute, left_out, pairs, showing_progress, table

if TYPE_CHECKING:
    from napari_mrsynth.datasets.build import Built

SHORT = 2
"""The exit code where fewer samples passed the filters than were asked for."""


class Anatomy(StrEnum):
    """Where the brains of a set come from."""

    RANDOM = "random"
    PATIENTS = "patients"


Model = Annotated[
    str | None, typer.Option(metavar="ID", help="A model, or its folder; the disease's installed one else.")
]


def build(
    n: Annotated[int, typer.Option("--n", min=1, metavar="N", help="How many samples.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the set; an unfinished one goes on.")],
    labels: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of lesion maps to draw from; else the patients' own."),
    ] = None,
    anatomy: Annotated[
        Anatomy, typer.Option(help="Brains drawn by a model (one slice each), or of real patients.")
    ] = Anatomy.RANDOM,
    disease: Annotated[Disease, typer.Option(help="Whose lesion classes.")] = Disease.TUMOUR,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of patients, for --anatomy patients.")
    ] = None,
    only: Only = "",
    structure_from: Annotated[
        str | None,
        typer.Option(metavar="CONTRAST", help="The patients' scan that gives the anatomy; by default T1w."),
    ] = None,
    want: Annotated[
        str, typer.Option(metavar="CONTRAST[,...]", help="What to make; by default all the generator can.")
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same set.")] = 0,
    threshold: Annotated[
        float, typer.Option(metavar="DICE", help="What the segmenter must find again of each lesion; 0: all.")
    ] = 0.95,
    map_error: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Largest gap between a random map's outline and its mask; by default 0.05.",
        ),
    ] = None,
    attempts: Annotated[
        int, typer.Option(min=1, metavar="K", help="How often a sample is tried before it is given up.")
    ] = 20,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Processes on this machine.")] = 1,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler: tcp://host:8786")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    generator: Model = None,
    segmenter: Model = None,
    anatomy_model: Model = None,
) -> Report:
    """Make labelled synthetic patients, each by its own seed, and keep those that pass the filters."""
    from napari_mrsynth.datasets.build import Order
    from napari_mrsynth.datasets.build import build as make
    from napari_mrsynth.imaging import contrasts

    if anatomy is Anatomy.RANDOM:
        unused: dict[str, object] = {
            "--data": data,
            "--only": only or None,
            "--structure-from": structure_from,
        }
        refuse_unused(unused, "with random anatomy", "Leave them out, or add --anatomy patients.")
    else:
        unused = {"--map-error": map_error, "--anatomy-model": anatomy_model}
        refuse_unused(unused, "with the anatomy of patients", "Leave them out, or add --anatomy random.")
    order = Order(
        count=n,
        out=absolute(out),
        labels=None if labels is None else absolute(labels),
        anatomy=anatomy.value,
        disease=disease.value,
        seed=seed,
        threshold=threshold,
        outline=Order.outline if map_error is None else map_error,
        attempts=attempts,
        structure_from=contrasts.canonical(structure_from or Order.structure_from),
        device=device,
        data=None if data is None else absolute(data),
        only=only,
        contrasts=tuple(contrasts.canonical(name) for name in listed(want)),
        makes=generator,
        judges=segmenter,
        draws=anatomy_model,
        jobs=jobs,
        dask=dask,
    )
    with showing_progress() as show:
        built = make(order, report=show)
    said = ("asked", "made", "given_up", "attempts", "acceptance_rate", "refused", "filters", "dice")
    payload = {
        "folder": built.folder,
        "manifest": built.folder / "manifest.json",
        "fresh": built.fresh,
        **{key: built.manifest[key] for key in said},
        "skipped": [{"subject": subject, "reason": reason} for subject, reason in built.skipped],
    }
    return Report(payload, _text(built), SHORT if built.manifest["given_up"] else 0)


def _text(built: Built) -> str:
    found = built.manifest
    rate = found["acceptance_rate"]
    lines = {
        "Folder": built.folder,
        "Samples": f"{found['made']} of {found['asked']} ({built.fresh} new)",
        "Acceptance rate": "–" if rate is None else f"{rate:.1%} of {found['attempts']} attempts",
    }
    names = {"map": "Map filter", "lesion": "Lesion in brain", "dice": "Segmenter's Dice"}
    for key, passed in found["filters"].items():
        if passed is not None and passed["rate"] is not None:
            lines[names[key]] = f"{passed['passed']} of {passed['reached']} passed ({passed['rate']:.1%})"
    dice = found["dice"]
    if dice["kept"] is not None:
        lines["Dice"] = (
            f"{dice['kept']:.3f} of what was kept, {dice['before_the_filter']:.3f} before the filter"
        )
    text = [pairs(lines)]
    if found["given_up"]:
        samples = "1 sample was" if found["given_up"] == 1 else f"{found['given_up']} samples were"
        text.append(
            f"{samples} given up: allow more --attempts, or lower the --threshold; why is in manifest.json."
        )
    text += left_out(built.skipped)
    return "\n".join(text)


def verify(
    real: Annotated[Path, typer.Option(metavar="DIR", help="Folder of real patients with lesion labels.")],
    synthetic: Annotated[Path, typer.Option(metavar="DIR", help="A set that `dataset build` made.")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where trainings and tables are kept; goes on there.")
    ],
    only: Only = "",
    held_out: Annotated[
        str, typer.Option(metavar="ID[,...]", help="Who is judged on; by default who the set does not know.")
    ] = "",
    lines: Annotated[
        str, typer.Option(metavar="N[,...]", help="Lines of the published table; all by default.")
    ] = "",
    repeats: Annotated[int, typer.Option(min=1, metavar="N", help="Trainings of each line.")] = 1,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE|NAME", help="The segmenter's; the disease's shipped one else."),
    ] = None,
    changes: Changes = None,
    quick: Quick = False,
) -> Report:
    """Train segmenters on real, synthetic and mixed patients, and say which learn best."""
    from napari_mrsynth.datasets.availability.experiment import Settings, run, shipped_config
    from napari_mrsynth.datasets.availability.report import finite, payload, verdict, write_report
    from napari_mrsynth.datasets.folder import DatasetFolder
    from napari_mrsynth.training.shipped import configuration_at

    where = absolute(synthetic)
    disease = str(DatasetFolder(where).manifest()["recipe"]["disease"])
    settings = Settings(
        real=absolute(real),
        synthetic=where,
        out=absolute(out),
        config=shipped_config(disease) if config is None else configuration_at(config, "segmenter"),
        overrides=tuple(changes or ()),
        only=only,
        held_out=listed(held_out),
        arms=_numbers(lines),
        repeats=repeats,
        quick=quick,
    )
    with showing_progress() as show:
        outcome = run(settings, show)
    paths = write_report(outcome)
    head = ("line", "learnt from", "lesion Dice", "published measure", "published")
    body = [
        (
            str(arm.number),
            arm.title,
            f"{outcome.spread(arm, 'lesion').mean:.3f}",
            f"{outcome.spread(arm, 'label-value-dice').mean:.3f}",
            f"{arm.dice:.3f}",
        )
        for arm in outcome.arms
    ]
    said = [table(body, head), "", verdict(outcome) or ""]
    said += [f"{kind}: {path}" for kind, path in paths.items()]
    said += left_out(outcome.sides.skipped)
    if quick:
        said.append(REHEARSED)
    return Report({"files": paths, **finite(payload(outcome))}, "\n".join(said))


def _numbers(text: str) -> tuple[int, ...]:
    from napari_mrsynth.errors import ConfigError

    parts = listed(text)
    if not all(part.isdigit() for part in parts):
        raise ConfigError(f"“{text}” are not lines of a table.", hint="Give numbers: --lines 1,2,17")
    return tuple(int(part) for part in parts)
