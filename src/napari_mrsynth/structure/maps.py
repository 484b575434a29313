"""Structural feature maps and brain masks of slices, as tensors (Qu et al. 2020, algorithms 1 and 2).

Every function takes slices of shape (..., A, R): rows run to the patient's front, columns to the patient's
right. That fixes the signs of the two derivatives, on which the map depends: turned by 180 degrees a slice
has the turned map, mirrored along one axis it has not.

A slice's map is the same bits alone, in a batch, with or without gradients: every step is elementwise, or a
minimum, a maximum or a sum of integers, which come out the same in any order.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

STEEPNESS = 0.02
"""Width, on the scale of beta, over which the threshold passes a gradient back."""

_FIXED_POINT = 2**24
_TRUNCATE = 4.0


def structural_map(
    image: Tensor,
    beta: float,
    *,
    blur_mm: float = 0.0,
    spacing_mm: tuple[float, float] = (1.0, 1.0),
    field: tuple[slice, slice] = (slice(None), slice(None)),
) -> Tensor:
    """Return the structural feature map of each slice (algorithm 1).

    The two Sobel derivatives of a slice are reduced to their pixelwise minimum and maximum, each is scaled to
    0..1 over the slice (the text of the paper leaves this out; without it beta would mean something else for
    every scanner), and an edge is where the minimum lies more than `beta` below its mean, or the maximum more
    than `beta` above its mean. The result does not depend on the units of the scan.

    Going forward the values are exactly 0 or 1. Going backward the thresholds pass on the gradient of a
    logistic curve of width :data:`STEEPNESS`, so that a loss on the map can move the image.

    Parameters
    ----------
    image : Tensor, shape (..., A, R)
        Finite intensities in any units; computed in float32.
    beta : float
        Threshold, 0 to 1.
    blur_mm : float
        Standard deviation of a Gaussian applied first.
    spacing_mm : (float, float)
        Pixel size along A and R: derivatives are per millimetre, so that unequal sizes do not favour an axis.
    field : (slice, slice)
        Rows and columns over which the means are taken, by default all: the more air they hold, the more
        edges are found.

    Returns
    -------
    Tensor, shape (..., A, R), float32
        1 on edges. A slice of one value has none.
    """
    slices = blurred(image.float(), blur_mm, spacing_mm)
    towards_front, towards_right = _sobel(slices)
    towards_right = towards_right * (spacing_mm[0] / spacing_mm[1])
    low = _scaled(torch.minimum(towards_front, towards_right))
    high = _scaled(torch.maximum(towards_front, towards_right))
    rows, columns = field
    falling = _above(_mean(low[..., rows, columns]) - low, beta)
    rising = _above(high - _mean(high[..., rows, columns]), beta)
    return falling + rising - falling * rising


def background_mask(image: Tensor, expand: int = 5) -> Tensor:
    """Return 1 where a slice shows no brain, 0 where it does (algorithm 2).

    Brain is where the intensity is above 0, enlarged by `expand` pixels in height and width. As in the paper
    it is enlarged by resizing (nearest pixel) and cropping; other than there, it is resized about the middle
    of the brain's own box and not of the picture's, so that the mask does not change with the crop, and the
    brain itself always stays brain.

    Parameters
    ----------
    image : Tensor, shape (..., A, R)
        Skull-stripped slices, 0 (or below) outside.
    expand : int
        Pixels by which the box around the brain grows, an odd number to the next even one, so that both
        sides grow alike; 0 for the brain itself.

    Returns
    -------
    Tensor, shape (..., A, R), float32
    """
    brain = image > 0
    if expand:
        rows, columns = _enlarging(brain.any(-1), expand), _enlarging(brain.any(-2), expand)
        larger = brain.gather(-2, rows.unsqueeze(-1).expand_as(brain))
        brain = brain | larger.gather(-1, columns.unsqueeze(-2).expand_as(brain))
    return 1.0 - brain.float()


def without_lesion(structure: Tensor, labels: Tensor) -> Tensor:
    """Return a map without the edges that lie in a lesion; all others stay.

    Parameters
    ----------
    structure : Tensor, shape (..., A, R)
        0/1.
    labels : Tensor, same shape
        0 outside lesions, any class number inside; not expanded.
    """
    return structure * (1.0 - (labels > 0).to(structure.dtype))


def blurred(image: Tensor, sigma_mm: float, spacing_mm: tuple[float, float] = (1.0, 1.0)) -> Tensor:
    """Smooth slices of shape (..., A, R) with a Gaussian; edge pixels are repeated outwards."""
    if sigma_mm <= 0:
        return image
    return _smoothed(_smoothed(image, sigma_mm / spacing_mm[0], -2), sigma_mm / spacing_mm[1], -1)


def _smoothed(image: Tensor, sigma_px: float, axis: int) -> Tensor:
    radius = max(1, math.ceil(_TRUNCATE * sigma_px))
    weights = [math.exp(-0.5 * (step / sigma_px) ** 2) for step in range(-radius, radius + 1)]
    total = sum(weights)
    length = image.shape[axis]
    padded = _padded(image, radius, axis)
    smooth = torch.zeros_like(image)
    for start, weight in enumerate(weights):
        smooth = smooth + padded.narrow(axis, start, length) * (weight / total)
    return smooth


def _sobel(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the derivatives along A and R, by sums of shifted slices."""

    def across(values: Tensor, axis: int) -> Tensor:
        length, wide = values.shape[axis], _padded(values, 1, axis)
        before, after = wide.narrow(axis, 0, length), wide.narrow(axis, 2, length)
        return (before + after) + 2 * values

    def along(values: Tensor, axis: int) -> Tensor:
        length, wide = values.shape[axis], _padded(values, 1, axis)
        return wide.narrow(axis, 2, length) - wide.narrow(axis, 0, length)

    return along(across(image, -1), -2), along(across(image, -2), -1)


def _padded(image: Tensor, width: int, axis: int) -> Tensor:
    """Repeat the first and the last pixel `width` times along one of the last two axes."""
    flat = image.reshape(-1, 1, *image.shape[-2:])
    widths = (0, 0, width, width) if axis == -2 else (width, width, 0, 0)
    wide = pad(flat, widths, mode="replicate")
    return wide.reshape(*image.shape[:-2], *wide.shape[-2:])


def _scaled(values: Tensor) -> Tensor:
    """Scale each slice to 0..1; a slice of one value becomes 0."""
    low, high = values.amin((-2, -1), keepdim=True), values.amax((-2, -1), keepdim=True)
    span = high - low
    return (values - low) / torch.where(span > 0, span, torch.ones_like(span))


def _mean(values: Tensor) -> Tensor:
    """Return the mean of each slice of 0..1 values, from integers: sums of floats depend on their order."""
    sums = (values.detach() * _FIXED_POINT).round().to(torch.int64).sum((-2, -1), keepdim=True)
    pixels = values.shape[-2] * values.shape[-1]
    exact = sums.to(values.dtype) / (_FIXED_POINT * pixels)
    if not values.requires_grad:
        return exact
    mean = values.mean((-2, -1), keepdim=True)
    return exact + (mean - mean.detach())


def _above(values: Tensor, beta: float) -> Tensor:
    """Return 1 above the threshold, else 0; backward, the gradient of a logistic curve."""
    hard = (values > beta).to(values.dtype)
    if not values.requires_grad:
        return hard
    soft = torch.sigmoid((values - beta) / STEEPNESS)
    return hard + (soft - soft.detach())


def _enlarging(occupied: Tensor, expand: int) -> Tensor:
    """Return, per pixel of a line, the pixel that comes to lie there when what is occupied is enlarged.

    `occupied` has shape (..., N). All in integers: positions are counted from the middle of the occupied
    stretch, twice, and halves are rounded towards it, so that both ends grow alike.
    """
    length = occupied.shape[-1]
    marks = occupied.to(torch.int64)
    first = marks.argmax(-1, keepdim=True)
    last = length - 1 - marks.flip(-1).argmax(-1, keepdim=True)
    extent, grown = last - first + 1, last - first + 1 + expand
    twice_middle = first + last
    twice_offset = 2 * torch.arange(length, device=occupied.device) - twice_middle
    numerator = twice_offset * extent + twice_middle * grown
    rounded_down = -torch.div(grown - numerator, 2 * grown, rounding_mode="floor")
    rounded_up = torch.div(numerator + grown, 2 * grown, rounding_mode="floor")
    return torch.where(twice_offset >= 0, rounded_down, rounded_up).clamp(0, length - 1)
