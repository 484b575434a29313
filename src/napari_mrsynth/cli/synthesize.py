"""``mrsynth synthesize``: make contrasts that were not scanned, and write them as NIfTI."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mrsynth.cli._options import Device, Mask, Numbers, Precision, Where, contrasts_of, writable
from napari_mrsynth.cli._output import Report, absolute, follow, say
from napari_mrsynth.cli.study import Paths
from napari_mrsynth.errors import BundleError, ContrastError, OutputError

if TYPE_CHECKING:
    from napari_mrsynth.bundles import BundleStore
    from napari_mrsynth.imaging import Study, Volume
    from napari_mrsynth.io import PatientFiles
    from napari_mrsynth.synthesis import Engine, Request, Result


AUTO = "auto"
DOUBTFUL = 0.8
"""A contrast that was guessed less surely than this is said when it is used."""

Want = Annotated[str, typer.Option(metavar="CONTRAST[,...]", help="What to make: FLAIR, or FLAIR,T1w.")]
Use = Annotated[
    str | None,
    typer.Option(metavar="CONTRAST[,...]", help="What to make it from; by default all that is there."),
]
Model = Annotated[str, typer.Option(metavar="ID", help="The model; see `mrsynth models list`.")]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Where the results are written.")]
Reference = Annotated[str | None, typer.Option(metavar="CONTRAST", help="Whose grid the results come on.")]
Align = Annotated[bool, typer.Option("--align", help="First align the scans to the reference.")]


@dataclass(frozen=True)
class Task:
    """A synthesis that can begin.

    Attributes
    ----------
    engine : Engine
    files : PatientFiles
        What was found of the patient.
    study : Study
        Of the scans in use (and the reference) alone: as if the others were missing.
    request : Request
    folder : Path
        Where results are written; it is there.
    """

    engine: Engine
    files: PatientFiles
    study: Study
    request: Request
    folder: Path

    def aligned(self) -> Task:
        """Return the same with all scans aligned to the reference, and say by how much they were moved."""
        from napari_mrsynth.preprocess.study import align_study

        study = follow(align_study(self.study))
        _tell_motions(study)
        return replace(self, study=study)

    def keep_other_results(self, names: Iterable[str]) -> None:
        """Refuse to replace files that are not known to be made from one of these scans."""
        from napari_mrsynth.io.provenance import recognise

        here = {member.native.fingerprint for member in self.study.members.values()}
        for path in (self.folder / name for name in names):
            if not path.exists():
                continue
            inputs = (recognise(path) or {}).get("inputs", {})
            if not here & {given.get("fingerprint") for given in inputs.values()}:
                files = ", ".join(str(given.get("file") or given.get("name")) for given in inputs.values())
                why = (
                    f"was made from other scans ({files})" if inputs else "does not say what it was made from"
                )
                raise OutputError(
                    f"“{path}” {why} and would be replaced.",
                    hint="Choose another --out, or delete it if it is not needed.",
                )

    @property
    def notes(self) -> list[str]:
        """What the user should know of the scans."""
        unnamed = [
            f"{volume.name} was not used: it stands under no contrast."
            for volume in self.files.volumes
            if not volume.contrast
        ]
        natives = [member.native for member in self.study.members.values()]
        guessed = [_doubt(native) for native in natives if native.confidence < DOUBTFUL]
        noted = [f"{native.name}: {note}" for native in natives for note in native.notes]
        return [*guessed, *self.files.notes, *unnamed, *noted, *self.study.notes]


def synthesize(
    paths: Paths,
    want: Want,
    use: Use = None,
    bundle: Model = AUTO,
    out: Out = Path(),
    device: Where = Device.AUTO,
    precision: Numbers = Precision.AUTO,
    reference: Reference = None,
    mask: Mask = None,
    align: Align = False,
    source_map: Annotated[
        bool, typer.Option("--source-map", help="Also write which scan supplied each voxel.")
    ] = False,
) -> Report:
    """Make the wanted contrasts and write each as NIfTI with its provenance beside it."""
    from napari_mrsynth.io.naming import SOURCE_MAP, derivative_name

    began = time.perf_counter()
    task = prepared(
        paths,
        want=want,
        use=use,
        bundle=bundle,
        out=out,
        device=device,
        precision=precision,
        reference=reference,
        mask=mask,
        source_map=source_map,
    )
    made = [*task.request.wanted, *([SOURCE_MAP] if source_map else [])]
    task.keep_other_results(derivative_name(task.study.name, name) for name in made)
    if align:
        task = task.aligned()
    study, used = task.study, task.request.used
    result = follow(task.engine.run(study, task.request))
    outputs = _write(result, study, task.folder)
    warnings = list(dict.fromkeys([*task.notes, *result.warnings]))
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


def prepared(
    paths: Sequence[str],
    *,
    want: str,
    use: str | None,
    bundle: str,
    out: Path,
    device: Device,
    precision: Precision,
    reference: str | None,
    mask: Path | None,
    source_map: bool = False,
) -> Task:
    """Read a patient and understand what was asked; what cannot be is refused before long work starts."""
    from napari_mrsynth.bundles import BundleStore
    from napari_mrsynth.imaging.contrasts import own_names
    from napari_mrsynth.io import read_patient
    from napari_mrsynth.synthesis import Engine, Request

    store = BundleStore()
    wanted = contrasts_of(want, "--want")
    said = contrasts_of(use, "--use") if use is not None else ()
    reads = () if bundle == AUTO else store.get(bundle).card.inputs
    files = read_patient(*paths, names=own_names((*said, *reads)))
    used = said or _readable(files, wanted, store, bundle)
    volumes = _chosen(files, used, reference)
    request = Request(
        wanted=wanted,
        used=used,
        bundle=_model(store, bundle, used, wanted),
        device=device.value,
        precision=precision.value,
        source_map=source_map,
    )
    folder = writable(out)
    return Task(Engine(store), files, _study(files, volumes, used, reference, mask), request, folder)


def _readable(
    files: PatientFiles, wanted: tuple[str, ...], store: BundleStore, bundle: str
) -> tuple[str, ...]:
    """Return what is there, not wanted and read by the model (by the one that reads most, if it is open)."""
    here = [v.contrast for v in files.volumes if v.contrast and v.contrast not in wanted]
    cards = store.synthesisers() if bundle == AUTO else [store.get(bundle).card]
    options = [tuple(name for name in here if name in c.inputs) for c in cards if set(wanted) <= {*c.outputs}]
    return max(options, key=len, default=()) or tuple(here)


def _chosen(files: PatientFiles, used: tuple[str, ...], reference: str | None) -> list[Volume]:
    """Return the scans in use (and the reference) alone: the study is as if the others were missing."""
    from napari_mrsynth.imaging.contrasts import canonical

    here = {volume.contrast: volume for volume in files.volumes if volume.contrast}
    names = dict.fromkeys([*used, *([canonical(reference)] if reference else [])])
    for name in names:
        if name not in here:
            unnamed = ", ".join(volume.name for volume in files.volumes if not volume.contrast)
            hint = f"If {unnamed} is it, give it as {name}=FILE." if unnamed else "See `mrsynth study PATH`."
            raise ContrastError(
                f"There is no {name} here, only {', '.join(here) or 'none known'}.", hint=hint
            )
    return [here[name] for name in names]


def _model(store: BundleStore, bundle: str, used: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    """Return the model's id, or refuse what it cannot do before the long work starts."""
    if bundle == AUTO:
        return store.default(used, wanted).id
    reason = store.get(bundle).card.explain(used, wanted)
    if reason is not None:
        raise BundleError(reason, hint=f"See `mrsynth models show {bundle}`.")
    return bundle


def _study(
    files: PatientFiles,
    volumes: list[Volume],
    used: tuple[str, ...],
    reference: str | None,
    mask_file: Path | None,
) -> Study:
    from napari_mrsynth.imaging.contrasts import canonical
    from napari_mrsynth.io import read_image
    from napari_mrsynth.preprocess.study import build_study

    mask = files.mask if mask_file is None else read_image(absolute(mask_file), kind="labels")
    on = canonical(reference) if reference else None
    study = build_study(volumes, name=files.name, reference=on, mask=mask, lesions=files.lesions)
    return study.using(used)


def _doubt(native: Volume) -> str:
    """Say which guess was relied on, and how to confirm or correct it."""
    from napari_mrsynth.io.patient import spec_of

    return (
        f"{native.name} was taken as {native.contrast}, {native.confidence:.0%} sure. Say what it is to be"
        f" certain: {native.contrast}={spec_of(native)}, or another contrast."
    )


def _tell_motions(study: Study) -> None:
    for contrast, member in study.members.items():
        if contrast != study.reference:
            shift = member.motion.shift_mm(study.grid.centre_mm)
            say(f"{contrast} was moved by {shift:.1f} mm and {member.motion.degrees:.1f} degrees.")


def _write(result: Result, study: Study, folder: Path) -> list[dict[str, object]]:
    from napari_mrsynth.io import write_volume
    from napari_mrsynth.io.naming import SOURCE_MAP, derivative_name

    outputs: list[dict[str, object]] = []
    for contrast, volume in result.outputs.items():
        path = folder / derivative_name(study.name, contrast)
        path = write_volume(path, volume, provenance=result.provenance[contrast])
        outputs.append({"contrast": contrast, "path": path})
    if result.source_map is not None:
        path = write_volume(folder / derivative_name(study.name, SOURCE_MAP), result.source_map)
        outputs.append({"contrast": SOURCE_MAP, "path": path})
    return outputs
