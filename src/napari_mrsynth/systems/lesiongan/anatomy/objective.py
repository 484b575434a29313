"""The six losses of random anatomy (Qu et al. 2020, section 2.3), each a function with its equation.

All are means over voxels, numbers and crops, where the paper writes squared norms: a learning rate then
holds for every size of slice. Maps f are (B, 1, H, W), 1 on edges; masks are 1 in the *background*.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_mrsynth.systems.lesiongan.adversarial import said_made, said_real


@dataclass(frozen=True)
class Objective:
    """Weights of the losses.

    Attributes
    ----------
    code_critic : float
        Of :func:`code_critic_loss`.
    map_critic : float
        Of :func:`map_critic_loss`.
    code_adversarial : float
        Of the first term of :func:`adversarial_losses`.
    map_adversarial : float
        Of its second term.
    normal : float
        Of :func:`normal_loss`.
    divergence : float
        Of :func:`divergence_loss`; 0 is published.
    reconstruction : float
        Of the first term of :func:`reconstruction_losses`.
    outside : float
        Of its second term, and of the overlap terms of :func:`mask_losses`.
    mask : float
        Of the first term of :func:`mask_losses`.
    edge : float
        How many times more an edge's voxel counts in the reconstruction than any other.
    expand : int
        Voxels by which the brain's box grows in the mask (algorithm 2).
    least : float
        Slices that show less brain than this share of their patient's largest are not learnt from; as
        published, those near the crown and the base.
    """

    code_critic: float = 1.0
    map_critic: float = 1.0
    code_adversarial: float = 0.1
    map_adversarial: float = 0.1
    normal: float = 0.1
    divergence: float = 0.0
    reconstruction: float = 50.0
    outside: float = 5.0
    mask: float = 25.0
    edge: float = 1.0
    expand: int = 5
    least: float = 0.0


def code_critic_loss(normal: Tensor, encoded: Tensor) -> Tensor:
    r"""Return :math:`\|FD_f(n) - 1\|_2^2 + \|FD_f(code_f)\|_2^2`, given what the critic says of both."""
    return said_real(normal) + said_made(encoded)


def map_critic_loss(real: Tensor, drawn: Tensor) -> Tensor:
    r"""Return :math:`\|D_f(f) - 1\|_2^2 + \|D_f(f_g)\|_2^2`, given what the critic says of both."""
    return said_real(real) + said_made(drawn)


def adversarial_losses(encoded: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return the terms of :math:`\|FD_f(code_f) - 1\|_2^2 + \|D_f(f_g) - 1\|_2^2`."""
    return said_real(encoded), said_real(drawn)


def normal_loss(mean: Tensor, log_variance: Tensor) -> Tensor:
    r"""Return :math:`\overline{\mu}^2 + (\overline{\sigma} - 1)^2`, in place of the Kullback-Leibler term.

    :math:`\overline\mu` is the mean of the codes' means, :math:`\overline\sigma` of their standard
    deviations, :math:`\exp(\log\sigma^2 / 2)`; both over all numbers of all codes.
    """
    spread = torch.exp(0.5 * log_variance)
    return mean.mean().square() + (spread.mean() - 1).square()


def divergence_loss(mean: Tensor, log_variance: Tensor) -> Tensor:
    r"""Return :math:`\frac12(\mu^2 + \sigma^2 - 1 - \log\sigma^2)`, Kullback and Leibler's, per number.

    The published losses say nothing of a single number of the code: its mean may lie anywhere as long as the
    others' make up for it, and a critic of few codes at a time finds that out slowly. Drawn codes then lie
    where no map was ever encoded.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()


def reconstruction_losses(
    structure: Tensor, rebuilt: Tensor, background: Tensor, edge: float = 1.0
) -> tuple[Tensor, Tensor]:
    r"""Return the terms of :math:`\|f - f_r\|_2^2 + \|f_r \cdot mask\|_2^2`.

    Parameters
    ----------
    structure, rebuilt, background : Tensor, (B, 1, H, W)
    edge : float
        Weight of an edge's voxel in the first term; 1 is published.
    """
    weight = 1 + (edge - 1) * structure
    difference = (weight * (structure - rebuilt).square()).sum() / weight.sum()
    return difference, (rebuilt * background).square().mean()


def mask_losses(
    background: Tensor,
    made: Tensor,
    made_for_drawn: Tensor,
    structure: Tensor,
    rebuilt: Tensor,
    drawn: Tensor,
) -> tuple[Tensor, Tensor]:
    r"""Return :math:`\|m - m_r\|_2^2` and :math:`\|f m_r\|_2^2 + \|f_r m_r\|_2^2 + \|f_g m_g\|_2^2`.

    Parameters
    ----------
    background : Tensor, (B, 1, H, W)
        The mask m of the scan.
    made, made_for_drawn : Tensor
        The generator's masks :math:`m_r` of the scan's map and :math:`m_g` of the drawn one.
    structure, rebuilt, drawn : Tensor
        The maps f, :math:`f_r` and :math:`f_g`.
    """
    overlaps = [(structure * made), (rebuilt * made), (drawn * made_for_drawn)]
    return (background - made).square().mean(), torch.stack([o.square().mean() for o in overlaps]).sum()
