"""Any subset of inputs to any other contrast: the network against plain methods on every (subset, target).

The question of Joyce et al. 2017, Table 2 (robustness to missing inputs), asked of all four contrasts as
targets: 28 pairs, on the patients of the split ``test`` and by cross-validation over ``train``. Every volume,
made or real, is divided by its own mean over the scored part of the brain before it is scored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_mrsynth.bundles import Bundle
from napari_mrsynth.errors import ConfigError, InputError
from napari_mrsynth.preprocess.likeness import KnownScans
from napari_mrsynth.progress import ProgressCallback
from napari_mrsynth.training.config import DataConfig, load_config
from napari_mrsynth.training.experiments.ledger import Ledger, Row
from napari_mrsynth.training.experiments.plan import (
    LAST_WEIGHTS,
    NETWORK,
    QUICK_STEPS,
    AnySubset,
    Part,
    origin,
    parts_of,
    refuse_several_devices,
)
from napari_mrsynth.training.experiments.scoring import Made, Pair, score_rows, unscored
from napari_mrsynth.training.experiments.telling import Teller
from napari_mrsynth.training.heldout import pairs, synthesise
from napari_mrsynth.training.prepared import Prepared, prepare_all
from napari_mrsynth.training.strict import setting
from napari_mrsynth.training.subjects import Subject, find_subjects, persons_in


@dataclass(frozen=True)
class Outcome:
    """What an experiment left behind.

    Attributes
    ----------
    rows : tuple of Row
        Every scored region of the methods and patients that were asked for.
    contrasts : tuple of str
        The contrasts, in the configuration's order.
    skipped : tuple of (id, reason)
        Patients that could not be used.
    """

    rows: tuple[Row, ...]
    contrasts: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()


def run(settings: AnySubset, report: ProgressCallback | None = None) -> Outcome:
    """Make and score everything that an earlier run in the same folder has not scored yet.

    Raises
    ------
    ConfigError
        If the configuration or the settings are wrong, or several devices are asked for.
    InputError
        If there are too few patients, or a network was trained on a patient it is judged on.
    """
    config = load_config(settings.config, settings.overrides)
    if NETWORK in settings.methods:
        if config.system != "anysubset":
            raise ConfigError(
                f"{settings.config.name} is of the system {config.system!r}, which does not take any subset.",
                hint="Give a configuration of 'anysubset', or leave `network` out of --methods.",
            )
        refuse_several_devices(config.run, "the networks of an experiment")
    data = replace(config.data, normalisation="foreground-mean")
    parts, skipped = parts_of(settings, data)
    wanted = pairs(data.contrasts, data.contrasts)
    origins = {
        (part.name, method): origin(settings, part, method) for part in parts for method in settings.methods
    }
    with Ledger.alone(settings.folder, origins) as ledger:
        missing = {
            (part.name, method, pair): unscored(ledger, part, method, pair)
            for part in parts
            for method in settings.methods
            for pair in wanted
        }
        tell = Teller(report, sum(map(len, missing.values())))
        for part in parts:
            for method in settings.methods:
                todo = {pair: missing[part.name, method, pair] for pair in wanted}
                todo = {pair: patients for pair, patients in todo.items() if patients}
                if method == NETWORK:
                    work = _by_network(settings, data, part, todo, tell) if todo else iter(())
                else:
                    work = _by_baseline(settings, part, method, todo)
                for patient, pair, made in work:
                    ledger.add(score_rows(part, patient, method, pair, made))
                    tell(f"{part.name}, {patient.subject}: {pair[1]} from {', '.join(pair[0])} by {method}")
        judged = {(part.name, patient.subject) for part in parts for patient in part.judge}
        rows = tuple(r for r in ledger.rows if (r.part, r.patient) in judged and r.method in settings.methods)
        return Outcome(rows, data.contrasts, tuple(skipped))


def _by_baseline(
    settings: AnySubset, part: Part, method: str, todo: Mapping[Pair, Sequence[Prepared]]
) -> Made:
    """Fit a plain method to each pair and make the patients that are missing."""
    for (subset, target), patients in todo.items():
        learn = [part.case(patient) for patient in part.learn]
        fitted = settings.baseline(method).fit(learn, subset, target)
        for patient in patients:
            case = part.case(patient)
            scored = np.zeros(case.brain.shape, bool)
            scored[part.planes(patient)] = True
            made = fitted.predict(case, np.flatnonzero(case.brain & scored))
            yield patient, (subset, target), made


def _by_network(
    settings: AnySubset,
    data: DataConfig,
    part: Part,
    todo: Mapping[Pair, Sequence[Prepared]],
    tell: Teller,
) -> Made:
    """Train the part's network where there is none yet, and make the patients that are missing."""
    from napari_mrsynth.systems import load_predictor

    given = settings.bundle if part.name == "test" else None
    bundle = given or _trained(settings, data, part, tell)
    _require_unseen(bundle, part.judge)
    method = str(bundle.card.normalisation.get("method"))
    if method == "foreground-zscore":
        raise ConfigError(
            f"{bundle.card.id} makes z-scores, which have no mean to divide by.",
            hint="Compare a network trained with data.normalisation=foreground-mean.",
        )
    predictor = load_predictor(bundle)
    for patient in part.judge:
        requests = [pair for pair, patients in todo.items() if patient in patients]
        if requests:
            seen = _as_seen(patient, replace(data, normalisation=method))
            for pair, made in synthesise(predictor, seen, requests, planes=part.planes(patient)).items():
                yield patient, pair, made


def _trained(settings: AnySubset, data: DataConfig, part: Part, tell: Teller) -> Bundle:
    """Train on the part's patients, or go on with a training that was interrupted."""
    from napari_mrsynth.training.run import train

    held_out: list[str] = []
    if part.name != "test":  # every session of those who are judged, also one that cannot be used
        people = {patient.person for patient in part.judge}
        held_out = [s.id for s in find_subjects(replace(data, split="train")) if s.person in people]
    overrides = [
        *settings.overrides,
        setting("data.held_out", held_out),
        "data.split=train",
        "data.folds=1",
        "data.fold=0",
        *LAST_WEIGHTS,
        setting("run.folder", str(settings.folder / "networks" / part.name)),
        "run.measure=false",
    ]
    if settings.quick:
        overrides += [f"optim.steps={QUICK_STEPS}", "optim.crop=64", "optim.batch=2"]
    return Bundle.open(train(settings.config, overrides, tell.within(part.name)).bundle)


def _as_seen(patient: Prepared, data: DataConfig) -> Prepared:
    """Return the patient normalised as the network wants it."""
    prepared, skipped = prepare_all([Subject(patient.subject, Path(data.root) / patient.subject)], data)
    if skipped:
        raise InputError(f"{patient.subject} cannot be prepared as the network wants it: {skipped[0][1]}")
    return prepared[0]


def _require_unseen(bundle: Bundle, judged: Sequence[Prepared]) -> None:
    listed = bundle.card.training.get("subjects", ())
    known, people = KnownScans.of(listed), persons_in(listed)
    for patient in judged:
        if patient.person in people or known.find(patient.record()) is not None:
            raise InputError(
                f"{bundle.card.id} was trained on {patient.subject}: its error there says nothing.",
                hint="Judge it on patients it has not seen.",
            )
