"""A patient's brain and a small library of lesions, none of them symmetric."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_mrsynth.imaging import Grid, LabelVolume
from phantoms import affine_of, points_of, save, tissue_at

SHAPE = (72, 88, 64)


@pytest.fixture(scope="session")
def grid() -> Grid:
    return Grid(SHAPE, affine_of(SHAPE, (2, 2, 2), "LPS"))


@pytest.fixture(scope="session")
def brain(grid: Grid) -> np.ndarray:
    return tissue_at(points_of(grid)) > 0


def blob(centre: tuple[float, float, float], size: float, values: tuple[int, ...], grid: Grid) -> np.ndarray:
    """An ellipsoid with a bump on its right front, of nested classes, outermost first."""
    apart = (points_of(grid) - centre) / (size, 0.7 * size, 0.5 * size)
    radius = np.linalg.norm(apart, axis=-1)
    radius = np.minimum(radius, 1.6 * np.linalg.norm(apart - (0.9, 0.5, 0.2), axis=-1))
    array = np.zeros(grid.shape, np.uint8)
    for step, value in enumerate(values):
        array[radius < 1 - 0.3 * step] = value
    return array


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tumours (one numbered as in BraTS 2023) and an unusable file, in subfolders."""
    folder = tmp_path_factory.mktemp("library")
    shape = (60, 60, 60)
    place = Grid(shape, affine_of(shape, (1, 1, 1), "RAS", centre_mm=(20, 10, 15)))
    cases = (
        ("a/one", (20, 10, 15), 18.0, (2, 4, 1)),
        ("b/two", (24, 6, 12), 11.0, (2, 3, 1)),
        ("b/three", (18, 14, 20), 7.0, (2, 1)),
    )
    for name, centre, size, values in cases:
        array = blob(centre, size, values, place)
        save(LabelVolume(array, place, name), folder / f"{name}_seg.nii.gz")
    (folder / "a" / "broken_seg.nii.gz").write_bytes(b"no image")
    (folder / "notes.txt").write_text("not an image", encoding="utf-8")
    return folder
