"""A scan's middle axial slice, small enough for a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap

from napari_mrsynth.gui.layer_data import limits
from napari_mrsynth.imaging.volume import Volume


def thumbnail(volume: Volume, size: int) -> QPixmap:
    """Return the middle axial slice, front up and the patient's right on the left, `size` pixels square."""
    grey = middle_slice(volume)
    height, width = grey.shape
    image = QImage(grey.tobytes(), width, height, width, QImage.Format.Format_Grayscale8).copy()
    _, along_a, along_r = volume.grid.display.spacing
    shown = image.scaled(
        max(1, round(size * min(1.0, width * along_r / (height * along_a)))),
        max(1, round(size * min(1.0, height * along_a / (width * along_r)))),
        Qt.AspectRatioMode.IgnoreAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
    return QPixmap.fromImage(shown)


def layer_thumbnail(volume: Volume, size: int) -> NDArray[np.uint8]:
    """Return the same slice for napari's list of layers, at most (size, size, 4).

    napari draws one for a layer when it is first seen; that of a hidden layer stays black.
    """
    grey = middle_slice(volume)
    _, along_a, along_r = volume.grid.display.spacing
    sides = np.array(grey.shape) * (along_a, along_r)
    pixels = np.maximum(1, np.rint(size * sides / sides.max())).astype(int)
    rows, columns = (
        np.minimum((np.arange(count) + 0.5) * side / count, side - 1).astype(int)
        for count, side in zip(pixels, grey.shape, strict=True)
    )
    small = grey[rows[:, None], columns]
    return np.stack([small, small, small, np.full_like(small, 255)], axis=-1)


def _cropped(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the part of `plane` that holds something, or all of an empty one."""
    inside = plane > 0.05 * plane.max()
    if not inside.any():
        return plane
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    return plane[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def middle_slice(volume: Volume) -> NDArray[np.uint8]:
    """Return the slice as grey values of shape (A reversed, R reversed), ready to be painted."""
    shown = volume.display
    plane = np.asarray(shown[shown.shape[0] // 2], dtype=np.float32)[::-1, ::-1]
    plane = _cropped(plane)
    low, high = limits(plane)["contrast_limits"]
    grey: NDArray[np.uint8] = (np.clip((plane - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    return grey
