"""The losses of making scans (Qu et al. 2020, sections 2.4 and 2.6), each a function with its equation.

All are means where the paper writes squared norms, over voxels and crops and over the contrasts, or pairs of
contrasts, that it sums over. Scans are (B, 1, H, W), by contrast; labels (B, 1 + class, H, W), one-hot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_mrsynth.systems.lesiongan.adversarial import said_made, said_real

Pair = tuple[str, str]

MOST = 4.0
"""What a voxel of a rare class may weigh beside the mean: a few voxels would else outweigh the brain."""


@dataclass(frozen=True)
class Objective:
    """Weights of the losses, and how a step is put together; what weighs 0 is not computed.

    Attributes
    ----------
    critic, critic_contrast : float
        Of :func:`critic_loss` and :func:`contrast_loss`, the critics' part.
    code_critic : float
        Of :func:`critic_loss` of the codes.
    adversarial : float
        Of :func:`adversarial_loss` of made scans.
    contrast : float
        Of :func:`contrast_loss` of made scans.
    code_adversarial : float
        Of :func:`adversarial_loss` of the fused images' codes.
    reconstruction : float
        Of :func:`reconstruction_loss`.
    translation : float
        Of the adversarial and contrast losses of translated scans.
    cycle : float
        Of :func:`cycle_loss`.
    cycle_consistency : float
        Of :func:`cycle_consistency_loss`.
    semantic : float
        Of :func:`semantic_loss` of real scans' codes and of :func:`code_agreement_loss`.
    registration : float
        Of :func:`registration_loss`.
    structure : float
        Of :func:`structure_loss`.
    lesion : float
        Of :func:`lesion_loss` of made scans.
    paired : float
        Of :func:`paired_loss`, for patients whose contrasts are registered to each other; 0 as published.
    squared : float
        Of :func:`squared_loss`, likewise.
    edges : float
        Of :func:`edges_loss`, likewise.
    most : float
        The most that a lesion weighs in :func:`paired_loss` and :func:`squared_loss`, the mean voxel being 1:
        4 for lesions of centimetres, more for small ones.
    segmenter : float
        Of :func:`lesion_loss` of real scans: what the segmenters learn from.
    scheme : str
        ``1SEG``, ``1ECL+nDCL`` or ``nSEG``.
    drawn : int
        Contrasts that each step translates between, drawn at random; 0 for all, as published.
    unpaired : bool
        Whether the real scans of each contrast are of other crops, as published; with false, of the same.
    expand : int
        Voxels by which the brain's box grows in the mask (algorithm 2).
    """

    critic: float = 1.0
    critic_contrast: float = 1.0
    code_critic: float = 0.5
    adversarial: float = 0.5
    contrast: float = 0.5
    code_adversarial: float = 0.05
    reconstruction: float = 10.0
    translation: float = 0.2
    cycle: float = 10.0
    cycle_consistency: float = 2.0
    semantic: float = 1.0
    registration: float = 5.0
    structure: float = 5.0
    lesion: float = 10.0
    paired: float = 0.0
    squared: float = 0.0
    edges: float = 0.0
    most: float = MOST
    segmenter: float = 10.0
    scheme: str = "nSEG"
    drawn: int = 2
    unpaired: bool = True
    expand: int = 5


def critic_loss(real: Sequence[Tensor], made: Sequence[Tensor]) -> Tensor:
    r"""Return the mean of :math:`\|d_i - 1\|_2^2` plus that of :math:`\|d_{g,i}\|_2^2`."""
    return _mean([said_real(score) for score in real]) + _mean([said_made(score) for score in made])


def adversarial_loss(made: Sequence[Tensor]) -> Tensor:
    r"""Return the mean of :math:`\|d_{g,i} - 1\|_2^2`."""
    return _mean([said_real(score) for score in made])


def contrast_loss(scores: Sequence[tuple[int, Tensor]]) -> Tensor:
    r"""Return the mean of :math:`\|c_i - e_i\|_2^2`, with :math:`e_i` the unit vector of contrast i.

    The paper regresses to the contrast's number i, which says that the first contrast is more like the second
    than like the last; unit vectors put no order on contrasts.

    Parameters
    ----------
    scores : sequence of (int, Tensor)
        The true contrast's place and (B, contrast, h, w).
    """
    costs = []
    for place, score in scores:
        wanted = torch.zeros_like(score, dtype=torch.float32)
        wanted[:, place] = 1
        costs.append((score.float() - wanted).square().mean())
    return _mean(costs)


def reconstruction_loss(scans: Mapping[str, Tensor], rebuilt: Mapping[str, Tensor]) -> Tensor:
    r"""Return the mean of :math:`\|x_i - x_{r,i}\|_2^2`."""
    return _mean([_squared(scans[name], made) for name, made in rebuilt.items()])


def cycle_loss(scans: Mapping[str, Tensor], cycled: Mapping[Pair, Tensor]) -> Tensor:
    r"""Return the mean of :math:`\|x_i - x_{cr,j,i}\|_2^2`: contrast i by way of j and back.

    `cycled` is by (way, contrast).
    """
    return _mean([_squared(scans[name], made) for (_, name), made in cycled.items()])


def cycle_consistency_loss(cycled: Mapping[Pair, Tensor]) -> Tensor:
    r"""Return the mean of :math:`\|x_{cr,j,i} - x_{cr,k,i}\|_2^2` over the ways j, k; 0 for only one way."""
    costs = [
        _squared(first, cycled[other, name])
        for (way, name), first in cycled.items()
        for other in {way for way, back in cycled if back == name}
        if other > way
    ]
    return _mean(costs)


def semantic_loss(codes: Mapping[str, Tensor], translated: Mapping[Pair, Tensor]) -> Tensor:
    r"""Return the mean of :math:`\|code_i - code_{t,i,j}\|_2^2`: translating keeps what a scan means.

    `translated` is by (from, to).
    """
    return _mean([_squared(codes[name], code) for (name, _), code in translated.items()])


def code_agreement_loss(given: Tensor, made: Mapping[str, Tensor]) -> Tensor:
    r"""Return the sum of the means of :math:`\|c_g - c_{g,i}\|_2^2` and of :math:`\|c_{g,i} - c_{g,j}\|_2^2`.

    :math:`c_g` is the fused image's code, :math:`c_{g,i}` that of the scan of contrast i made of it.
    """
    names = list(made)
    pairs = [(made[a], made[b]) for place, a in enumerate(names) for b in names[place + 1 :]]
    return _mean([_squared(given, code) for code in made.values()]) + _mean(
        [_squared(*pair) for pair in pairs]
    )


def registration_loss(made: Mapping[str, Tensor], translated: Mapping[Pair, Tensor]) -> Tensor:
    r"""Return the mean of :math:`\|x_{g,i} - x_{gt,j,i}\|_2^2`: made directly, and from another one.

    `translated` is by (from, to).
    """
    return _mean([_squared(made[name], image) for (_, name), image in translated.items()])


def structure_loss(structure: Tensor, maps: Mapping[str, Tensor]) -> Tensor:
    r"""Return the mean of :math:`\|f - f_{g,i}\|_2^2`; both without the edges inside the lesion's label."""
    return _mean([_squared(structure, each) for each in maps.values()])


def lesion_loss(pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    r"""Return the mean of :math:`\|l_i - l_{r,i}\|_2^2`, every class weighing the same however small it is.

    Parameters
    ----------
    pairs : sequence of (Tensor, Tensor)
        A label and the probabilities that were found, both (B, 1 + class, H, W), one per contrast.
    """
    return _mean([_even(label) * (label - found).square().sum(dim=1, keepdim=True) for label, found in pairs])


def paired_loss(pairs: Sequence[tuple[Tensor, Tensor]], label: Tensor, most: float = MOST) -> Tensor:
    r"""Return the mean of :math:`|x_i - \hat x_i|`, half of it weighing lesions more, up to `most` times.

    Beyond the paper: what is made of a patient's own map and label, or of another of the patient's contrasts,
    is compared with the real scan.

    Parameters
    ----------
    pairs : sequence of (Tensor, Tensor)
        Real scans and what was made instead, (B, 1, H, W).
    label : Tensor, (B, 1 + class, H, W)
        Of the real scans, one-hot.
    most : float
        The most that a voxel weighs in that half.
    """
    weight = _weight(label, most)
    return _mean([weight * (real.float() - made.float()).abs() for real, made in pairs])


def squared_loss(pairs: Sequence[tuple[Tensor, Tensor]], label: Tensor, most: float = MOST) -> Tensor:
    r"""Return the mean of :math:`(x_i - \hat x_i)^2`, weighted as :func:`paired_loss` (parameters as there).

    Beyond the paper: where a map does not tell what lies between two edges, the best guess of the absolute
    difference is the commoner tissue, and fluid is lost; that of the square lies between the two.
    """
    weight = _weight(label, most)
    return _mean([weight * (real.float() - made.float()).square() for real, made in pairs])


def edges_loss(pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    r"""Return the mean of :math:`|\nabla x_i - \nabla \hat x_i|` over differences of neighbouring voxels.

    Beyond the paper: of two images as near to the real one, the sharper one costs less.

    Parameters
    ----------
    pairs : sequence of (Tensor, Tensor)
        As for :func:`paired_loss`.
    """
    costs = []
    for real, made in pairs:
        apart = real.float() - made.float()
        costs += [apart.diff(dim=-1).abs(), apart.diff(dim=-2).abs()]
    return _mean(costs)


def _weight(label: Tensor, most: float) -> Tensor:
    """Return what each voxel weighs: half the same for all, half more for lesions, `most` at most."""
    return (1 + _even(label).clamp(max=most)) / 2


def _even(label: Tensor) -> Tensor:
    """Return weights of mean 1 that make all classes count alike, (B, 1, H, W)."""
    voxels = label.sum((0, 2, 3), keepdim=True)
    weight = (label / voxels.clamp(min=1)).sum(dim=1, keepdim=True)
    return weight / weight.mean()


def _squared(one: Tensor, other: Tensor) -> Tensor:
    return (one.float() - other.float()).square().mean()


def _mean(costs: Sequence[Tensor]) -> Tensor:
    return torch.stack([cost.mean() for cost in costs]).mean() if costs else torch.zeros(())
