"""Patients given as folders, prepared as a model wants them, with the contrasts that all of them have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_mrsynth.bundles import Card
from napari_mrsynth.errors import InputError, MrsynthError, OutputError
from napari_mrsynth.imaging.contrasts import own_names
from napari_mrsynth.io import read_patient
from napari_mrsynth.io.naming import told_apart
from napari_mrsynth.progress import Progress, ProgressCallback
from napari_mrsynth.training.config import DataConfig
from napari_mrsynth.training.prepared import Prepared, prepare
from napari_mrsynth.training.subjects import Subject, person_of
from napari_mrsynth.training.transfer import Transfer

LOOK = "See what each has with `mrsynth study FOLDER`."


def given_patients(
    folders: Sequence[Path], transfer: Transfer, card: Card, cache: str, report: ProgressCallback
) -> tuple[list[Prepared], list[tuple[str, str]]]:
    """Prepare patients with the contrasts that all usable ones have.

    Parameters
    ----------
    folders : sequence of Path
        One of each patient.
    transfer : Transfer
        Whose contrasts are looked for; those it adds every patient must have.
    card : Card
        Of the parent model: voxel size and normalisation.
    cache : str
        Where prepared patients are kept; empty for the user's cache folder.
    report : callable

    Returns
    -------
    patients : list of Prepared
    skipped : list of (name, reason)

    Raises
    ------
    InputError
        If nobody can be used.
    OutputError
        If prepared patients cannot be kept.
    """
    known = tuple(dict.fromkeys((*transfer.network.inputs, *transfer.network.outputs)))
    added = {*transfer.added_inputs, *transfer.added_outputs}
    usable: list[tuple[str, Path, tuple[str, ...]]] = []
    skipped: list[tuple[str, str]] = []
    for name, folder in zip(told_apart(folders), folders, strict=True):
        try:
            here = {volume.contrast for volume in read_patient(folder, names=own_names(known)).volumes}
        except MrsynthError as error:
            skipped.append((name, str(error)))
            continue
        has = tuple(contrast for contrast in known if contrast in here)
        if missing := sorted(added - here):
            skipped.append((name, f"has no {', '.join(missing)}"))
        elif len(has) < 2:
            skipped.append((name, f"has only {', '.join(has) or 'none'} of {', '.join(known)}"))
        else:
            usable.append((name, folder, has))
    shared = tuple(c for c in known if all(c in has for _, _, has in usable))
    if usable and len(shared) < 2:
        each = "; ".join(f"{name} has {', '.join(has)}" for name, _, has in usable)
        raise InputError(
            f"The patients share {'only ' + shared[0] if shared else 'no contrast'}: {each}.",
            hint="Give patients who have at least two contrasts in common.",
        )
    data = DataConfig(
        root="",
        contrasts=shared,
        spacing_mm=card.spacing_mm,
        normalisation=str(card.normalisation["method"]),
        cache=cache,
    )
    patients = []
    for index, (name, folder, _) in enumerate(usable):
        report(Progress(index / len(usable), f"preparing {name}"))
        try:
            patients.append(prepare(Subject(name, folder, patient=person_of(folder)), data))
        except OutputError:
            raise
        except MrsynthError as error:
            skipped.append((name, str(error)))
    if not patients:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped)
        raise InputError(f"No patient can be used: {reasons}", hint=LOOK)
    return patients, skipped
