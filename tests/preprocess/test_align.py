"""Alignment: known motions are found, nonsense is refused, cancelling is quick."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from napari_mrsynth.errors import InputError
from napari_mrsynth.imaging import Affine, Grid, Rigid, Volume
from napari_mrsynth.preprocess.align import ALIGNED, KEPT, estimate_rigid
from napari_mrsynth.progress import Progress
from phantoms import affine_of, phantom, points_of, rotation, tissue_at

FIXED = phantom((52, 62, 30), affine_of((52, 62, 30), (3, 3, 5)), "FLAIR", noise=0.03)
MOVING = phantom((58, 66, 44), affine_of((58, 66, 44), (2.7, 2.9, 3.3), "LPS"), "T2w", noise=0.03)


def run(work: Generator[Progress, None, Rigid]) -> tuple[Rigid, list[Progress]]:
    reports = []
    try:
        while True:
            reports.append(next(work))
    except StopIteration as end:
        return end.value, reports


def motion(degrees: Any, shift: Any) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation(degrees), shift
    return matrix


def knocked(volume: Volume, matrix: np.ndarray) -> Volume:
    return volume.with_array(
        volume.array, Grid(volume.grid.shape, Affine(matrix @ volume.grid.affine.matrix))
    )


def mean_error(found: np.ndarray, truth: np.ndarray, points: np.ndarray) -> float:
    apart = points @ (found - truth)[:3, :3].T + (found - truth)[:3, 3]
    return float(np.linalg.norm(apart, axis=1).mean())


def brain_points(grid: Grid) -> np.ndarray:
    points = points_of(grid)
    return points[tissue_at(points) > 0]


@pytest.mark.parametrize(
    ("degrees", "shift"), [((6, -5, 6), (8, -9, 9)), ((-4, 7, -5), (-10, 6, -9)), ((0, 0, 0), (0, 0, 0))]
)
def test_a_known_motion_between_contrasts_is_found_to_a_millimetre(degrees: Any, shift: Any) -> None:
    truth = motion(degrees, shift)
    found, reports = run(estimate_rigid(FIXED, knocked(MOVING, truth)))
    assert mean_error(found.matrix, truth, brain_points(FIXED.grid)) <= 1.0
    fractions = [report.fraction for report in reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] <= 1


def test_the_same_scans_give_the_same_motion_to_the_last_bit() -> None:
    moved = knocked(MOVING, motion((3, 2, -4), (4, 5, -6)))
    first, _ = run(estimate_rigid(FIXED, moved))
    second, _ = run(estimate_rigid(FIXED, moved))
    np.testing.assert_array_equal(first.matrix, second.matrix)
    assert first.how == ALIGNED


def test_a_given_start_is_gone_on_from() -> None:
    truth = motion((5, 20, -5), (30, 5, -6))
    start = Rigid(motion((0, 16, 0), (25, 0, 0)))
    found, _ = run(estimate_rigid(FIXED, knocked(MOVING, truth), start=start))
    assert mean_error(found.matrix, truth, brain_points(FIXED.grid)) <= 1.0


def test_a_perfect_start_is_kept_and_said_so() -> None:
    found, _ = run(estimate_rigid(FIXED, FIXED))
    assert mean_error(found.matrix, np.eye(4), brain_points(FIXED.grid)) <= 0.2
    assert found.how in (KEPT, ALIGNED)
    assert (found.how == KEPT) == found.is_identity


@pytest.mark.parametrize("value", [0, 7.5])
def test_a_constant_scan_is_refused(value: float) -> None:
    flat = MOVING.with_array(np.full_like(MOVING.array, value))
    with pytest.raises(InputError, match=f"every voxel is {value:g}"):
        next(estimate_rigid(FIXED, flat))


def test_closing_the_generator_returns_at_once_and_ends_the_work_without_a_result() -> None:
    work = estimate_rigid(FIXED, MOVING)
    for report in work:
        if report.fraction > 0.12:
            break
    climb = work.gi_frame.f_locals["climb"]
    began = time.monotonic()
    work.close()
    assert time.monotonic() - began < 0.5
    assert climb.stop.is_set()
    for thread in [thread for thread in threading.enumerate() if thread.name == "mrsynth-align"]:
        thread.join(timeout=20)
    ended = [climb.reports.get_nowait() for _ in range(climb.reports.qsize())][-1]
    assert isinstance(ended, Exception)  # stopped, not finished


def test_real_whole_heads_with_thick_slices_are_brought_together(real_scans: Path) -> None:
    folder = real_scans / "ms-native" / "patient12_study2"
    fixed, moving = (read(folder / f"patient12_study2_{name}.nii.gz", name) for name in ("FLAIR", "T2W"))
    truth = motion((5, -6, 5), (8, -9, 8)) @ itk_transform(
        folder / "patient12_study2_T2W_intrastudy_to_FLAIR.txt"
    )
    offset = truth @ np.linalg.inv(itk_transform(folder / "patient12_study2_T2W_intrastudy_to_FLAIR.txt"))
    found, _ = run(estimate_rigid(fixed, knocked(moving, offset)))
    brain = np.asarray(nib.load(folder / "patient12_study2_FLAIR_brainmask.nii.gz").dataobj) > 0
    assert mean_error(found.matrix, truth, fixed.grid.affine.apply(np.argwhere(brain))) <= 1.0


def read(path: Path, contrast: str) -> Volume:
    image = nib.load(path)
    return Volume(np.asarray(image.dataobj), Grid(image.shape, Affine(image.affine)), contrast=contrast)


def itk_transform(path: Path) -> np.ndarray:
    """An ITK text transform as RAS mm to RAS mm."""
    lines = [line.split(":")[1].split() for line in path.read_text().splitlines() if "Parameters:" in line]
    numbers, centre = (np.array(line, dtype=float) for line in lines)
    matrix = np.eye(4)
    matrix[:3, :3] = numbers[:9].reshape(3, 3)
    matrix[:3, 3] = numbers[9:] + centre - matrix[:3, :3] @ centre
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    return flip @ matrix @ flip
