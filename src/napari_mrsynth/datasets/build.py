"""Build a labelled synthetic data set: many samples, each by its own seed, filtered, restartable."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from napari_mrsynth.bundles import Bundle, BundleStore
from napari_mrsynth.datasets.folder import DatasetFolder
from napari_mrsynth.datasets.recipe import Recipe, digest_of
from napari_mrsynth.datasets.record import Record
from napari_mrsynth.datasets.running import made, require_dask
from napari_mrsynth.datasets.sample import make_sample
from napari_mrsynth.datasets.sources import PatientsLesions, Usable, usable_patients
from napari_mrsynth.errors import ConfigError, ContrastError, OutputError
from napari_mrsynth.generation import anatomy_bundle, generator_bundle, segmenter_bundle
from napari_mrsynth.lesions import LabelSet, LesionLibrary, label_set
from napari_mrsynth.progress import ProgressCallback, Stopwatch


@dataclass(frozen=True)
class Order:
    """What is asked for.

    Attributes
    ----------
    count : int
        Samples.
    out : Path
    labels : Path, optional
        Folder of lesion maps; where the anatomy is of patients, by default these patients' own.
    anatomy, disease, seed, threshold, outline, attempts, structure_from, device
        See :class:`Recipe`.
    data : Path, optional
        Folder of patients; needed for their anatomy.
    only : str
        Pattern of the patients' ids.
    contrasts : tuple of str
        What every sample gets; all that the generator makes by default.
    makes, judges, draws : str, optional
        Bundles, by id or folder; the first installed ones of the disease by default.
    jobs : int
        Processes.
    dask : str, optional
        Address of a scheduler.
    """

    count: int
    out: Path
    labels: Path | None = None
    anatomy: str = "random"
    disease: str = "tumour"
    seed: int = 0
    threshold: float = Recipe.threshold
    outline: float = Recipe.outline
    attempts: int = Recipe.attempts
    structure_from: str = Recipe.structure_from
    device: str = Recipe.device
    data: Path | None = None
    only: str = ""
    contrasts: tuple[str, ...] = ()
    makes: str | None = None
    judges: str | None = None
    draws: str | None = None
    jobs: int = 1
    dask: str | None = None

    def __post_init__(self) -> None:
        if self.count < 1 or self.jobs < 1:
            raise ConfigError(
                f"{self.count} samples cannot be made by {self.jobs} processes.",
                hint="Give at least 1 of each.",
            )


@dataclass(frozen=True)
class Built:
    """What a build left behind.

    Attributes
    ----------
    folder : Path
    manifest : dict
        As in ``manifest.json``.
    fresh : int
        Samples finished by this build; the others were there.
    skipped : tuple of (id, reason)
        Patients who could not be used.
    """

    folder: Path
    manifest: dict[str, Any]
    fresh: int
    skipped: tuple[tuple[str, str], ...] = ()


def build(order: Order, store: BundleStore | None = None, report: ProgressCallback | None = None) -> Built:
    """Make what is not there yet of a data set.

    An interrupted build goes on where it was: finished samples stay, what was half made is removed. More
    samples may be asked for later. The result is the same in any order, by any number of processes.

    Parameters
    ----------
    order : Order
    store : BundleStore, optional
        Where the models are.
    report : callable, optional
        Told the progress.

    Raises
    ------
    ConfigError
        If a setting is wrong, another set lives in the folder, another build runs in it, or a cluster
        cannot be reached.
    BundleError
        If a model is not installed or does not fit the disease.
    LabelError
        If there is no usable lesion map.
    InputError
        If no patient can be used.
    OutputError
        If the set cannot be written.
    """
    if order.dask is not None:
        require_dask()
    recipe, about, usable = _recipe(order, BundleStore() if store is None else store)
    folder = DatasetFolder(order.out)
    with folder.alone():
        return _built(order, folder, recipe, about, usable, report)


def _built(
    order: Order,
    folder: DatasetFolder,
    recipe: Recipe,
    about: dict[str, Any],
    usable: Usable | None,
    report: ProgressCallback | None,
) -> Built:
    folder.claim(recipe)
    records = {record.index: record for record in folder.records()}
    todo = [index for index in range(order.count) if index not in records]
    watch, fresh = Stopwatch(), 0
    work = partial(make_sample, recipe, str(order.out))
    try:
        for record in made(work, todo, order.jobs, order.dask):
            _require_seen(folder, record)
            records[record.index] = record
            fresh += 1
            if report is not None:
                report(watch.at(fresh / len(todo), _said(record)))
    finally:
        finished = sorted(records.values(), key=lambda each: each.index)
        manifest = folder.conclude(recipe, finished, max(order.count, len(finished)), about)
    return Built(order.out, manifest, fresh, usable.skipped if usable else ())


def _recipe(order: Order, store: BundleStore) -> tuple[Recipe, dict[str, Any], Usable | None]:
    """Settle what the samples depend on, and what the manifest says of it."""
    classes = label_set(order.disease)
    makes = generator_bundle(store, classes, order.makes)
    judges = segmenter_bundle(store, classes, order.judges)
    draws = anatomy_bundle(store, order.draws) if order.anatomy == "random" else None
    bundles = [bundle for bundle in (makes, judges, draws) if bundle is not None]
    contrasts = order.contrasts or makes.card.outputs
    unmade = [name for name in contrasts if name not in makes.card.outputs]
    if unmade:
        raise ContrastError(
            f"{', '.join(unmade)} cannot be made by {makes.card.id}.",
            hint=f"It makes {', '.join(makes.card.outputs)}.",
        )
    library, usable = _sources(order, classes)
    materials = [(bundle.card.id, bundle.card.weights_sha256) for bundle in bundles]
    materials.append(("lesion maps", digest_of([_file(path, library.folder) for path in library.files])))
    if usable is not None:
        materials.append(("patients", digest_of(usable.known)))
    recipe = Recipe(
        seed=order.seed,
        anatomy=order.anatomy,
        disease=classes.id,
        contrasts=tuple(contrasts),
        labels="" if order.labels is None else str(library.folder.absolute()),
        makes=str(makes.folder.absolute()),
        judges=str(judges.folder.absolute()),
        draws="" if draws is None else str(draws.folder.absolute()),
        data="" if order.data is None else str(order.data.absolute()),
        patients=tuple(subject.id for subject in usable.subjects) if usable else (),
        maps=usable.maps if usable and order.labels is None else (),
        structure_from=order.structure_from,
        threshold=order.threshold,
        outline=order.outline,
        attempts=order.attempts,
        device=order.device,
        materials=tuple(materials),
    )
    about = {
        "models": [_model(bundle) for bundle in bundles],
        "lesion_maps": list(library.every_name),
        "known": _known(bundles, usable),
    }
    return recipe, about, usable


def _sources(order: Order, classes: LabelSet) -> tuple[LesionLibrary, Usable | None]:
    """Open the lesion maps, and look for the patients where the anatomy is theirs."""
    library = None if order.labels is None else LesionLibrary(order.labels, classes)
    usable = None
    if order.anatomy == "patients":
        if order.data is None:
            raise ConfigError("Whose anatomy is not said.", hint="Name a folder of patients: --data DIR")
        usable = usable_patients(order.data, order.structure_from, classes, order.only)
        if library is None:
            library = PatientsLesions(order.data, usable.maps, classes)
    if library is None:
        raise ConfigError(
            f"No lesions to draw from are named, and {order.anatomy} anatomy has none of its own.",
            hint="Give --labels DIR, a folder of lesion maps.",
        )
    return library, usable


def _model(bundle: Bundle) -> dict[str, Any]:
    card = bundle.card
    return {
        "id": card.id,
        "system": card.system,
        "weights_sha256": card.weights_sha256,
        "licence": card.licence,
        "data_licences": list(card.data_licences),
        "citation": card.citation,
    }


def _known(bundles: Sequence[Bundle], usable: Usable | None) -> list[dict[str, Any]]:
    """Return every patient that had a part in the set, and through what: it must not be judged on them."""
    parts = [(bundle.card.id, bundle.card.training.get("subjects", ())) for bundle in bundles]
    parts.append(("anatomy", usable.known if usable else ()))
    known: dict[str, dict[str, Any]] = {}
    for through, subjects in parts:
        for subject in subjects:
            entry = known.setdefault(digest_of(subject), {**subject, "through": []})
            entry["through"].append(through)
    return list(known.values())


def _file(path: Path, root: Path) -> list[str]:
    return [str(path.relative_to(root)), hashlib.sha256(path.read_bytes()).hexdigest()]


def _require_seen(folder: DatasetFolder, record: Record) -> None:
    """Refuse to go on where a worker wrote to a disk that is not this one."""
    if record.accepted and not (folder.path / record.name).is_dir():
        raise OutputError(
            f"{record.name} was made, but is not in {folder.path}.",
            hint="The workers of a cluster must see the same folders under the same paths.",
        )


def _said(record: Record) -> str:
    tries = f"{record.attempts} attempt{'s' if record.attempts != 1 else ''}"
    return f"{record.name}: {'made' if record.accepted else 'given up'} after {tries}"
