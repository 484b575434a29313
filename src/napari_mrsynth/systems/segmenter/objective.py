"""What a segmenter is trained for: overlap, cross-entropy, or the squared difference of Qu et al. 2020.

Shapes: probabilities and one-hot truth are (B, 1 + class, H, W) with the background first, `mask` is
(B, H, W), true in the brain. Voxels outside the brain never count.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import log_softmax


@dataclass(frozen=True)
class Objective:
    """Weights of the cost, and how crops are drawn.

    Attributes
    ----------
    dice : float
        Weight of :func:`soft_dice`.
    cross_entropy : float
        Weight of :func:`cross_entropy`.
    squared : float
        Weight of :func:`squared_difference`, the only term of Qu et al.
    drop : float
        Probability that a contrast is left out of a crop, which then shows it as zeros; one always stays.
    focus : float
        Share of the crops that are centred on a lesion, where the patient has one.
    """

    dice: float = 1.0
    cross_entropy: float = 1.0
    squared: float = 0.0
    drop: float = 0.0
    focus: float = 0.5

    def __post_init__(self) -> None:
        for name in ("drop", "focus"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it lies between 0 and 1")

    def terms(self, logits: Tensor, truth: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Return the weighted sum as ``loss`` and every term that has a weight, by its name."""
        probabilities = logits.softmax(dim=1)
        inside = mask[:, None].to(logits)
        terms: dict[str, Tensor] = {}
        if self.dice:
            terms["dice"] = soft_dice(probabilities, truth, inside)
        if self.cross_entropy:
            terms["cross_entropy"] = cross_entropy(logits, truth, inside)
        if self.squared:
            terms["squared"] = squared_difference(probabilities, truth, inside)
        loss = torch.stack([getattr(self, name) * value for name, value in terms.items()]).sum()
        return {"loss": loss, **terms}


def soft_dice(probabilities: Tensor, truth: Tensor, inside: Tensor, smooth: float = 1.0) -> Tensor:
    r"""Return one minus the mean overlap of the lesion classes, each counted over the whole batch.

    :math:`1 - \frac{1}{C} \sum_c \frac{2 \sum p_c t_c + s}{\sum p_c + \sum t_c + s}`: most slices hold no
    lesion, and one without would otherwise count as much as one with.

    Parameters
    ----------
    probabilities, truth : Tensor, (B, 1 + class, H, W)
    inside : Tensor, (B, 1, H, W)
        1 where voxels count.
    smooth : float
        The s of the equation, in voxels.
    """
    found, wanted = probabilities[:, 1:] * inside, truth[:, 1:] * inside
    both = (found * wanted).sum((0, 2, 3))
    all_of_them = found.sum((0, 2, 3)) + wanted.sum((0, 2, 3))
    return 1 - ((2 * both + smooth) / (all_of_them + smooth)).mean()


def cross_entropy(logits: Tensor, truth: Tensor, inside: Tensor) -> Tensor:
    r"""Return :math:`-\frac{1}{N} \sum_v \sum_c t_{vc} \log p_{vc}` over the N voxels of the brain."""
    cost = -(truth * log_softmax(logits, dim=1)).sum(dim=1, keepdim=True)
    return (cost * inside).sum() / inside.sum().clamp(min=1)


def squared_difference(probabilities: Tensor, truth: Tensor, inside: Tensor) -> Tensor:
    r"""Return :math:`\|l - l_r\|_2^2` of Qu et al. 2020 as a mean over the brain's voxels and the classes.

    A mean and not a sum, so that the learning rate need not depend on the size of the image; of one-hot
    classes and not of their numbers, among which 4 would be further from 0 than 1 is.
    """
    cost = (probabilities - truth).square().mean(dim=1, keepdim=True)
    return (cost * inside).sum() / inside.sum().clamp(min=1)
