"""``mrsynth generate``: scans of a brain with the lesion that was painted, and that lesion in real scans."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_mrsynth.cli._options import (
    Device,
    Disease,
    Mask,
    Numbers,
    Precision,
    Where,
    contrasts_of,
    makeable,
    refuse_unused,
    writable,
)
from napari_mrsynth.cli._output import Report, absolute, follow
from napari_mrsynth.errors import BundleError, ConfigError, ContrastError, OutputError

if TYPE_CHECKING:
    from napari_mrsynth.bundles import BundleStore
    from napari_mrsynth.generation import Anatomy, Check, Generated, Painted
    from napari_mrsynth.imaging import LabelVolume, Volume
    from napari_mrsynth.io import PatientFiles
    from napari_mrsynth.lesions import LabelSet

EASIEST = ("T1w", "T2w", "FLAIR", "T1ce")
"""Of which scan of a patient the anatomy is taken where none is named: lesions show least in the first."""

FEW = 3
"""How many of the files that are in the way are named."""


def generate(
    labels: Annotated[Path, typer.Option(metavar="FILE", help="The painted lesion: a label map.")],
    want: Annotated[str, typer.Option(metavar="CONTRAST[,...]", help="What to make: T1w,FLAIR.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the results are written.")],
    disease: Annotated[Disease, typer.Option(help="Whose classes the labels have.")] = Disease.TUMOUR,
    anatomy: Annotated[
        Path | None, typer.Option(metavar="IMAGE", help="A scan of the patient whose anatomy it is.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Random anatomy instead: one axial slice from this seed.")
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(metavar="PATIENT", help="Also paint the lesion into this patient's real scans."),
    ] = None,
    healthy: Annotated[
        bool, typer.Option("--healthy", help="Also make the healthy twin and the difference.")
    ] = False,
    own_lesions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The patient's own lesions, to be taken out of the anatomy."),
    ] = None,
    mask: Mask = None,
    beta: Annotated[
        float | None, typer.Option(metavar="B", help="Threshold of the structure map; the contrast's own.")
    ] = None,
    display_slice: Annotated[
        int | None,
        typer.Option("--slice", metavar="K", help="With --seed: the labels' axial slice, 0 the lowest."),
    ] = None,
    attempts: Annotated[
        int | None,
        typer.Option(metavar="M", help="With --seed: how many maps are drawn at most; by default 50."),
    ] = None,
    blend: Annotated[
        float | None,
        typer.Option(metavar="MM", help="With --into: width of the rim around the lesion; by default 3."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Compare with what the segmenter finds.")
    ] = True,
    bundle: Annotated[str | None, typer.Option(metavar="ID", help="The generator to use.")] = None,
    segmenter: Annotated[str | None, typer.Option(metavar="ID", help="The segmenter to check with.")] = None,
    device: Where = Device.AUTO,
    precision: Numbers = Precision.AUTO,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier result of the same patient or seed.")
    ] = False,
) -> Report:
    """Make registered scans of an anatomy with the painted lesion, each with its provenance beside it."""
    from napari_mrsynth.bundles import BundleStore
    from napari_mrsynth.generation import LesionMaker, generator_bundle
    from napari_mrsynth.generation.saving import remove_results, save
    from napari_mrsynth.io import read_image, read_patient
    from napari_mrsynth.lesions import label_set

    began = time.perf_counter()
    _require_one_anatomy(anatomy, seed, into)
    _refuse_idle(
        seed,
        into,
        check=check,
        of_scans={"--own-lesions": own_lesions, "--mask": mask, "--beta": beta},
        of_slices={"--slice": display_slice, "--attempts": attempts},
        of_rims={"--blend": blend},
        of_checks={"--segmenter": segmenter},
    )
    wanted = contrasts_of(want, "--want")
    classes, store = label_set(disease.value), BundleStore()
    maker = LesionMaker(generator_bundle(store, classes, bundle), device.value, precision.value)
    maker.require(wanted)
    painted_labels = read_image(absolute(labels), kind="labels")
    patient = None if into is None else read_patient(absolute(into))
    if patient is not None:
        _require_scans(patient, wanted)
    given = _scan(anatomy, patient) if seed is None else None
    subject = _subject(seed, patient, given)
    folder = makeable(out)
    earlier = _earlier(folder, subject, (*wanted, "seg"), overwrite=overwrite)
    own = None if own_lesions is None else read_image(absolute(own_lesions), kind="labels")
    own = patient.lesions if own is None and patient is not None else own
    if given is None:
        drawn = _drawn(store, seed or 0, painted_labels, classes, display_slice, attempts, device.value)
        brain, painted = drawn
    else:
        brain = _taken(given, maker.spacing_mm, subject, patient, own, mask, beta)
        painted = _painted(painted_labels, classes, brain)
    made = follow(maker.run(brain, painted, wanted, healthy=healthy))
    made, skipped = _checked(made, store, classes, segmenter, check, device.value, precision.value)
    inside = {} if patient is None else _into(made, patient, blend, own)
    written = save(writable(folder), made, inside)
    here = {path for _, path in written}
    removed, left = remove_results(path for path in earlier if path not in here)
    payload = {
        "outputs": [{"contrast": item.contrast, "kind": item.kind, "path": path} for item, path in written],
        "removed": removed,
        "disease": classes.id,
        "anatomy": brain.record,
        "labels_slice": brain.record.get("labels_slice"),
        "wanted": wanted,
        "dice": None if made.check is None else made.check.dice,
        "segmenter": None if made.check is None else made.check.bundle,
        "label_value_dice": None if made.check is None else made.check.published,
        "structure_f1": made.structure_f1,
        "into": {
            name: volume.source.synthetic["into"]
            for name, volume in inside.items()
            if volume.source.synthetic
        },
        "bundle": made.bundle,
        "device": made.device,
        "precision": made.precision,
        "seconds": round(time.perf_counter() - began, 3),
        "generation_seconds": round(made.seconds, 3),
        "warnings": [*_not_one(brain, patient), *made.warnings, *skipped, *_left(left, subject)],
    }
    return Report(payload, _text(payload, made.check))


def _require_one_anatomy(anatomy: Path | None, seed: int | None, into: Path | None) -> None:
    if anatomy is not None and seed is not None:
        raise ConfigError(
            "--anatomy and --seed are both given.", hint="Give one: a patient's, or a random one."
        )
    if seed is not None and into is not None:
        raise ConfigError(
            "A random anatomy cannot be painted into a patient.",
            hint="Leave --seed out: the anatomy is then the patient's.",
        )
    if anatomy is None and seed is None and into is None:
        raise ConfigError("There is no anatomy.", hint="Give --anatomy IMAGE, --seed N, or --into PATIENT.")


def _refuse_idle(
    seed: int | None,
    into: Path | None,
    *,
    check: bool,
    of_scans: Mapping[str, object],
    of_slices: Mapping[str, object],
    of_rims: Mapping[str, object],
    of_checks: Mapping[str, object],
) -> None:
    """Refuse options that this run would not look at."""
    if seed is None:
        refuse_unused(of_slices, "without --seed", "Leave them out, or give --seed N: a random anatomy.")
    else:
        refuse_unused(
            of_scans,
            f"with --seed {seed}: no scan of a patient is read",
            "Leave them out, or give --anatomy IMAGE in place of --seed.",
        )
    if into is None:
        refuse_unused(of_rims, "without --into", "Leave it out, or give --into PATIENT.")
    if not check:
        refuse_unused(of_checks, "with --no-check", "Leave one of the two out.")


def _subject(seed: int | None, patient: PatientFiles | None, scan: Volume | None) -> str:
    """Return whose name the results will bear."""
    from napari_mrsynth.generation.random import name_of

    if patient is not None:
        return patient.name
    return name_of(seed or 0) if scan is None else _whose(scan)


def _earlier(folder: Path, subject: str, made: Iterable[str], *, overwrite: bool) -> list[Path]:
    """Return the images of an earlier run in a folder; refuse them unless they are to be replaced."""
    from napari_mrsynth.generation.saving import file_name, results_of
    from napari_mrsynth.io.provenance import refuse_foreign_sidecar

    found = results_of(folder, subject)
    if found and not overwrite:
        names = [path.name for path in found]
        more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
        raise OutputError(
            f"{', '.join(names[:FEW])}{more} {'is' if len(names) == 1 else 'are'} already in {folder}.",
            hint="Choose another --out, or give --overwrite to replace the earlier result.",
        )
    for contrast in made:
        refuse_foreign_sidecar(folder / file_name(subject, contrast))
    return found


def _left(paths: Iterable[Path], subject: str) -> list[str]:
    return [
        f"{path.name} of {subject} is not of this run, and was left: it is not known as an unchanged result"
        " of `mrsynth generate`."
        for path in paths
    ]


def _require_scans(patient: PatientFiles, wanted: tuple[str, ...]) -> None:
    here = [volume.contrast for volume in patient.volumes if volume.contrast]
    missing = [name for name in wanted if name not in here]
    if missing:
        raise ContrastError(
            f"{patient.name} has no {', '.join(missing)} to paint into, only {', '.join(here) or 'none'}.",
            hint="Ask for what is there with --want, or leave --into out.",
        )


def _scan(anatomy: Path | None, patient: PatientFiles | None) -> Volume:
    from napari_mrsynth.io import read_image

    if anatomy is not None:
        return read_image(absolute(anatomy), kind="scan")
    here = {volume.contrast: volume for volume in (patient.volumes if patient is not None else ())}
    return next((here[name] for name in EASIEST if name in here), next(iter(here.values())))


def _taken(
    scan: Volume,
    spacing_mm: float,
    name: str,
    patient: PatientFiles | None,
    own: LabelVolume | None,
    mask: Path | None,
    beta: float | None,
) -> Anatomy:
    from napari_mrsynth.generation import patient_anatomy
    from napari_mrsynth.imaging import BrainMask
    from napari_mrsynth.io import read_image
    from napari_mrsynth.preprocess.mask import without_specks
    from napari_mrsynth.preprocess.members import labels_on

    found = patient.mask if mask is None and patient is not None else None
    given = found if mask is None else read_image(absolute(mask), kind="labels")
    brain = None
    if given is not None:
        on, _, _ = labels_on(scan.grid, scan.contrast or scan.name, given, "brain mask")
        whole, filled = without_specks(on.array > 0, scan.grid)
        specks = f", small closed holes filled ({filled} voxels)" if filled else ""
        brain = BrainMask(whole, f"given: {given.name}{specks}")
    return patient_anatomy(scan, spacing_mm, name=name, brain=brain, lesions=own, beta=beta)


def _whose(scan: Volume) -> str:
    from napari_mrsynth.io.naming import patient_of_scans

    path = scan.source.path
    return scan.name if path is None else patient_of_scans(path, (path,))


def _not_one(brain: Anatomy, patient: PatientFiles | None) -> list[str]:
    """Say so where the anatomy seems to be another patient's than the scans that are painted into."""
    if patient is None or brain.scan is None:
        return []
    whose = _whose(brain.scan)
    own = [volume.source.path for volume in patient.volumes]
    if whose == patient.name or brain.scan.source.path in own:
        return []
    return [f"The anatomy is of {whose}, the scans painted into are of {patient.name}: are they one patient?"]


def _painted(labels: LabelVolume, classes: LabelSet, anatomy: Anatomy) -> Painted:
    from napari_mrsynth.generation import paint_on

    return paint_on(labels, classes, anatomy)


def _drawn(
    store: BundleStore,
    seed: int,
    labels: LabelVolume,
    classes: LabelSet,
    display_slice: int | None,
    attempts: int | None,
    device: str,
) -> tuple[Anatomy, Painted]:
    from napari_mrsynth.generation import RandomAnatomy, anatomy_bundle
    from napari_mrsynth.generation.random import ATTEMPTS

    tries = ATTEMPTS if attempts is None else attempts
    drawer = RandomAnatomy(anatomy_bundle(store), device)
    found = drawer.draw(seed, labels, classes, display_slice=display_slice, attempts=tries)
    return found.anatomy, _painted(found.labels or labels, classes, found.anatomy)


def _checked(
    made: Generated,
    store: BundleStore,
    classes: LabelSet,
    segmenter: str | None,
    wanted: bool,
    device: str,
    precision: str,
) -> tuple[Generated, list[str]]:
    """Return the result with the segmenter's answer; where none is installed, a note instead."""
    from dataclasses import replace

    from napari_mrsynth.generation import LesionCheck, segmenter_bundle

    if not wanted:
        return made, []
    try:
        judge = LesionCheck(segmenter_bundle(store, classes, segmenter), device, precision)
    except BundleError as error:
        if segmenter is not None:
            raise
        return made, [f"The lesion was not checked: {error.message}"]
    found = follow(judge.run(made.outputs, made.painted.labels, made.anatomy.brain))
    return replace(made, check=found), []


def _into(
    made: Generated, patient: PatientFiles, blend: float | None, own: LabelVolume | None
) -> dict[str, Volume]:
    from napari_mrsynth.generation import BLEND_MM, paint_into

    rim = BLEND_MM if blend is None else blend
    here = {volume.contrast: volume for volume in patient.volumes if volume.contrast}
    return {
        name: paint_into(
            here[name], volume, made.painted.labels, made.anatomy.brain, blend_mm=rim, own_lesions=own
        )
        for name, volume in made.outputs.items()
    }


def _text(payload: dict[str, Any], check: Check | None) -> str:
    lines = [f"{each['contrast']} ({each['kind']}): {each['path']}" for each in payload["outputs"]]
    lines += [f"Removed, of an earlier run: {path}" for path in payload["removed"]]
    if check is not None:
        figures = ", ".join(f"{name} {'-' if d is None else f'{d:.3f}'}" for name, d in check.dice.items())
        lines.append(f"Dice of {check.bundle} against the painted label: {figures}.")
    kept = ", ".join(f"{name} {value:.2f}" for name, value in payload["structure_f1"].items())
    lines.append(f"Structure kept (F1): {kept}.")
    lines.append(
        f"Made by {payload['bundle']} on {payload['device']} ({payload['precision']}) in "
        f"{payload['seconds']:.1f} s. Synthetic: for research, not for diagnosis."
    )
    lines += [f"Note: {warning}" for warning in payload["warnings"]]
    return "\n".join(lines)
