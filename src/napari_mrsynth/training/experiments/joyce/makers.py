"""Ways of making volumes in an experiment: a plain method, or a network trained for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from napari_mrsynth.training.baselines import Baseline, Case
from napari_mrsynth.training.config import TrainConfig
from napari_mrsynth.training.experiments.joyce.fitting import digest_of, fitted
from napari_mrsynth.training.experiments.joyce.repeats import seeded
from napari_mrsynth.training.experiments.joyce.views import AsIs, View
from napari_mrsynth.training.experiments.plan import Part
from napari_mrsynth.training.experiments.scoring import Made, Pair
from napari_mrsynth.training.experiments.telling import Teller
from napari_mrsynth.training.prepared import Prepared


@dataclass(frozen=True)
class Plain:
    """A plain method, fitted to each pair.

    Attributes
    ----------
    fresh : callable
        Makes the method, not fitted yet.
    view : View
        How the inputs are seen.
    """

    fresh: Callable[[], Baseline]
    view: View = field(default_factory=AsIs)
    trained: ClassVar[bool] = False
    _cases: dict[str, Case] = field(default_factory=dict, repr=False, compare=False)

    def origin(self, part: Part, pairs: Sequence[Pair]) -> Mapping[str, Any]:
        """Return the method's settings and the view."""
        method = self.fresh()
        return {"method": method.name, "settings": getattr(method, "settings", {}), "view": self.view.name}

    def make(self, part: Part, todo: Mapping[Pair, Sequence[Prepared]], tell: Teller) -> Made:
        """Fit each pair and predict the brain on the part's slices."""
        for pair, patients in todo.items():
            method = self.fresh().fit([self._case(patient) for patient in part.learn], *pair)
            for patient in patients:
                case = self._case(patient)
                scored = np.zeros(case.brain.shape, bool)
                scored[part.planes(patient)] = True
                yield patient, pair, method.predict(case, np.flatnonzero(case.brain & scored))

    def _case(self, patient: Prepared) -> Case:
        if patient.subject not in self._cases:
            self._cases[patient.subject] = Case.of(self.view(patient))
        return self._cases[patient.subject]


@dataclass(frozen=True)
class Trained:
    """Networks trained on the part's patients, one for each configuration that the pairs ask for.

    Attributes
    ----------
    folder : Path
        Where trainings are kept.
    config_of : callable
        From a pair to the configuration of its network.
    view : View
        How the inputs are seen in training.
    judged : View, optional
        How they are seen after it; as in training by default.
    more : tuple of View
        Other ways in which every patient is seen in training as well.
    """

    folder: Path
    config_of: Callable[[Pair], TrainConfig]
    view: View = field(default_factory=AsIs)
    judged: View | None = None
    more: tuple[View, ...] = ()
    trained: ClassVar[bool] = True

    def origin(self, part: Part, pairs: Sequence[Pair]) -> Mapping[str, Any]:
        """Return the trainings' digests, and what else is seen after them."""
        seen = {} if self.judged is None else {"judged": self.judged.name}
        return {"trainings": sorted({self._digest(part, pair) for pair in pairs}), **seen}

    def make(self, part: Part, todo: Mapping[Pair, Sequence[Prepared]], tell: Teller) -> Made:
        """Train what is not trained, and synthesise the part's slices."""
        from napari_mrsynth.systems import load_predictor
        from napari_mrsynth.training.heldout import synthesise

        together: dict[str, list[Pair]] = {}
        for pair in todo:
            together.setdefault(self._digest(part, pair), []).append(pair)
        for pairs in together.values():
            config = self._config(part, pairs[0])
            what = f"{part.name}, {config.network['name']} for {pairs[0][1]} from {', '.join(pairs[0][0])}"
            learn = [view(patient) for view in (self.view, *self.more) for patient in part.learn]
            bundle = fitted(self.folder, config, learn, self._seen, tell.within(what))
            predictor = load_predictor(bundle)
            for patient in part.judge:
                wanted = [pair for pair in pairs if patient in todo[pair]]
                if not wanted:
                    continue
                asked = [(_given(predictor.inputs, pair), pair[1]) for pair in wanted]
                made = synthesise(
                    predictor, (self.judged or self.view)(patient), asked, planes=part.planes(patient)
                )
                for pair, request in zip(wanted, asked, strict=True):
                    yield patient, pair, made[request]

    def _digest(self, part: Part, pair: Pair) -> str:
        return digest_of(self._config(part, pair), part.learn * (1 + len(self.more)), self._seen)

    def _config(self, part: Part, pair: Pair) -> TrainConfig:
        return seeded(self.config_of(pair), part)

    @property
    def _seen(self) -> str:
        return "; ".join(view.name for view in (self.view, *self.more))


def _given(inputs: Sequence[str], pair: Pair) -> tuple[str, ...]:
    """Return a network's inputs that a pair switches on, in the network's order; places always are."""
    from napari_mrsynth.systems.direct.network import LOCATION

    return tuple(contrast for contrast in inputs if contrast in (*pair[0], *LOCATION))
