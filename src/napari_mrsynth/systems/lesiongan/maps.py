"""Maps and labels made of training crops on the way, so that turned and mirrored crops have their own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_mrsynth.structure import default_beta
from napari_mrsynth.structure.maps import background_mask, structural_map, without_lesion


def lesion_free_maps(
    truth: Tensor, contrasts: Sequence[str], names: Sequence[str], expand: int, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return each crop's structural feature map without its lesion, and its background.

    Parameters
    ----------
    truth : Tensor, (B, contrast + class, H, W)
        Intensities as scanned, and then where each lesion class is, 0 to 1.
    contrasts : sequence of str
        The contrasts in `truth`, in order.
    names : sequence of str
        Those of which one, at random, gives a crop its map.
    expand : int
        Voxels by which the brain's box grows (algorithm 2); no edge is kept outside it.
    rng : torch.Generator

    Returns
    -------
    structure, background : Tensor, (B, 1, H, W)
        Of 0 and 1.
    """
    lesion = truth[:, len(contrasts) :].sum(dim=1) > 0.5
    pairs = []
    for slices, marked in zip(truth, lesion, strict=True):
        name = names[int(torch.randint(len(names), (1,), generator=rng))]
        image = slices[list(contrasts).index(name)].float()
        background = background_mask(image, expand)
        structure = without_lesion(map_of(image, name, background), marked)
        pairs.append(torch.stack([structure, background]))
    both = torch.stack(pairs)
    return both[:, :1], both[:, 1:]


def map_of(image: Tensor, contrast: str, background: Tensor) -> Tensor:
    """Return the map of slices (..., H, W) at the contrast's threshold, without edges outside the brain."""
    return structural_map(image, default_beta(contrast)) * (1 - background)


def others_label(label: Tensor, background: Tensor) -> Tensor:
    """Give every crop the lesion of the crop before it where that lies in its brain, else leave it its own.

    Parameters
    ----------
    label : Tensor, (B, 1 + class, H, W)
        One-hot, the background class first.
    background : Tensor, (B, 1, H, W)
        1 outside the brain.
    """
    other = label.roll(1, dims=0)
    beyond = (other[:, 1:].sum(dim=1, keepdim=True) * background).flatten(1).any(dim=1)
    return torch.where(beyond[:, None, None, None], label, other)
