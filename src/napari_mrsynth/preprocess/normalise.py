"""Intensities on a common scale: crop-invariant, invertible, measured inside the brain.

A scan's numbers mean nothing by themselves: two scanners differ a hundredfold. Each volume is therefore
divided by a number measured over its own foreground, and that number is kept, so that every result can be
returned to a scan's units. The mean of the *whole* volume, background included, which some published code
uses, changes with the crop; ``volume-mean`` takes it over the brain's box, for runs near to the papers' only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import ConfigError, InputError

FloatVolume = NDArray[np.float32]
VOLUME_MARGIN = 2
"""Voxels around the brain's box over which ``volume-mean`` is taken."""


@dataclass(frozen=True)
class Normalisation:
    """An affine map of intensities, ``(x - offset) / scale``, and the way back.

    Attributes
    ----------
    method : str
        Which method measured it: ``foreground-mean``, ``foreground-zscore`` or ``volume-mean``.
    scale : float
        Positive, in the scan's units.
    offset : float
        In the scan's units.
    """

    method: str
    scale: float
    offset: float = 0.0

    def apply(self, array: NDArray[Any]) -> FloatVolume:
        """Map a scan's intensities, any shape, to normalised float32 ones."""
        result = np.asarray(array, dtype=np.float32) - np.float32(self.offset)
        result *= np.float32(1 / self.scale)
        return result

    def invert(self, array: NDArray[Any]) -> FloatVolume:
        """Map normalised intensities, any shape, back to the scan's units, as float32."""
        result = np.asarray(array, dtype=np.float32) * np.float32(self.scale)
        result += np.float32(self.offset)
        return result

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data for a provenance record."""
        return {"method": self.method, "scale": self.scale, "offset": self.offset}


def _foreground_mean(values: NDArray[Any], _: NDArray[Any]) -> tuple[float, float]:
    return float(values.mean(dtype=np.float64)), 0.0


def _foreground_zscore(values: NDArray[Any], _: NDArray[Any]) -> tuple[float, float]:
    return float(values.std(dtype=np.float64)), float(values.mean(dtype=np.float64))


def _around(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """Return the mask's box and a margin of two voxels, where the array has them."""
    box = []
    for axis in range(mask.ndim):
        shown = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        box.append(slice(max(int(shown[0]) - VOLUME_MARGIN, 0), int(shown[-1]) + 1 + VOLUME_MARGIN))
    return tuple(box)


def _volume_mean(_: NDArray[Any], volume: NDArray[Any]) -> tuple[float, float]:
    return float(volume.mean(dtype=np.float64)), 0.0


METHODS: Mapping[str, Callable[[NDArray[Any], NDArray[Any]], tuple[float, float]]] = {
    "foreground-mean": _foreground_mean,
    "foreground-zscore": _foreground_zscore,
    "volume-mean": _volume_mean,
}


def fit(array: NDArray[Any], mask: NDArray[np.bool_], method: str = "foreground-mean") -> Normalisation:
    """Measure the normalisation of one volume.

    Parameters
    ----------
    array : ndarray
        The scan, any shape, finite.
    mask : ndarray of bool
        The foreground (brain), same shape.
    method : str
        One of :data:`METHODS`. ``foreground-mean`` makes the brain's mean 1 and keeps 0 at 0;
        ``foreground-zscore`` makes its mean 0 and its standard deviation 1; ``volume-mean`` makes the mean
        over the brain's box and :data:`VOLUME_MARGIN` voxels around it 1, however much more `array` shows.

    Raises
    ------
    ConfigError
        If the method is unknown.
    InputError
        If the mask is empty, or the scan is constant or not positive on average inside it.
    """
    if method not in METHODS:
        raise ConfigError(f"There is no normalisation {method!r}.", hint=f"Choose {', '.join(METHODS)}.")
    values = np.asarray(array)[np.asarray(mask, dtype=bool)]
    if values.size == 0:
        raise InputError(
            "The brain mask is empty where this scan lies.",
            hint="Give a mask that covers the brain, or align the scans first.",
        )
    scale, offset = METHODS[method](values, np.asarray(array)[_around(np.asarray(mask, dtype=bool))])
    if not np.isfinite(scale) or scale <= 0 or float(values.max()) == float(values.min()):
        raise InputError(
            f"The scan cannot be normalised: inside the mask its mean is {float(values.mean()):.4g}, "
            f"its range {float(values.min()):.4g} to {float(values.max()):.4g}.",
            hint="It is empty, constant or centred on zero there; check that it is the right file.",
        )
    return Normalisation(method, scale, offset)
