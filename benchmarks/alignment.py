"""How well and how fast alignment undoes known motions, on real heads scanned in thick slices.

    python benchmarks/alignment.py DATA [--seeds N] [--json]

DATA holds sessions as `ms-native` does: scans, a brain mask on the FLAIR, and for every other contrast the
source's own ITK transform into FLAIR space (`*_intrastudy_to_FLAIR.txt`), which is the truth. Each contrast
is knocked off by rigid offsets on top of that truth (up to 10 degrees and 15 mm; the first two always by that
much) and aligned with the FLAIR again. Errors are mean displacements over the brain mask; `cpu` is the work
of all threads together, which other programs on the machine do not lengthen.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from napari_mrsynth.imaging import Affine, Grid, Rigid, Volume
from napari_mrsynth.io import read_patient
from napari_mrsynth.preprocess.align import estimate_rigid

LARGEST_DEG, LARGEST_MM = 10.0, 15.0
Matrix = NDArray[np.float64]


def itk_transform(path: Path) -> Matrix:
    """Return an ITK text transform (LPS mm, about a centre) as a 4x4 matrix from RAS mm to RAS mm."""
    lines = [line.split(":")[1].split() for line in path.read_text().splitlines() if "Parameters:" in line]
    numbers, centre = (np.array(line, dtype=float) for line in lines)
    matrix = np.eye(4)
    matrix[:3, :3] = numbers[:9].reshape(3, 3)
    matrix[:3, 3] = numbers[9:] + centre - matrix[:3, :3] @ centre
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    return flip @ matrix @ flip


def offset(seed: int, about_mm: Matrix) -> tuple[float, float, Matrix]:
    """Return a rigid motion about a point: the largest there is for seeds 0 and 1, any up to that after."""
    rng = np.random.default_rng(seed)
    axis, direction = rng.normal(size=(2, 3))
    share = (1.0, 1.0) if seed < 2 else rng.uniform(0.2, 1.0, 2)
    degrees, mm = LARGEST_DEG * share[0], LARGEST_MM * share[1]
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(np.radians(degrees) * axis / np.linalg.norm(axis)).as_matrix()
    matrix[:3, 3] = about_mm + mm * direction / np.linalg.norm(direction) - matrix[:3, :3] @ about_mm
    return degrees, mm, matrix


def error_mm(found: Matrix, truth: Matrix, points_mm: Matrix) -> float:
    apart = points_mm @ (found - truth)[:3, :3].T + (found - truth)[:3, 3]
    return float(np.linalg.norm(apart, axis=1).mean())


def align(fixed: Volume, moving: Volume) -> tuple[Rigid, float, float]:
    """Return the motion found, and the seconds on the clock and on the processors that took."""
    began, began_cpu = time.perf_counter(), time.process_time()
    work = estimate_rigid(fixed, moving)
    try:
        while True:
            next(work)
    except StopIteration as end:
        return end.value, time.perf_counter() - began, time.process_time() - began_cpu


def rows(session: Path, seeds: int) -> Iterator[dict[str, object]]:
    """One row per contrast and offset of a session."""
    files = read_patient(session)
    scans = {volume.contrast: volume for volume in files.volumes}
    fixed, mask = scans.pop("FLAIR"), files.mask
    if mask is None:
        raise SystemExit(f"{session} has no brain mask.")
    brain_mm = mask.grid.affine.apply(np.argwhere(mask.array > 0))
    for contrast, scan in scans.items():
        stem = scan.source.path.name.removesuffix(".nii.gz")
        truth = itk_transform(session / f"{stem}_intrastudy_to_FLAIR.txt")
        for seed in range(seeds):
            degrees, mm, knock = offset(seed, brain_mm.mean(axis=0))
            grid = Grid(scan.grid.shape, Affine(knock @ scan.grid.affine.matrix))
            found, seconds, cpu = align(fixed, replace(scan, grid=grid))
            yield {
                "patient": session.name,
                "contrast": contrast,
                "offset_deg": round(degrees, 1),
                "offset_mm": round(mm, 1),
                "before_mm": round(error_mm(np.eye(4), knock @ truth, brain_mm), 2),
                "after_mm": round(error_mm(found.matrix, knock @ truth, brain_mm), 2),
                "how": found.how,
                "seconds": round(seconds, 1),
                "cpu_seconds": round(cpu, 1),
            }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="a folder of sessions, or the folder that holds ms-native")
    parser.add_argument("--seeds", type=int, default=4, help="offsets for each contrast")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    wanted = parser.parse_args()
    data = wanted.data / "ms-native" if (wanted.data / "ms-native").is_dir() else wanted.data
    sessions = sorted({path.parent for path in data.rglob("*_intrastudy_to_FLAIR.txt")})
    if not sessions:
        print(f"No session with *_intrastudy_to_FLAIR.txt below {data}.", file=sys.stderr)
        return 2
    table = []
    for session in sessions:
        for row in rows(session, wanted.seeds):
            table.append(row)
            line = "{patient:18} {contrast:5} {offset_deg:5} deg {offset_mm:5} mm"
            line += "   before {before_mm:6} mm   after {after_mm:5} mm"
            line += "   {seconds:5} s   cpu {cpu_seconds:5} s   {how}"
            print(line.format(**row), file=sys.stderr if wanted.json else sys.stdout, flush=True)
    keys = ("after_mm", "seconds", "cpu_seconds")
    worst, slowest, work = (max(float(row[key]) for row in table) for key in keys)
    mean = float(np.mean([row["after_mm"] for row in table]))
    summary = {
        "pairs": len(table),
        "mean_mm": round(mean, 2),
        "worst_mm": worst,
        "slowest_s": slowest,
        "most_cpu_s": work,
    }
    print(json.dumps({"rows": table, **summary}) if wanted.json else f"\n{summary}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
