"""One training step of making scans: real scans rebuilt and translated, new ones made of anatomy and lesion.

The real scans of one contrast are other people's than those of the next: nothing here needs them paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from napari_mrsynth.networks.registry import build_as
from napari_mrsynth.structure.maps import background_mask, without_lesion
from napari_mrsynth.systems.lesiongan.adversarial import held
from napari_mrsynth.systems.lesiongan.maps import lesion_free_maps, map_of, others_label
from napari_mrsynth.systems.lesiongan.scans import objective as losses
from napari_mrsynth.systems.lesiongan.scans.critics import CodeCritic, ScanCritic, Segmenters
from napari_mrsynth.systems.lesiongan.scans.network import ScansNetwork
from napari_mrsynth.systems.segmenter.module import one_hot

Scans = dict[str, Tensor]
Pairs = dict[tuple[str, str], Tensor]


@dataclass(frozen=True)
class _Real:
    """Real scans by contrast, rebuilt and translated (auxiliary stage); pairs are (from, to)."""

    scans: Scans
    labels: Scans
    codes: Scans
    rebuilt: Scans
    translated: Pairs
    translated_codes: Pairs
    cycled: Pairs  # (way, contrast)


@dataclass(frozen=True)
class _Made:
    """Scans made of a map and a label, by contrast, and translated; pairs are (from, to).

    `own_structure` lacks the edges within the crop's own lesion, `structure` those within `label` too.
    """

    brain: Tensor
    own_structure: Tensor
    structure: Tensor
    label: Tensor
    code: Tensor
    scans: Scans
    codes: Scans
    translated: Pairs
    maps: Scans


class ScansTraining(nn.Module):
    """The networks, what guides them, and their objective.

    Parameters
    ----------
    network : mapping
        ``name`` and parameters, as on a card.
    contrasts : sequence of str
        Order of the contrasts in a batch; one indicator per lesion class follows them.
    objective : mapping
        Fields of :class:`napari_mrsynth.systems.lesiongan.scans.objective.Objective`.
    spread : sequence of float
        Not needed; every system is built from the same four things.

    Attributes
    ----------
    critics : nn.ModuleDict
        ``scan``, ``code`` and ``segmenters``: learn beside the network and stay behind when it is exported.
        Segmenters learn from real scans alone.
    """

    neighbours, focus = 0, 0.5

    def __init__(
        self,
        network: Mapping[str, Any],
        contrasts: Sequence[str],
        objective: Mapping[str, Any],
        spread: Sequence[float],
    ) -> None:
        super().__init__()
        built = build_as(network, ScansNetwork)
        unknown = [name for name in built.outputs if name not in contrasts]
        if unknown:
            raise ValueError(f"the network makes {', '.join(unknown)}, which the patients do not have")
        self.network, self.contrasts, self.classes = built, tuple(contrasts), built.classes
        self.objective = losses.Objective(**objective)
        names, count = built.outputs, len(built.classes)
        self.critics = nn.ModuleDict(
            {
                "scan": ScanCritic(len(names)),
                "code": CodeCritic(built.join.out_channels),
                "segmenters": Segmenters(names, count, self.objective.scheme),
            }
        )

    def cost(self, inputs: Tensor, truth: Tensor, mask: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Return the sum of all losses, the critics' and segmenters' among them, and each by its name.

        Parameters
        ----------
        inputs : Tensor, (B, contrast + class, 1, H, W)
            Not looked at: scans are made with true intensities.
        truth : Tensor, (B, contrast + class, H, W)
            Turned and mirrored, intensities as scanned; then where each lesion class is.
        mask : Tensor of bool, (B, H, W)
            Not looked at.
        rng : torch.Generator
            For the contrasts.
        """
        names = self._drawn(rng)
        real, made = self._real(truth, names), self._made(truth, names, rng)
        terms = {**self._guides(real, made), **self._generators(real, made)}
        if self.objective.paired:
            terms["paired"] = self._paired(truth, names, real, made)
        weighted = [getattr(self.objective, name) * value.to(truth.device) for name, value in terms.items()]
        return {"loss": torch.stack(weighted).sum(), **terms}

    def _drawn(self, rng: torch.Generator) -> list[str]:
        """Return the contrasts of this step, in the network's order."""
        names = self.network.outputs
        count = self.objective.drawn or len(names)
        chosen = torch.randperm(len(names), generator=rng)[:count].sort().values
        return [names[int(place)] for place in chosen]

    def _real(self, truth: Tensor, names: Sequence[str]) -> _Real:
        network = self.network
        scans, labels, brains = {}, {}, {}
        for place, name in enumerate(names):
            rolled = truth.roll(place, dims=0) if self.objective.unpaired else truth
            channel = self.contrasts.index(name)
            scans[name] = rolled[:, channel : channel + 1]
            labels[name] = one_hot(rolled[:, len(self.contrasts) :])
            brains[name] = 1 - background_mask(scans[name], self.objective.expand)
        codes = {name: network.encode(scan) for name, scan in scans.items()}
        rebuilt = {name: network.decode(code, name) * brains[name] for name, code in codes.items()}
        translated = {
            (name, other): network.decode(codes[name], other) * brains[name]
            for name in names
            for other in names
            if other != name
        }
        translated_codes = {pair: network.encode(scan) for pair, scan in translated.items()}
        cycled = {
            (other, name): network.decode(code, name) * brains[name]
            for (name, other), code in translated_codes.items()
        }
        return _Real(scans, labels, codes, rebuilt, translated, translated_codes, cycled)

    def _made(self, truth: Tensor, names: Sequence[str], rng: torch.Generator) -> _Made:
        network, expand = self.network, self.objective.expand
        structure, background = lesion_free_maps(truth, self.contrasts, network.outputs, expand, rng)
        label = others_label(one_hot(truth[:, len(self.contrasts) :]), background)
        lesion = label[:, 1:].sum(dim=1, keepdim=True)
        code = network.encode_fused(structure, label)
        brain = 1 - background
        scans = {name: network.decode(code, name) * brain for name in names}
        codes = {name: network.encode(scan) for name, scan in scans.items()}
        translated = {
            (name, other): network.decode(codes[name], other) * brain
            for name in names
            for other in names
            if other != name
        }
        maps = {name: without_lesion(map_of(scan, name, background), lesion) for name, scan in scans.items()}
        painted = without_lesion(structure, lesion)
        return _Made(brain, structure, painted, label, code, scans, codes, translated, maps)

    def _paired(self, truth: Tensor, names: Sequence[str], real: _Real, made: _Made) -> Tensor:
        """Compare real scans with those made of their own maps and labels, and with translated ones."""
        label = one_hot(truth[:, len(self.contrasts) :])
        own = {name: truth[:, [self.contrasts.index(name)]] for name in names}
        code = self.network.encode_fused(made.own_structure, label)
        pairs = [(scan, self.network.decode(code, name) * made.brain) for name, scan in own.items()]
        if not self.objective.unpaired:
            pairs += [(own[other], scan) for (_, other), scan in real.translated.items()]
        return losses.paired_loss(pairs, label)

    def _guides(self, real: _Real, made: _Made) -> dict[str, Tensor]:
        """Return what critics and segmenters learn from; nothing here reaches the network."""
        critic, of_codes = self.critics["scan"], self.critics["code"]
        shown = self._placed(real.scans)
        false = self._placed(made.scans) + self._placed(real.translated)
        said = [(place, critic(scan)) for place, scan in shown]
        said_false = [(place, critic(scan.detach())) for place, scan in false]
        return {
            "critic": losses.critic_loss([score for _, (score, _) in said], [s for _, (s, _) in said_false]),
            "critic_contrast": losses.contrast_loss([(p, named) for p, (_, named) in said + said_false]),
            "code_critic": losses.critic_loss(
                [of_codes(code.detach()) for code in real.codes.values()], [of_codes(made.code.detach())]
            ),
            "segmenter": losses.lesion_loss(
                [
                    (real.labels[name], self.critics["segmenters"](scan, self.network.outputs.index(name)))
                    for name, scan in real.scans.items()
                ]
            ),
        }

    def _generators(self, real: _Real, made: _Made) -> dict[str, Tensor]:
        """Return what the network learns from; nothing here reaches critics or segmenters."""
        critic, segmenters = self.critics["scan"], self.critics["segmenters"]
        said = [(place, held(critic, scan)) for place, scan in self._placed(made.scans)]
        of_translated = [(place, held(critic, scan)) for place, scan in self._placed(real.translated)]
        found = [(made.label, held(segmenters, scan, place)) for place, scan in self._placed(made.scans)]
        return {
            "adversarial": losses.adversarial_loss([score for _, (score, _) in said]),
            "contrast": losses.contrast_loss([(place, named) for place, (_, named) in said]),
            "code_adversarial": losses.adversarial_loss([held(self.critics["code"], made.code)]),
            "translation": losses.adversarial_loss([score for _, (score, _) in of_translated])
            + losses.contrast_loss([(place, named) for place, (_, named) in of_translated]),
            "reconstruction": losses.reconstruction_loss(real.scans, real.rebuilt),
            "cycle": losses.cycle_loss(real.scans, real.cycled),
            "cycle_consistency": losses.cycle_consistency_loss(real.cycled),
            "semantic": losses.semantic_loss(real.codes, real.translated_codes)
            + losses.code_agreement_loss(made.code, made.codes),
            "registration": losses.registration_loss(made.scans, made.translated),
            "structure": losses.structure_loss(made.structure, made.maps),
            "lesion": losses.lesion_loss(found),
        }

    def _placed(
        self, scans: Mapping[str, Tensor] | Mapping[tuple[str, str], Tensor]
    ) -> list[tuple[int, Tensor]]:
        """Return the place of the contrast that each scan shows, and the scan; of a pair it is the second."""
        found = []
        for name, scan in scans.items():
            shown = name if isinstance(name, str) else name[1]
            found.append((self.network.outputs.index(shown), scan))
        return found
