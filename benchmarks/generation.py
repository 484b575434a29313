"""How long scans of a painted lesion take: one displayed slice, and a whole volume, of every contrast.

    python benchmarks/generation.py PATIENT [--bundle ID]

PATIENT is a folder with a scan and a lesion label. The slice is what the Lesion studio makes when the brush
is lifted, from the label to the contrasts in the patient's units; each repeat takes another slice. Printed
are the median and the slowest, by the clock and by the processor, and the bars they are held to.
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

from napari_mrsynth.bundles import BundleStore
from napari_mrsynth.generation import LesionMaker, generator_bundle, paint_on, paint_slice, patient_anatomy
from napari_mrsynth.io import read_patient
from napari_mrsynth.lesions import label_set

SLICE_MS, VOLUME_S = 500.0, 60.0


def main() -> None:
    args = _arguments()
    torch.set_num_threads(args.threads)
    classes = label_set(args.disease)
    maker = LesionMaker(generator_bundle(BundleStore(), classes, args.bundle), device="cpu")
    files = read_patient(args.patient)
    if files.lesions is None:
        raise SystemExit(f"{args.patient} has no lesion label.")
    scan, labels = files.volumes[0], files.lesions
    anatomy = patient_anatomy(scan, maker.spacing_mm, name=files.name, lesions=labels)
    marked = np.flatnonzero((np.asarray(labels.display) > 0).any(axis=(1, 2)))
    maker.preview(anatomy, paint_slice(labels, anatomy, int(marked[0])), maker.contrasts, int(marked[0]))

    wall, cpu = [], []
    for plane in np.linspace(marked[0], marked[-1], args.repeats).astype(int):
        clock, processor = time.perf_counter(), time.process_time()
        painted = paint_slice(labels, anatomy, int(plane))
        maker.preview(anatomy, painted, maker.contrasts, int(plane))
        wall.append(1000 * (time.perf_counter() - clock))
        cpu.append(1000 * (time.process_time() - processor))
    clock, processor = time.perf_counter(), time.process_time()
    for _ in maker.run(anatomy, paint_on(labels, classes, anatomy), maker.contrasts):
        pass
    volume_s, volume_cpu = time.perf_counter() - clock, time.process_time() - processor
    report = {
        "bundle": maker.card.id,
        "contrasts": list(maker.contrasts),
        "threads": args.threads,
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "slice_ms": {
            "median": round(statistics.median(wall), 1),
            "slowest": round(max(wall), 1),
            "median_cpu": round(statistics.median(cpu), 1),
            "within_bar": statistics.median(wall) <= SLICE_MS,
        },
        "volume": {
            "slices": len(anatomy.planes),
            "seconds": round(volume_s, 2),
            "cpu_seconds": round(volume_cpu, 2),
            "within_bar": volume_s <= VOLUME_S,
        },
    }
    print(json.dumps(report, indent=2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("patient", type=Path, help="a patient's folder, with a lesion label")
    parser.add_argument("--bundle", help="the generator; by default the first of the disease")
    parser.add_argument("--disease", default="tumour")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=20)
    return parser.parse_args()


if __name__ == "__main__":
    main()
