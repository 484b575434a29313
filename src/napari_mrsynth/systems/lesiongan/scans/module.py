"""One training step of making scans: real scans rebuilt and translated, new ones made of anatomy and lesion.

The real scans of one contrast are other people's than those of the next: nothing here needs them paired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn

from napari_mrsynth.structure.maps import background_mask, without_lesion
from napari_mrsynth.systems.lesiongan.adversarial import held
from napari_mrsynth.systems.lesiongan.maps import lesion_free_maps, map_of, others_label
from napari_mrsynth.systems.lesiongan.scans import objective as losses
from napari_mrsynth.systems.lesiongan.scans.critics import CodeCritic, ScanCritic, Segmenters
from napari_mrsynth.systems.lesiongan.scans.network import ScansNetwork
from napari_mrsynth.systems.segmenter.module import one_hot
from napari_mrsynth.systems.training_system import ConfiguredSystem

Scans = dict[str, Tensor]
Pairs = dict[tuple[str, str], Tensor]
Losses = dict[str, Callable[[], Tensor]]
Placed = list[tuple[int, Tensor]]


class _Real:
    """Real scans by contrast, rebuilt and translated (auxiliary stage) when first asked for.

    Pairs are (from, to), in `cycled` (way, contrast).
    """

    def __init__(self, network: ScansNetwork, scans: Scans, labels: Scans, brains: Scans) -> None:
        self.network, self.scans, self.labels, self.brains = network, scans, labels, brains

    @cached_property
    def codes(self) -> Scans:
        return {name: self.network.encode(scan) for name, scan in self.scans.items()}

    @cached_property
    def rebuilt(self) -> Scans:
        return {
            name: self.network.decode(code, name) * self.brains[name] for name, code in self.codes.items()
        }

    @cached_property
    def translated(self) -> Pairs:
        return _translated(self.network, self.codes, self.brains)

    @cached_property
    def translated_codes(self) -> Pairs:
        return {pair: self.network.encode(scan) for pair, scan in self.translated.items()}

    @cached_property
    def cycled(self) -> Pairs:
        return {
            (other, name): self.network.decode(code, name) * self.brains[name]
            for (name, other), code in self.translated_codes.items()
        }


class _Made:
    """Scans made of a map and a label, by contrast, and translated, when first asked for.

    Pairs are (from, to). `own_structure` lacks the edges within the crop's own lesion, `structure` those
    within `label` too.
    """

    def __init__(
        self,
        network: ScansNetwork,
        names: Sequence[str],
        structure: Tensor,
        background: Tensor,
        label: Tensor,
    ) -> None:
        self.network, self.names, self.label = network, tuple(names), label
        self.own_structure, self.background, self.brain = structure, background, 1 - background
        self.lesion = label[:, 1:].sum(dim=1, keepdim=True)
        self.structure = without_lesion(structure, self.lesion)

    @cached_property
    def code(self) -> Tensor:
        return self.network.encode_fused(self.own_structure, self.label, self.brain)

    @cached_property
    def scans(self) -> Scans:
        return {name: self.network.decode(self.code, name) * self.brain for name in self.names}

    @cached_property
    def codes(self) -> Scans:
        return {name: self.network.encode(scan) for name, scan in self.scans.items()}

    @cached_property
    def translated(self) -> Pairs:
        return _translated(self.network, self.codes, dict.fromkeys(self.names, self.brain))

    @cached_property
    def maps(self) -> Scans:
        return {
            name: without_lesion(map_of(scan, name, self.background), self.lesion)
            for name, scan in self.scans.items()
        }


class _Verdict:
    """What a critic says of scans; it is asked once, when that is first wanted."""

    def __init__(
        self, critic: Callable[[Tensor], tuple[Tensor, Tensor]], shown: Callable[[], Placed]
    ) -> None:
        self.critic, self.shown = critic, shown

    @cached_property
    def _said(self) -> list[tuple[int, tuple[Tensor, Tensor]]]:
        return [(place, self.critic(scan)) for place, scan in self.shown()]

    @property
    def scores(self) -> list[Tensor]:
        return [score for _, (score, _) in self._said]

    @property
    def contrasts(self) -> Placed:
        return [(place, named) for place, (_, named) in self._said]


class ScansTraining(ConfiguredSystem[ScansNetwork]):
    """The networks, what guides them, and their objective.

    The objective has the fields of :class:`napari_mrsynth.systems.lesiongan.scans.objective.Objective`.

    Attributes
    ----------
    critics : nn.ModuleDict
        ``scan``, ``code`` and ``segmenters``: learn beside the network and stay behind when it is exported.
        Segmenters learn from real scans alone.
    """

    kind = ScansNetwork
    focus = 0.5

    def set_objective(self, objective: Mapping[str, Any], spread: Sequence[float]) -> None:
        """Take the settings of the cost, and make the critics and segmenters.

        Raises
        ------
        ValueError
            If the network makes contrasts that the patients do not have.
        """
        built = self.network
        unknown = [name for name in built.outputs if name not in self.contrasts]
        if unknown:
            raise ValueError(f"the network makes {', '.join(unknown)}, which the patients do not have")
        self.objective = losses.Objective(**objective)
        names, count = built.outputs, len(built.classes)
        self.critics = nn.ModuleDict(
            {
                "scan": ScanCritic(len(names)),
                "code": CodeCritic(built.code_channels),
                "segmenters": Segmenters(names, count, self.objective.scheme),
            }
        )

    def cost(self, inputs: Tensor, truth: Tensor, mask: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Return the sum of all losses, the critics' and segmenters' among them, and each by its name.

        What weighs nothing is left out, and what only it needs is not made.

        Inputs and mask are not looked at: scans are made with true intensities. `rng` draws contrasts.
        """
        names = self._drawn(rng)
        real, made = self._real(truth, names), self._made(truth, names, rng)
        asked = {**self._guides(real, made), **self._generators(real, made)}
        own = one_hot(truth[:, len(self.contrasts) :])
        most = self.objective.most
        pairs = cache(lambda: self._pairs(truth, names, real, made, own))
        asked["paired"] = lambda: losses.paired_loss(pairs(), own, most)
        asked["squared"] = lambda: losses.squared_loss(pairs(), own, most)
        asked["edges"] = lambda: losses.edges_loss(pairs())
        weights = {name: getattr(self.objective, name) for name in asked}
        terms = {name: loss().to(truth.device) for name, loss in asked.items() if weights[name]}
        return {"loss": torch.stack([weights[name] * value for name, value in terms.items()]).sum(), **terms}

    def _drawn(self, rng: torch.Generator) -> list[str]:
        """Return the contrasts of this step, in the network's order."""
        names = self.network.outputs
        count = self.objective.drawn or len(names)
        chosen = torch.randperm(len(names), generator=rng)[:count].sort().values
        return [names[int(place)] for place in chosen]

    def _real(self, truth: Tensor, names: Sequence[str]) -> _Real:
        scans, labels, brains = {}, {}, {}
        for place, name in enumerate(names):
            rolled = truth.roll(place, dims=0) if self.objective.unpaired else truth
            channel = self.contrasts.index(name)
            scans[name] = rolled[:, channel : channel + 1]
            labels[name] = one_hot(rolled[:, len(self.contrasts) :])
            brains[name] = 1 - background_mask(scans[name], self.objective.expand)
        return _Real(self.network, scans, labels, brains)

    def _made(self, truth: Tensor, names: Sequence[str], rng: torch.Generator) -> _Made:
        network, expand = self.network, self.objective.expand
        structure, background = lesion_free_maps(truth, self.contrasts, network.outputs, expand, rng)
        label = others_label(one_hot(truth[:, len(self.contrasts) :]), background)
        return _Made(network, names, structure, background, label)

    def _pairs(
        self, truth: Tensor, names: Sequence[str], real: _Real, made: _Made, label: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """Return real scans with those made of their own maps and labels, and with translated ones."""
        own = {name: truth[:, [self.contrasts.index(name)]] for name in names}
        code = self.network.encode_fused(made.own_structure, label, made.brain)
        pairs = [(scan, self.network.decode(code, name) * made.brain) for name, scan in own.items()]
        if not self.objective.unpaired:
            pairs += [(own[other], scan) for (_, other), scan in real.translated.items()]
        return pairs

    def _guides(self, real: _Real, made: _Made) -> Losses:
        """Return what critics and segmenters learn from; nothing here reaches the network."""
        critic, of_codes = self.critics["scan"], self.critics["code"]
        shown = _Verdict(critic, lambda: self._placed(real.scans))
        false = _Verdict(
            lambda scan: critic(scan.detach()),
            lambda: self._placed(made.scans) + self._placed(real.translated),
        )
        return {
            "critic": lambda: losses.critic_loss(shown.scores, false.scores),
            "critic_contrast": lambda: losses.contrast_loss(shown.contrasts + false.contrasts),
            "code_critic": lambda: losses.critic_loss(
                [of_codes(code.detach()) for code in real.codes.values()], [of_codes(made.code.detach())]
            ),
            "segmenter": lambda: losses.lesion_loss(
                [
                    (real.labels[name], self.critics["segmenters"](scan, self.network.outputs.index(name)))
                    for name, scan in real.scans.items()
                ]
            ),
        }

    def _generators(self, real: _Real, made: _Made) -> Losses:
        """Return what the network learns from; nothing here reaches critics or segmenters."""
        critic, segmenters = self.critics["scan"], self.critics["segmenters"]
        judge = partial(held, critic)
        said = _Verdict(judge, lambda: self._placed(made.scans))
        of_translated = _Verdict(judge, lambda: self._placed(real.translated))
        return {
            "adversarial": lambda: losses.adversarial_loss(said.scores),
            "contrast": lambda: losses.contrast_loss(said.contrasts),
            "code_adversarial": lambda: losses.adversarial_loss([held(self.critics["code"], made.code)]),
            "translation": lambda: (
                losses.adversarial_loss(of_translated.scores) + losses.contrast_loss(of_translated.contrasts)
            ),
            "reconstruction": lambda: losses.reconstruction_loss(real.scans, real.rebuilt),
            "cycle": lambda: losses.cycle_loss(real.scans, real.cycled),
            "cycle_consistency": lambda: losses.cycle_consistency_loss(real.cycled),
            "semantic": lambda: (
                losses.semantic_loss(real.codes, real.translated_codes)
                + losses.code_agreement_loss(made.code, made.codes)
            ),
            "registration": lambda: losses.registration_loss(made.scans, made.translated),
            "structure": lambda: losses.structure_loss(made.structure, made.maps),
            "lesion": lambda: losses.lesion_loss(
                [(made.label, held(segmenters, scan, place)) for place, scan in self._placed(made.scans)]
            ),
        }

    def _placed(self, scans: Mapping[str, Tensor] | Mapping[tuple[str, str], Tensor]) -> Placed:
        """Return the place of the contrast that each scan shows, and the scan; of a pair it is the second."""
        found = []
        for name, scan in scans.items():
            shown = name if isinstance(name, str) else name[1]
            found.append((self.network.outputs.index(shown), scan))
        return found


def _translated(network: ScansNetwork, codes: Scans, brains: Scans) -> Pairs:
    """Return the scans of every contrast translated into every other, within the brains of the first."""
    return {
        (name, other): network.decode(code, other) * brains[name]
        for name, code in codes.items()
        for other in codes
        if other != name
    }
