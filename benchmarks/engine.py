"""The engine against the same network called plainly, in one run on one patient.

    python benchmarks/engine.py DATA_OR_SAMPLE [--bundle ID]

DATA_OR_SAMPLE is a patient's folder, or ``sample`` for the digital brain. *Plainly* is float32, contiguous
memory, the whole field of view, batches of 8 slices, torch.no_grad, on as many threads as the engine has. A
toggle, the last input switched off or on again, is compared with the same request from scratch, by medians.
Printed are seconds, ratios and the bars they are held to, with the processor's time beside the clock's: where
other programs hold the cores, the clock tells about them too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mrsynth.bundles import BundleStore
from napari_mrsynth.imaging import Study
from napari_mrsynth.networks.registry import build
from napari_mrsynth.preprocess.normalise import fit
from napari_mrsynth.preprocess.study import build_study
from napari_mrsynth.progress import ended
from napari_mrsynth.synthesis import Engine, Request, Result
from napari_mrsynth.synthesis.device import bfloat16_units
from napari_mrsynth.synthesis.result import peak_rss_bytes
from napari_mrsynth.systems import load_predictor

PLAIN_BATCH = 8

ANEW = 3
"""Times a whole volume is made from scratch, to compare a toggle with."""


def main() -> None:
    args = _arguments()
    torch.set_num_threads(args.threads)
    study = load_study(args.data, without=args.want)
    store = BundleStore()
    used = tuple(args.use.split(","))
    card = store.get(args.bundle).card if args.bundle else store.default(used, [args.want])
    request = Request((args.want,), used, bundle=card.id, device="cpu", precision=args.precision)
    engine = Engine(store)
    middle = study.grid.display.shape[0] // 2
    load_predictor(store.get(card.id)).encode(used[0], torch.zeros(1, 1 + 2 * card.neighbours, 64, 64))

    scratch, scratch_s, scratch_cpu = timed(lambda: finish(engine, study, request))
    toggled = Request((args.want,), used[:-1], bundle=card.id, device="cpu", precision=args.precision)
    off, on = [], []
    for _ in range(args.toggles):
        off.append(timed(lambda: finish(engine, study, toggled))[1:])
        on.append(timed(lambda: finish(engine, study, request))[1:])
    redraws = []
    for turn in range(args.redraws):
        which = toggled if turn % 2 else request
        redraws.append(timed(lambda which=which: engine.preview(study, which, middle))[1:])
    engine_rss = peak_rss_bytes()
    plain, plain_s, plain_cpu = timed(lambda: plainly(store, card.id, study, used, args.want))

    brain = study.grid.as_display(study.mask.array)
    made = scratch.outputs[args.want].display[brain]
    apart = float(np.linalg.norm(made - plain[brain]) / np.linalg.norm(plain[brain]))
    anew: dict[str, list[tuple[float, float]]] = {"off": [], "on": []}
    for _ in range(ANEW):
        for way, asked in (("off", toggled), ("on", request)):
            engine.cache.clear()
            anew[way].append(timed(lambda asked=asked: finish(engine, study, asked))[1:])
    again_s = statistics.median(wall for wall, _ in anew["on"])
    toggles = {way: ratios(anew[way], found) for way, found in (("off", off), ("on", on))}
    report = {
        "patient": study.name,
        "shape": study.grid.shape,
        "bundle": card.id,
        "used": used,
        "wanted": args.want,
        "cores": os.cpu_count(),
        "threads": args.threads,
        "bfloat16_units": bfloat16_units() or "none",
        "precision": scratch.precision,
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "torch": torch.__version__,
        "plain_s": plain_s,
        "engine_s": scratch_s,
        "times_faster": plain_s / scratch_s,
        "times_faster_cpu": plain_cpu / scratch_cpu,
        "engine_again_s": again_s,
        "times_faster_again": plain_s / again_s,
        "relative_l2_percent": 100 * apart,
        "redraw_median_ms": 1000 * statistics.median(wall for wall, _ in redraws),
        "redraw_median_cpu_ms": 1000 * statistics.median(cpu for _, cpu in redraws),
        "toggle_off_s": [wall for wall, _ in off],
        "toggle_on_s": [wall for wall, _ in on],
        "toggle_off_times_faster": toggles["off"][0],
        "toggle_off_times_faster_cpu": toggles["off"][1],
        "toggle_on_times_faster": toggles["on"][0],
        "toggle_on_times_faster_cpu": toggles["on"][1],
        "engine_peak_rss_gb": (engine_rss or 0) / 1e9,
    }
    print(json.dumps(report) if args.json else table(report))


def load_study(data: str, without: str) -> Study:
    """Read a patient's folder, or make the digital brain for ``sample``, without one of its contrasts."""
    if data == "sample":
        from napari_mrsynth.samples import digital_brain

        files = digital_brain()
    else:
        from napari_mrsynth.io import read_patient

        files = read_patient(data)
    scans = [volume for volume in files.volumes if volume.contrast not in ("", None, without)]
    return build_study(scans, name=files.name, mask=files.mask)


def finish(engine: Engine, study: Study, request: Request) -> Result:
    """Run a request to its end."""
    return ended(engine.run(study, request))


def plainly(
    store: BundleStore, bundle: str, study: Study, used: Sequence[str], wanted: str
) -> NDArray[np.float32]:
    """Call the network as a plain user would; (S, A, R) in the units of the engine's output."""
    opened = store.get(bundle)
    params = {key: value for key, value in opened.card.network.items() if key != "name"}
    network = build(str(opened.card.network["name"]), params).eval()
    network.load_state_dict(opened.state())
    method = str(opened.card.normalisation["method"])
    mask = np.ascontiguousarray(study.grid.as_display(study.mask.array))
    arrays, norms = {}, {}
    for contrast in used:
        array = np.asarray(study.volume(contrast).display, dtype=np.float32)
        norms[contrast] = fit(array, mask, method)
        arrays[contrast] = np.where(mask, norms[contrast].apply(array), 0).astype(np.float32)
    depth, height, width = mask.shape
    pad = (-height % network.multiple, -width % network.multiple)
    out = np.zeros(mask.shape, np.float32)
    for start in range(0, depth, PLAIN_BATCH):
        planes = np.arange(start, min(start + PLAIN_BATCH, depth))
        around = planes[:, None] + np.arange(-network.neighbours, network.neighbours + 1)
        around = np.clip(around, 0, depth - 1)
        with torch.no_grad():
            latents = []
            for contrast in used:
                stack = np.pad(arrays[contrast][around], ((0, 0), (0, 0), (0, pad[0]), (0, pad[1])))
                latents.append(network.encode(contrast, torch.from_numpy(stack)))
            made = network.decode(network.fuse(network.align(latents)), [wanted])
        out[planes] = made[:, 0, :height, :width].numpy()
    return norms[study.reference if study.reference in used else used[0]].invert(out)


def timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return a call's outcome, its seconds by the clock, and the processor's seconds in all threads."""
    clock, cpu = time.perf_counter(), time.process_time()
    outcome = call()
    return outcome, time.perf_counter() - clock, time.process_time() - cpu


def ratios(slow: Sequence[tuple[float, float]], fast: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return how many times the median of one is the median of the other, by the clock and the processor."""
    wall, cpu = (
        statistics.median(pair[which] for pair in slow) / statistics.median(pair[which] for pair in fast)
        for which in (0, 1)
    )
    return wall, cpu


def table(report: dict[str, Any]) -> str:
    """Return the report as lines, each measured number beside its bar."""
    shape = " x ".join(str(n) for n in report["shape"])
    rows = [
        ("whole volume, plain", f"{report['plain_s']:.1f} s", ""),
        ("whole volume, engine", f"{report['engine_s']:.1f} s", ""),
        ("times faster", f"{report['times_faster']:.1f}", "at least 8"),
        ("  its processor time", f"{report['times_faster_cpu']:.1f}", ""),
        ("whole volume, engine, from scratch again", f"{report['engine_again_s']:.1f} s", ""),
        ("times faster", f"{report['times_faster_again']:.1f}", "at least 8"),
        ("relative L2 difference in the brain", f"{report['relative_l2_percent']:.2f} %", "at most 1 %"),
        ("redraw of a toggled slice, median", f"{report['redraw_median_ms']:.0f} ms", "at most 100 ms"),
        ("  its processor time", f"{report['redraw_median_cpu_ms']:.0f} ms", ""),
        ("volume, input off, times faster", f"{report['toggle_off_times_faster']:.1f}", "at least 4"),
        ("  its processor time", f"{report['toggle_off_times_faster_cpu']:.1f}", ""),
        ("volume, input on, times faster", f"{report['toggle_on_times_faster']:.1f}", "at least 4"),
        ("  its processor time", f"{report['toggle_on_times_faster_cpu']:.1f}", ""),
        ("peak memory of the engine's job", f"{report['engine_peak_rss_gb']:.2f} GB", "at most 3 GB"),
    ]
    asked = f"{', '.join(report['used'])} to {report['wanted']}"
    head = (
        f"{report['patient']} ({shape}), {asked}, model {report['bundle']}, torch {report['torch']}\n"
        f"{report['cores']} cores, {report['threads']} threads, engine in {report['precision']} (bfloat16: "
        f"{report['bfloat16_units']}), load average {report['load_average'][0]}"
    )
    return "\n".join([head, *(f"{name:42s} {value:>10s}   {bar}" for name, value, bar in rows)])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", help="a patient's folder, or 'sample'")
    parser.add_argument("--bundle", help="the model; by default the store's choice")
    parser.add_argument("--use", default="T1w,T1ce,T2w", help="inputs; the last is toggled")
    parser.add_argument("--want", default="FLAIR", help="what to make")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"], help="the engine's")
    parser.add_argument("--redraws", type=int, default=30)
    parser.add_argument("--toggles", type=int, default=5, help="whole volumes, input off and on again")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
