"""Fine-tune a bundle on one to five patients; keep the result only if what was kept aside is made better."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_mrsynth.bundles import Bundle, BundleStore
from napari_mrsynth.bundles.card import is_id
from napari_mrsynth.errors import ConfigError, InputError, OutputError
from napari_mrsynth.io.atomic import require_makeable
from napari_mrsynth.progress import ProgressCallback, Stopwatch
from napari_mrsynth.training.adapt import Pace, Pair, adapt, errors
from napari_mrsynth.training.aside import keep_aside, was_seen
from napari_mrsynth.training.before_after import BeforeAfter
from napari_mrsynth.training.child import Child, user_models
from napari_mrsynth.training.export import stored_state
from napari_mrsynth.training.extras import require
from napari_mrsynth.training.given import given_patients
from napari_mrsynth.training.heldout import pairs
from napari_mrsynth.training.transfer import Addition, Transfer, grown, tuned

MOST_PATIENTS = 5


@dataclass(frozen=True)
class FineTune:
    """What to fine-tune, and on whom.

    Parameters
    ----------
    bundle : Bundle
        The parent, of the system ``anysubset``; it is not changed.
    patients : sequence of Path
        One to five folders of scans.
    parts : str
        ``decoder``, ``all`` or ``transformer``; not looked at where something is added.
    add_inputs, add_outputs : sequence of Addition
        Contrasts that the new model reads or makes beside the parent's.
    pace : Pace
    out : Path, optional
        Where the new bundle goes; by default the user's models, where it is found by its id.
    id : str
        Of the new bundle; by default made from the parent's and what was learnt.
    cache : str
        Where prepared patients are kept; empty for the user's cache folder.
    picture : Path, optional
        A PNG of a slice that was kept aside, made before and after.
    """

    bundle: Bundle
    patients: tuple[Path, ...]
    parts: str = "decoder"
    add_inputs: tuple[Addition, ...] = ()
    add_outputs: tuple[Addition, ...] = ()
    pace: Pace = field(default_factory=Pace)
    out: Path | None = None
    id: str = ""
    cache: str = ""
    picture: Path | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.patients) <= MOST_PATIENTS:
            raise InputError(
                f"{len(self.patients)} patients are given; fine-tuning takes 1 to {MOST_PATIENTS}.",
                hint="With more, train a model: `mrsynth train`.",
            )
        if self.pace.steps < 1:
            raise ConfigError(f"{self.pace.steps} steps cannot be taken.", hint="Give 1 or more.")
        if not 0 <= self.pace.lr < math.inf:
            raise ConfigError(f"The rate {self.pace.lr} cannot be used.", hint="Give 0 or more: 0.0005")
        if not 0 <= self.pace.seed < 2**32:
            raise ConfigError(
                f"The seed {self.pace.seed} cannot be used.", hint="Give one from 0 to 4294967295."
            )
        if self.id and not is_id(self.id):
            raise ConfigError(
                f"No model can be called {self.id!r}.",
                hint="An id has letters, digits, '.', '_' and '-' only: my-model",
            )


@dataclass(frozen=True)
class FineTuned:
    """What came of it.

    Attributes
    ----------
    bundle : Path or None
        The new bundle; None where it was rolled back.
    learnt_from : tuple of str
        Names of the patients.
    kept_aside : str
        What the errors were measured on, in words.
    by_slices : bool
        Whether that was part of a patient who was learnt from.
    before, after : mapping of str to float
        ``T1w+T2w>FLAIR`` -> normalised mean squared error on what was kept aside.
    seconds : float
    skipped : tuple of (name, reason)
        Patients that could not be used.
    notes : tuple of str
        What the user should know beside.
    """

    bundle: Path | None
    learnt_from: tuple[str, ...]
    kept_aside: str
    by_slices: bool
    before: Mapping[str, float]
    after: Mapping[str, float]
    seconds: float
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def rolled_back(self) -> bool:
        """Whether the held-out error did not fall, and nothing was written."""
        return self.bundle is None

    @property
    def means(self) -> tuple[float, float]:
        """The mean error over the pairs, before and after."""
        return _mean(self.before), _mean(self.after)


def finetune(settings: FineTune, report: ProgressCallback | None = None) -> FineTuned:
    """Fine-tune, measure, and write the new bundle if what was kept aside is made better than before.

    Parameters
    ----------
    settings : FineTune
    report : callable, optional
        Told the progress; what it raises ends the work, and nothing is written.

    Raises
    ------
    InputError
        If no patient can be used, or they share nothing to learn.
    ConfigError
        If the parts or additions cannot be had, or the crops do not suit the network.
    BundleError
        If the parent cannot be opened.
    OutputError
        If the new bundle cannot be written, or its place is taken.
    """
    require("train")
    watch = Stopwatch()

    def tell(fraction: float, message: str) -> None:
        if report is not None:
            report(watch.at(fraction, message))

    _require_free(settings)
    transfer = _transfer(settings)
    network = transfer.network
    crop, multiple = settings.pace.crop, network.multiple
    if crop % multiple:
        raise ConfigError(
            f"The crops' side is {crop}, but this network needs a multiple of {multiple}.",
            hint=f"Give {multiple * math.ceil(crop / multiple)}.",
        )
    patients, skipped = given_patients(
        settings.patients,
        transfer,
        settings.bundle.card,
        settings.cache,
        lambda step: tell(0.1 * step.fraction, step.message),
    )
    requests = [
        (subset, target)
        for subset, target in pairs(
            [c for c in network.inputs if c in patients[0].contrasts],
            [c for c in transfer.added_outputs or network.outputs if c in patients[0].contrasts],
        )
        if not transfer.added_inputs or set(subset) & set(transfer.added_inputs)
    ]
    if not requests:
        raise InputError(
            f"The patients share only {', '.join(patients[0].contrasts)}: nothing to make from the rest.",
            hint="They need at least one input and another contrast that the model makes.",
        )
    learnt_from = settings.bundle.card.training.get("subjects", ())
    with tempfile.TemporaryDirectory(prefix="mrsynth-finetune-") as scratch:
        aside = keep_aside(patients, learnt_from, network.neighbours)
        tell(0.1, f"measuring the model on {aside.judge.subject}")
        before = errors(network, aside.judge, requests, aside.planes)
        shown = BeforeAfter.of(aside, requests) if settings.picture is not None else None
        made_before = shown.made(network) if shown is not None else {}
        learnt = adapt(
            transfer,
            aside.learn,
            settings.pace,
            Path(scratch) / "run",
            lambda step: tell(0.2 + 0.6 * step.fraction, step.message),
        )
        learnt.load_state_dict(stored_state(learnt)[0])  # what is measured is what is stored
        tell(0.85, f"measuring the fine-tuned model on {aside.judge.subject}")
        after = errors(learnt, aside.judge, requests, aside.planes)
        made_after = shown.made(learnt) if shown is not None else {}
    better = _mean(after) < _mean(before)
    folder = None
    notes: list[str] = []
    if better:
        figures = {name: (error, _named(after)[name]) for name, error in _named(before).items()}
        new = replace(transfer, network=learnt)
        unlearnt = [] if new.added_outputs else [c for c in network.outputs if c not in patients[0].contrasts]
        additions = (*settings.add_inputs, *settings.add_outputs)
        child = Child(settings.bundle.card, new, settings.pace, aside, additions, figures, tuple(unlearnt))
        folder = child.save(settings.out, settings.id, settings.parts)
        notes += [child.caution] if child.caution else []
    if shown is not None and settings.picture is not None:
        try:
            shown.draw(settings.picture, made_before, made_after)
        except OutputError as error:  # the model is more than its picture
            notes.append(str(error))
    tell(1.0, "done")
    if was_seen(aside.judge, learnt_from):
        notes.append(
            f"{settings.bundle.card.id} learnt from {aside.judge.subject}: its error before flatters it."
        )
    return FineTuned(
        folder,
        tuple(patient.subject for patient in aside.learn),
        aside.words,
        aside.by_slices,
        _named(before),
        _named(after),
        watch.seconds,
        tuple(skipped),
        tuple(notes),
    )


def _transfer(settings: FineTune) -> Transfer:
    both = {a.contrast for a in settings.add_inputs} & {a.contrast for a in settings.add_outputs}
    if both:
        raise ConfigError(
            f"{', '.join(sorted(both))} cannot be added as an input and as an output at once.",
            hint="Add it as one of them, and then to the new model as the other.",
        )
    if settings.add_inputs or settings.add_outputs:
        return grown(settings.bundle, settings.add_inputs, settings.add_outputs, settings.pace.seed)
    return tuned(settings.bundle, settings.parts)


def _require_free(settings: FineTune) -> None:
    """Refuse to learn for a place that is taken: another model there would be lost."""
    if settings.picture is not None:
        require_makeable(settings.picture.parent)
    if not settings.id and settings.out is None:
        return  # an id made of what is learnt from what
    out = settings.out or user_models() / settings.id
    require_makeable(out.parent if out.is_file() else out)
    if out.exists() and out.resolve() == settings.bundle.folder.resolve():
        raise OutputError(
            f"{out} is the model that is fine-tuned; it is not overwritten.", hint="Choose another folder."
        )
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise OutputError(f"{out} is there already.", hint="Choose another id or folder, or remove it.")
    if settings.out is None and any(card.id == settings.id for card in BundleStore().cards()):
        raise OutputError(
            f"There is a model {settings.id!r} already, which the new one would hide.",
            hint="Choose another id.",
        )


def _named(found: Mapping[Pair, float]) -> dict[str, float]:
    return {f"{'+'.join(subset)}>{target}": error for (subset, target), error in found.items()}


def _mean(values: Mapping[Any, float]) -> float:
    return float(np.mean(list(values.values()))) if values else math.inf
