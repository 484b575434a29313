"""Every subset of a patient's scans to every other contrast, made as a user's would be, and scored."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from napari_mrsynth.bundles import Bundle, Card
from napari_mrsynth.errors import BundleError, ConfigError, InputError
from napari_mrsynth.evaluation.matching import Matching
from napari_mrsynth.evaluation.metrics import METRICS
from napari_mrsynth.evaluation.pairing import Pair
from napari_mrsynth.evaluation.regions import scored_lesions
from napari_mrsynth.imaging import LabelVolume, Study, Volume
from napari_mrsynth.imaging.contrasts import own_names
from napari_mrsynth.io import read_patient
from napari_mrsynth.io.naming import Role, extension_of, role_of, stem_of
from napari_mrsynth.preprocess.likeness import KnownScans, record_of
from napari_mrsynth.preprocess.study import align_study, build_study
from napari_mrsynth.progress import Progress, Stopwatch, ended
from napari_mrsynth.synthesis import Engine, Request
from napari_mrsynth.systems.predictor import SYNTHESISERS

MODEL, BASELINE, HINDSIGHT = "model", "mean of the inputs", "linear fit in hindsight"
"""The model; a baseline that learns nothing; and one that knows the truth it is judged by."""

SCORED = ("brain", "healthy", "lesion")


@dataclass(frozen=True)
class Row:
    """One scored region of one prediction of one patient.

    Attributes
    ----------
    patient, method, inputs, target, region : str
        `inputs` joined by ``+``.
    voxels : int
    figures : mapping of str to float
        By metric; intensities after both brain means were made equal.
    """

    patient: str
    method: str
    inputs: str
    target: str
    region: str
    voxels: int
    figures: Mapping[str, float]


def patients_below(root: Path) -> list[Path]:
    """Return the folders of patients: those below `root` that hold scans, or `root` itself.

    Raises
    ------
    InputError
        If there is no folder, or no scan in any.
    """
    if not root.is_dir():
        raise InputError(f"{root} is not a folder.", hint="Give a folder with one folder per patient.")
    found = sorted({path.parent for path in root.rglob("*") if _is_scan(path)})
    tops = [folder for folder in found if not any(parent in found for parent in folder.parents)]
    if not tops:
        raise InputError(f"There is no scan below {root}.", hint="Give a folder with one folder per patient.")
    return tops


def name_below(root: Path, folder: Path) -> str:
    """Return what a patient's folder is called below `root`; its own name where it is the root itself."""
    return folder.relative_to(root).as_posix() if folder != root else folder.name


def measuring(
    engine: Engine,
    bundle: Bundle,
    folders: Sequence[Path],
    *,
    root: Path,
    training_error: bool = False,
    align: bool = False,
) -> Generator[Progress, None, tuple[list[Row], list[tuple[str, str]]]]:
    """Make and score everything that a model can make of the patients' scans.

    Parameters
    ----------
    engine : Engine
    bundle : Bundle
        The model.
    folders : sequence of Path
        One per patient.
    root : Path
        Patients are named by their path below it.
    training_error : bool
        Whether patients whom the model was trained on may be measured.
    align : bool
        Whether each patient's scans are first aligned to its reference.

    Returns
    -------
    rows : list of Row
    skipped : list of (patient, reason)
        Patients with fewer than two of the model's contrasts, or that cannot be read, aligned or scored, or
        of whose scans nothing can be made (no brain is found, say); an empty lesion map is none, and the
        patient's brain is scored.

    Raises
    ------
    BundleError, ConfigError
        If the model makes no contrasts, or cannot run.
    InputError
        If a patient was among the training subjects and `training_error` is False, or nothing could be
        measured.
    """
    card = bundle.card
    _require_synthesiser(card)
    names = {folder: name_below(root, folder) for folder in folders}
    if not training_error:
        yield from refusing_trained_on(card, names)
    clock = Stopwatch()
    rows: list[Row] = []
    skipped: list[tuple[str, str]] = []
    for count, (folder, name) in enumerate(names.items()):
        yield clock.at(count / len(folders), f"Reading {name}")
        try:
            study = _study(folder, card)
            if align:
                study = ended(align_study(study))
        except InputError as error:
            skipped.append((name, str(error)))
            continue
        pairs = _pairs(card, study)
        if not pairs:
            skipped.append((name, f"it has only {', '.join(study.contrasts)} of the model's contrasts"))
        mine: list[Row] = []
        try:
            for done, (used, target) in enumerate(pairs):
                share = (count + done / len(pairs)) / len(folders)
                yield clock.at(share, f"{name}: {target} from {', '.join(used)}")
                for method, made in _predictions(engine, bundle, study, used, target):
                    mine += _scored(name, method, made, study, used, target)
        except (BundleError, ConfigError):
            raise  # the model's fault, not this patient's
        except InputError as error:
            skipped.append((name, str(error)))
        else:
            rows += mine
    if not rows:
        why = "; ".join(f"{name}: {reason}" for name, reason in skipped)
        raise InputError(f"Nothing could be measured: {why}")
    return rows, skipped


def _require_synthesiser(card: Card) -> None:
    if card.system not in SYNTHESISERS:
        raise BundleError(
            f"{card.id} makes no contrasts that could be measured: its system is {card.system}.",
            hint="Name a model that synthesises; see `mrsynth models list`.",
        )


def _study(folder: Path, card: Card) -> Study:
    known = {*card.inputs, *card.outputs}
    files = read_patient(folder, names=own_names(known))
    volumes = [volume for volume in files.volumes if volume.contrast in known]
    if len(volumes) < 2:
        there = ", ".join(volume.name for volume in volumes) or "none"
        raise InputError(f"it has fewer than two of the model's contrasts ({there})")
    lesions, _ = scored_lesions(files.lesions)
    return build_study(volumes, name=files.name, mask=files.mask, lesions=lesions)


def refusing_trained_on(card: Card, names: Mapping[Path, str]) -> Generator[Progress]:
    """Look at every patient before anything is made; refuse one of whose scans the model learnt.

    Parameters
    ----------
    card : Card
        Of the model.
    names : mapping of Path to str
        The patients' folders, and what they are called.

    Raises
    ------
    InputError
        If the model learnt from one of them.
    """
    clock, known = Stopwatch(), KnownScans.of(card.training.get("subjects", ()))
    for count, (folder, name) in enumerate(names.items()):
        yield clock.at(count / len(names), f"Looking whether {card.id} was trained on {name}")
        try:
            found = known.find(record_of(_study(folder, card), card.spacing_mm))
        except InputError:
            continue  # said with its reason when it is to be measured
        if found is not None:
            raise InputError(
                f"{card.id} was trained on {name}: its {found[0]} is that of {found[1]}.",
                hint="Leave the patient out, or say --training-error to measure the training error.",
            )


def _pairs(card: Card, study: Study) -> list[tuple[tuple[str, ...], str]]:
    found = []
    for target in card.outputs:
        if target not in study.members:
            continue
        others = [contrast for contrast in card.inputs if contrast in study.members and contrast != target]
        for size in range(1, len(others) + 1):
            found += [(subset, target) for subset in combinations(others, size)]
    return found


def _predictions(
    engine: Engine, bundle: Bundle, study: Study, used: tuple[str, ...], target: str
) -> Iterator[tuple[str, Volume]]:
    steps = engine.run(study, Request((target,), used, bundle=str(bundle.folder)))
    yield MODEL, ended(steps).outputs[target]
    yield BASELINE, _mean_of_inputs(study, used)
    yield HINDSIGHT, _linear_in_hindsight(study, used, target)


def _mean_of_inputs(study: Study, used: tuple[str, ...]) -> Volume:
    """Return the average of the inputs, each divided by its own mean over the brain."""
    inside = study.mask.array if study.mask is not None else np.ones(study.grid.shape, bool)
    total = np.zeros(study.grid.shape, np.float32)
    for contrast in used:
        array = study.volume(contrast).array.astype(np.float32)
        mean = float(array[inside].mean())
        total += array / (mean if mean > 0 else 1.0)
    total[~inside.astype(bool)] = 0
    return Volume(total, study.grid, BASELINE)


def _linear_in_hindsight(study: Study, used: tuple[str, ...], target: str) -> Volume:
    """Return the weighted sum of the inputs and a constant that is nearest to the truth over the brain."""
    inside = study.mask.array if study.mask is not None else np.ones(study.grid.shape, bool)
    columns = [study.volume(contrast).array[inside].astype(np.float64) for contrast in used]
    known = np.stack([*columns, np.ones(len(columns[0]))], axis=1)
    # Normal equations: a brain's million of voxels by at most a handful of columns.
    truth = study.volume(target).array[inside].astype(np.float64)
    weights = np.linalg.lstsq(known.T @ known, known.T @ truth, rcond=None)[0]
    made = np.zeros(study.grid.shape, np.float32)
    made[inside] = known @ weights
    return Volume(made, study.grid, HINDSIGHT)


def _scored(
    name: str, method: str, made: Volume, study: Study, used: tuple[str, ...], target: str
) -> list[Row]:
    mask = None
    if study.mask is not None:
        mask = LabelVolume(study.mask.array.astype(np.uint8), study.grid, study.mask.how)
    truth = study.volume(target)
    pair = Pair.of(made, truth, mask=mask, lesions=study.lesions, matching=Matching.MEAN)
    return [
        Row(
            name,
            method,
            "+".join(used),
            target,
            region,
            scores.voxels,
            {metric: getattr(scores, metric) for metric in METRICS},
        )
        for region, scores in pair.score(SCORED).regions.items()
    ]


def _is_scan(path: Path) -> bool:
    return path.is_file() and extension_of(path) is not None and role_of(stem_of(path)) is Role.SCAN
