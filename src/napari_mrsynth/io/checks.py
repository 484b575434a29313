"""What makes an array usable as a scan or as a label map, and the refusals that say what to do instead."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import FormatError, LabelError

MAX_BAD_SHARE = 0.01
"""Up to this share of NaN or infinite voxels is set to 0 with a note; more is refused."""

FEW_VALUES = 16
MANY_LABELS = 512
PLATEAU_SHARE = 0.7
Array = NDArray[Any]


def three_axes(array: Array, name: str) -> Array:
    """Return the array with exactly three axes: trailing axes of length one are dropped.

    Raises
    ------
    FormatError
        For a series (4D with several frames), a vector image or a single slice, quoting the shape.
    """
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    shape = " x ".join(str(n) for n in array.shape)
    if array.ndim > 3:
        frames = int(np.prod(array.shape[3:]))
        raise FormatError(
            f"“{name}” holds {frames} images ({shape}), not one.",
            hint="Save the frame you mean as a file of its own (for a DWI series: the mean at one b-value).",
        )
    if array.ndim < 3 or min(array.shape) < 1:
        raise FormatError(
            f"“{name}” is not a volume: its shape is {shape or 'empty'}.", hint="Open a 3D scan."
        )
    return array


def real_numbers(array: Array, name: str) -> Array:
    """Return the array in the dtype the project works with: integers as stored, anything else float32.

    Integers and bool keep their type (native byte order); floats of every width become float32, whose
    seven digits are more than a scanner's.

    Raises
    ------
    FormatError
        For RGB and complex voxels.
    """
    kind = array.dtype.kind
    if kind == "V":
        fields = "".join(array.dtype.names or ("?",))
        raise FormatError(
            f"“{name}” is a colour image ({fields} voxels), not a scan.",
            hint="Open the scan it was made from, or convert it to grey values.",
        )
    if kind == "c":
        raise FormatError(
            f"“{name}” has complex voxels ({array.dtype}).", hint="Save its magnitude and open that."
        )
    if kind == "b":
        return array.astype(np.uint8)
    if kind in "iu":
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if kind != "f":
        raise FormatError(f"“{name}” holds {array.dtype} voxels, not numbers.", hint="Open a scan.")
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def finite(array: Array, name: str) -> tuple[Array, tuple[str, ...]]:
    """Return the array without NaN or infinity, and a note where some were set to 0.

    Raises
    ------
    FormatError
        If more than `MAX_BAD_SHARE` of the voxels are not finite.
    """
    if array.dtype.kind != "f":
        return array, ()
    good = np.isfinite(array)
    bad = int(array.size - np.count_nonzero(good))
    if not bad:
        return array, ()
    if bad > MAX_BAD_SHARE * array.size:
        raise FormatError(
            f"“{name}” has NaN or infinity in {100 * bad / array.size:.3g} % of its voxels"
            f" ({bad} of {array.size}).",
            hint="Replace them (0 outside the head) in the program that wrote it, and open it again.",
        )
    return np.where(good, array, array.dtype.type(0)), (
        f"{bad} {'voxel' if bad == 1 else 'voxels'} with NaN or infinity set to 0",
    )


def require_signal(array: Array, name: str) -> None:
    """Refuse a scan whose voxels are all the same, zero or not.

    Raises
    ------
    FormatError
        Quoting the value.
    """
    first = array.flat[0]
    if (array == first).all():
        raise FormatError(
            f"“{name}” is blank: every voxel is {first:g}.",
            hint="The export went wrong, or this is an empty mask: export the scan again.",
        )


def label_values(array: Array) -> tuple[int, ...] | None:
    """Return the values of what looks like a label map, or None for what looks like a scan.

    A label map holds whole, non-negative numbers: either at most 16 of them, or at most 512 that make
    plateaus (at least 70 % of neighbours inside are equal). Scans have noise: real ones squeezed into 8 bits
    measure at most 18 %, squeezed into 6 bits at most 51 %.
    """
    flat = array.ravel(order="K")  # as it lies in memory: no copy
    sample = flat[:: max(1, array.size // 100_000)]
    if np.unique(sample).size > MANY_LABELS or not _whole(sample):
        return None
    if not _whole(flat) or flat.min() < 0:
        return None
    values = np.unique(flat)
    if values.size <= FEW_VALUES or (values.size <= MANY_LABELS and _plateau_share(array) >= PLATEAU_SHARE):
        return tuple(int(value) for value in values)
    return None


def is_probability(array: Array) -> bool:
    """Whether the array says how probably a voxel is inside: from 0 to 1, and mostly near either.

    A scan that was scaled to 0 to 1 is not: few of its voxels are near its maximum.
    """
    if array.dtype.kind != "f" or array.min() < 0 or array.max() > 1 or _whole(array):
        return False
    inside = array[array > 0.05]
    return inside.size > 0 and bool((inside >= 0.9).mean() >= 0.5)


def refuse_image(array: Array, name: str) -> None:
    """Refuse whole numbers that are no labels but a scan's: many different ones, hardly two neighbours alike.

    Raises
    ------
    LabelError
        Saying how many there are.
    """
    count = np.unique(array).size
    if count > FEW_VALUES and _plateau_share(array) < PLATEAU_SHARE:
        raise LabelError(
            f"“{name}” is a scan (it has {count} different values), not labels or a mask.",
            hint="Give the label map that belongs to it, or open it as a scan.",
        )


def as_labels(array: Array, name: str) -> Array:
    """Return the array as the smallest integer type that holds its values.

    Raises
    ------
    LabelError
        If some value is not whole, quoting it.
    """
    if array.dtype.kind == "f":
        rounded = np.rint(array)
        off = np.abs(array - rounded) > 1e-3
        if off.any():
            raise LabelError(
                f"“{name}” holds {float(array[off][0]):.4g}; labels are whole numbers.",
                hint="Open it as a scan, or save it again without interpolation (nearest neighbour).",
            )
        array = rounded
    low, high = int(array.min()), int(array.max())
    for dtype in (np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return array.astype(dtype, copy=False)
    raise LabelError(f"“{name}” holds {high}, more than a label can be.", hint="Number the classes from 1.")


def _whole(array: Array) -> bool:
    return array.dtype.kind in "iub" or bool((array == np.rint(array)).all())


def _plateau_share(array: Array) -> float:
    """Share of neighbouring pairs, both above 0, that are equal, over the three axes together."""
    equal = pairs = 0
    for axis in range(array.ndim):
        here = np.moveaxis(array, axis, 0)
        inside = (here[:-1] > 0) & (here[1:] > 0)
        pairs += int(np.count_nonzero(inside))
        equal += int(np.count_nonzero(inside & (here[:-1] == here[1:])))
    return equal / pairs if pairs else 0.0
