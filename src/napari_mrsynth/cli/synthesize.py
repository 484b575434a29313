"""``mrsynth synthesize``: make contrasts that were not scanned, and write them as NIfTI."""

from __future__ import annotations

import time
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mrsynth.cli._output import Report, absolute, follow, say
from napari_mrsynth.cli.study import Paths
from napari_mrsynth.errors import ContrastError, MrsynthError, OutputError

if TYPE_CHECKING:
    from napari_mrsynth.imaging import Study, Volume
    from napari_mrsynth.io import PatientFiles
    from napari_mrsynth.synthesis import Result


class Device(StrEnum):
    """Where to compute."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class Precision(StrEnum):
    """Numbers to compute with."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"


def synthesize(
    paths: Paths,
    want: Annotated[str, typer.Option(metavar="CONTRAST[,...]", help="What to make: FLAIR, or FLAIR,T1w.")],
    use: Annotated[
        str | None,
        typer.Option(metavar="CONTRAST[,...]", help="What to make it from; by default all that is there."),
    ] = None,
    bundle: Annotated[str, typer.Option(metavar="ID", help="The model; see `mrsynth models list`.")] = "auto",
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the results are written.")] = Path(),
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.AUTO,
    precision: Annotated[Precision, typer.Option(help="Numbers to compute with.")] = Precision.AUTO,
    reference: Annotated[
        str | None, typer.Option(metavar="CONTRAST", help="Whose grid the results come on.")
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A brain mask to use instead of a computed one.")
    ] = None,
    align: Annotated[bool, typer.Option("--align", help="First align the scans to the reference.")] = False,
    source_map: Annotated[
        bool, typer.Option("--source-map", help="Also write which scan supplied each voxel.")
    ] = False,
) -> Report:
    """Make the wanted contrasts and write each as NIfTI with its provenance beside it."""
    from napari_mrsynth.io import read_patient
    from napari_mrsynth.synthesis import Engine, Request

    began = time.perf_counter()
    folder = _writable(out)
    files = read_patient(*paths)
    wanted = _names(want, "--want")
    used = _names(use, "--use") if use is not None else _usable(files, wanted)
    _require_apart(wanted, used)
    study = _study(files, used, reference, mask)
    if align:
        from napari_mrsynth.preprocess.study import align_study

        study = follow(align_study(study))
        _tell_motions(study)
    study = study.using(used)
    request = Request(
        wanted=wanted,
        used=used,
        bundle=bundle,
        device=device.value,
        precision=precision.value,
        source_map=source_map,
    )
    engine = Engine()
    problem = engine.check(study, request)
    if problem is not None:
        raise ContrastError(problem)
    result = follow(engine.run(study, request))
    outputs = _write(result, study, folder)
    warnings = list(dict.fromkeys([*_notes(files, study), *result.warnings]))
    payload = {
        "outputs": outputs,
        "used": used,
        "bundle": result.bundle,
        "device": result.device,
        "precision": result.precision,
        "seconds": round(time.perf_counter() - began, 3),
        "synthesis_seconds": round(result.seconds, 3),
        "peak_rss_bytes": result.peak_rss_bytes,
        "reference": study.reference,
        "warnings": warnings,
    }
    lines = [f"{output['contrast']}: {output['path']}" for output in outputs]
    lines.append(
        f"Made from {', '.join(used)} by {result.bundle} on {result.device} ({result.precision}) "
        f"in {payload['seconds']:.1f} s. Synthetic: for research, not for diagnosis."
    )
    lines += [f"Note: {warning}" for warning in warnings]
    return Report(payload, "\n".join(lines))


def _names(text: str, option: str) -> tuple[str, ...]:
    from napari_mrsynth.imaging.contrasts import canonical

    names = tuple(dict.fromkeys(canonical(name) for name in text.split(",") if name.strip()))
    if not names:
        raise ContrastError(f"{option} {text!r} names no contrast.", hint=f"For example: {option} FLAIR,T1w")
    return names


def _usable(files: PatientFiles, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Return all that is there and not wanted."""
    return tuple(v.contrast for v in files.volumes if v.contrast and v.contrast not in wanted)


def _require_apart(wanted: tuple[str, ...], used: tuple[str, ...]) -> None:
    both = [name for name in wanted if name in used]
    if both:
        raise ContrastError(
            f"{', '.join(both)} is both used and wanted.", hint="Take it out of --use or of --want."
        )


def _study(
    files: PatientFiles, used: tuple[str, ...], reference: str | None, mask_file: Path | None
) -> Study:
    """Build the study from the scans in use (and the reference) alone, as if the others were missing."""
    from napari_mrsynth.imaging.contrasts import canonical
    from napari_mrsynth.io import read_image
    from napari_mrsynth.preprocess.study import build_study

    here = {volume.contrast: volume for volume in files.volumes if volume.contrast}
    chosen = canonical(reference) if reference else None
    for name in (*used, *([chosen] if chosen else [])):
        if name not in here:
            unnamed = ", ".join(volume.name for volume in files.volumes if not volume.contrast)
            hint = f"If {unnamed} is it, give it as {name}=FILE." if unnamed else "See `mrsynth study PATH`."
            raise ContrastError(
                f"There is no {name} here, only {', '.join(here) or 'none known'}.", hint=hint
            )
    volumes: Iterable[Volume] = [v for name, v in here.items() if name in used or name == chosen]
    mask = read_image(absolute(mask_file), kind="labels") if mask_file else files.mask
    return build_study(list(volumes), name=files.name, reference=chosen, mask=mask, lesions=files.lesions)


def _tell_motions(study: Study) -> None:
    for contrast, member in study.members.items():
        if contrast != study.reference:
            shift = member.motion.shift_mm(study.grid.centre_mm)
            say(f"{contrast} was moved by {shift:.1f} mm and {member.motion.degrees:.1f} degrees.")


def _notes(files: PatientFiles, study: Study) -> list[str]:
    unnamed = [
        f"{volume.name} was left out: its contrast is unknown."
        for volume in files.volumes
        if not volume.contrast
    ]
    noted = [
        f"{member.native.name}: {note}" for member in study.members.values() for note in member.native.notes
    ]
    return [*files.notes, *unnamed, *noted, *study.notes]


def _writable(folder: Path) -> Path:
    folder = absolute(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be made: {error.strerror}.", hint="Choose another folder with --out."
        ) from error
    return folder


def _write(result: Result, study: Study, folder: Path) -> list[dict[str, object]]:
    from napari_mrsynth.io import derivative_name, write_volume

    written: list[Path] = []
    outputs: list[dict[str, object]] = []
    try:
        for contrast, volume in result.outputs.items():
            path = folder / derivative_name(study.name, contrast)
            written.append(write_volume(path, volume, provenance=result.provenance[contrast]))
            outputs.append({"contrast": contrast, "path": written[-1]})
        if result.source_map is not None:
            path = folder / derivative_name(study.name, "sourcemap")
            outputs.append({"contrast": "sourcemap", "path": write_volume(path, result.source_map)})
    except MrsynthError:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return outputs
