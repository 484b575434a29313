"""What the adversarial trainings share: critics that judge without learning, and the least-squares losses.

Generators and critics learn in the same step from one sum of costs. A critic enters the generators' part with
its weights held, and sees their work in its own part without a way back to them: each learns from its own
losses only, as with an optimiser each.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.func import functional_call


def held(critic: nn.Module, *shown: Any) -> Any:
    """Return what a critic says, with a gradient for what it is shown and none for its weights."""
    weights = {name: parameter.detach() for name, parameter in critic.named_parameters()}
    return functional_call(critic, weights, shown)


def said_real(score: Tensor) -> Tensor:
    r"""Return :math:`\|D(x) - 1\|_2^2` as a mean."""
    return (score.float() - 1).square().mean()


def said_made(score: Tensor) -> Tensor:
    r"""Return :math:`\|D(x)\|_2^2` as a mean."""
    return score.float().square().mean()


def straight_through(probability: Tensor) -> Tensor:
    """Return 0 or 1, and pass the gradient on to the probability.

    A critic that saw grey maps beside black-and-white ones would tell them apart by that alone.
    """
    return (probability > 0.5).to(probability) + (probability - probability.detach())
