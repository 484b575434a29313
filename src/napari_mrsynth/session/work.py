"""The jobs of a session as generators that run anywhere, and the sentences that say how things stand."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from napari_mrsynth.errors import ContrastError
from napari_mrsynth.imaging.study import Study
from napari_mrsynth.imaging.volume import LabelVolume, Volume
from napari_mrsynth.io.naming import patient_of_scans
from napari_mrsynth.progress import Progress, format_seconds
from napari_mrsynth.session.edit import named
from napari_mrsynth.session.parts import Parts
from napari_mrsynth.session.status import State, Status

if TYPE_CHECKING:
    from napari_mrsynth.io import PatientFiles
    from napari_mrsynth.samples import Sample
    from napari_mrsynth.synthesis import Result

T = TypeVar("T")
Steps = Generator[Progress, None, T]


def simply(call: Callable[[], T]) -> Generator[Progress, None, T]:
    """Run one call that has no steps of its own."""
    yield Progress(0.0, "")
    return call()


def opening(parts: Parts, specs: Sequence[str | Path]) -> Steps[Study]:
    """Read `specs` and build a study of what is there."""
    yield Progress(0.0, "Reading the files")
    return (yield from _of_patient(parts, parts.read(specs)))


def sampling(parts: Parts, sample: Sample) -> Steps[Study]:
    """Make or fetch a sample patient and build its study."""
    return (yield from _of_patient(parts, (yield from sample.steps())))


def adding(
    parts: Parts,
    study: Study | None,
    volumes: Sequence[Volume],
    mask: LabelVolume | None,
    instead: bool = False,
) -> Steps[Study]:
    """Add scans to a study, in place of those of their contrasts if `instead`, or build one of them.

    Raises
    ------
    ContrastError
        If two scans claim one contrast, and `instead` is False.
    """
    if study is None:
        yield Progress(0.0, "Bringing the contrasts onto one grid")
        return _built(parts, volumes, _patient_of(volumes), mask, None)
    known, unknown = named(volumes)
    for count, volume in enumerate(known):
        yield Progress(count / len(known), f"Adding {volume.contrast}")
        if instead and volume.contrast in study.members:
            study = _replaced(parts, study, volume)
            continue
        if volume.contrast in study.members:
            raise ContrastError(
                f"{volume.name or 'A scan'} is {volume.contrast}, which is already here.",
                hint=f"Remove the {volume.contrast} that is here, or correct its name, and add it again.",
            )
        study = parts.add(study, volume)
    if mask is not None:
        study = parts.mask(study, mask)
    return study.using(study.active - unknown)


def idle_status(study: Study | None, wanted: Sequence[str], offered: Sequence[str]) -> Status:
    """Say how things stand while nothing runs, as far as it can be said without running a model.

    `wanted` is what is ticked, `offered` what the installed models can make.
    """
    if study is None:
        return Status(
            State.EMPTY,
            "No patient is open.",
            "Open a folder, files or a sample, or add layers from the viewer.",
        )
    if not offered:
        return Status(
            State.BLOCKED,
            "No model is installed.",
            "Install napari-mrsynth again, or train one: `mrsynth models list` shows what is found.",
        )
    if not study.inputs:
        return Status(
            State.BLOCKED,
            "No input is switched on.",
            "Switch on at least one contrast to make others from it.",
        )
    if not wanted:
        return Status(
            State.BLOCKED,
            "Nothing is ticked to be made.",
            "Tick a missing contrast, or switch one off to make it from the others.",
        )
    return Status(
        State.READY, f"Ready to make {listed(wanted)} from {listed(study.inputs)}.", "Press Synthesise."
    )


def done_status(result: Result) -> Status:
    """Say what was made, how long it took, and what the user should know."""
    made = f"Made {listed(tuple(result.outputs))} in {format_seconds(result.seconds)} on {result.device}."
    return Status(State.DONE, made, " ".join(result.warnings))


def _replaced(parts: Parts, study: Study, volume: Volume) -> Study:
    """Return the study with another scan of a contrast; it stays the reference, if it was that.

    Mask and lesions stay as they are where the study's grid does; a mask that was missing may be found now.
    """
    contrast = volume.contrast or ""
    if study.contrasts == (contrast,):
        changed = parts.build([volume], name=study.name, mask=None, lesions=study.lesions)
    else:
        changed = parts.add(parts.remove(study, contrast), volume)
    if contrast == study.reference:
        changed = parts.refer(changed, contrast)
    if not changed.grid.same_as(study.grid):
        return changed
    mask = changed.mask if study.mask is None else study.mask
    return replace(changed, mask=mask, lesions=study.lesions)


def _patient_of(volumes: Sequence[Volume]) -> str:
    """Name the patient of scans in memory: as their files would, else after the first of them."""
    paths = [volume.source.path for volume in volumes if volume.source.path is not None]
    if paths:
        return patient_of_scans(paths[0], paths)
    return volumes[0].name if volumes else "study"


def _of_patient(parts: Parts, patient: PatientFiles) -> Steps[Study]:
    yield Progress(0.6, "Bringing the contrasts onto one grid")
    study = _built(parts, patient.volumes, patient.name, patient.mask, patient.lesions)
    notes = tuple(note for note in patient.notes if note not in study.notes)
    return replace(study, notes=(*study.notes, *notes))


def _built(
    parts: Parts,
    volumes: Sequence[Volume],
    name: str,
    mask: LabelVolume | None,
    lesions: LabelVolume | None,
) -> Study:
    if not volumes:
        raise ContrastError(
            "There is no scan among what was given.",
            hint="Choose a folder with NIfTI, MGZ, NRRD, MHA or DICOM images of one patient.",
        )
    known, unknown = named(volumes)
    study = parts.build(known, name=name, mask=mask, lesions=lesions)
    return study.using(study.active - unknown)


def listed(names: Sequence[str]) -> str:
    """Put names in a row, for people: `T1w, T1ce and T2w`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
