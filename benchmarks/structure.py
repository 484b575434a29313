"""How long a structural feature map takes: one displayed slice, and a whole volume.

    python benchmarks/structure.py [SCAN] [--threads N]

Without a scan, noise of 155 slices of 240 x 240 is used. The slice is made as the dock makes it, on one core,
the volume on as many as it is given. Printed are the median and the slowest of the
slices, by the clock and by the processor, and whether the median is within the bar.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from napari_mrsynth.gui.structure.session import plane_of
from napari_mrsynth.imaging import Affine, Grid, Volume
from napari_mrsynth.structure import StructureSettings, map_volume

BAR_MS = 50.0


def main() -> None:
    args = _arguments()
    torch.set_num_threads(args.threads)
    volume = _noise() if args.scan is None else _read(args.scan)
    depth, height, width = volume.grid.display.shape
    report: dict[str, object] = {
        "slice": [height, width],
        "threads": args.threads,
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "torch": torch.__version__,
    }
    plane_of(volume, depth // 2, StructureSettings())
    for blur in (0.0, 1.0, 3.0):
        settings = StructureSettings(blur_mm=blur)
        wall, cpu = [], []
        for index in np.linspace(0.2 * depth, 0.8 * depth, args.repeats).astype(int):
            clock, processor = time.perf_counter(), time.process_time()
            plane_of(volume, int(index), settings)
            wall.append(1000 * (time.perf_counter() - clock))
            cpu.append(1000 * (time.process_time() - processor))
        report[f"slice_ms_blur_{blur:g}"] = {
            "median": round(statistics.median(wall), 1),
            "slowest": round(max(wall), 1),
            "median_cpu": round(statistics.median(cpu), 1),
            "within_bar": statistics.median(wall) <= BAR_MS,
        }
    clock = time.perf_counter()
    for _ in map_volume(volume, StructureSettings()):
        pass
    report["volume_s"] = round(time.perf_counter() - clock, 2)
    print(json.dumps(report, indent=2))


def _noise() -> Volume:
    array = np.random.default_rng(0).random((240, 240, 155), dtype=np.float32)
    return Volume(array, Grid(array.shape, Affine.from_parts((1, 1, 1))), contrast="T1w")


def _read(path: Path) -> Volume:
    from napari_mrsynth.io import read_image

    return read_image(path, kind="scan")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scan", nargs="?", type=Path, help="a scan; noise by default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=20)
    return parser.parse_args()


if __name__ == "__main__":
    main()
