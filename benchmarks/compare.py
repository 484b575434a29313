"""How the Compare dock answers: time to change the way of looking, and the longest the window is blocked.

    xvfb-run -a -s "-screen 0 1680x1050x24" python benchmarks/compare.py [TRUTH PREDICTION]

Without files, two volumes of 240 x 240 x 155 are made up. Every way is entered three times; printed are, of
the first and of the last, the time until the window has been drawn again and the longest gap between two
ticks of a timer, by the clock and in processor time of the window's thread. A processor that draws in
software, as under xvfb, is several times slower than any graphics card; on a machine that is busy otherwise,
the processor time says more than the clock. Torch is imported first, as it is after any synthesis.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.layers import Layer
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QApplication

from napari_mrsynth.gui.compare.stage import Way
from napari_mrsynth.gui.layer_data import layer_tuple
from napari_mrsynth.imaging import Affine, Grid, Source, Volume
from napari_mrsynth.io import read_image

SWITCH_MS, BLOCK_MS = 200.0, 100.0
TICK_MS = 5
TURNS = 3


class Watch:
    """Measures the longest time in which the window did not answer."""

    def __init__(self) -> None:
        self.forget()
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)
        self._timer.start(TICK_MS)

    def forget(self) -> None:
        """Begin anew."""
        self.longest = self.longest_busy = 0.0
        self._last, self._last_busy = time.perf_counter(), time.thread_time()

    def _tick(self) -> None:
        now, busy = time.perf_counter(), time.thread_time()
        self.longest = max(self.longest, 1000 * (now - self._last))
        self.longest_busy = max(self.longest_busy, 1000 * (busy - self._last_busy))
        self._last, self._last_busy = now, busy

    @property
    def blocks(self) -> dict[str, float]:
        """The longest block, by the clock and in processor time."""
        return {
            "longest_block_ms": round(self.longest),
            "longest_block_processor_ms": round(self.longest_busy),
        }

    def measured(self, act: Callable[[], Any]) -> dict[str, float]:
        """Do something; return the time until it was drawn, of it the thread's own, and the longest block."""
        pause(100)
        self.forget()
        began, busy = time.perf_counter(), time.thread_time()
        act()
        QApplication.processEvents()
        shown, busy = 1000 * (time.perf_counter() - began), 1000 * (time.thread_time() - busy)
        pause(300)
        return {
            "shown_ms": round(shown),
            "processor_ms": round(busy),
            **self.blocks,
        }


def pause(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def made_up() -> tuple[Volume, Volume]:
    shape = (240, 240, 155)
    i, j, k = np.ogrid[:240, :240, :155]
    brain = ((i - 120) / 70) ** 2 + ((j - 120) / 88) ** 2 + ((k - 77) / 65) ** 2 < 1
    truth = np.where(brain, 400 + 90 * np.sin(i / 9) + 60 * np.cos(j / 7) + k, 0).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 25, shape)
    grid = Grid(shape, Affine.from_parts((1, 1, 1), codes="LPS"))
    made = np.where(brain, 0.7 * truth + noise, 0).astype(np.float32)
    source = Source(format="synthetic", synthetic={"Synthetic": True})
    return Volume(truth, grid, "FLAIR", contrast="FLAIR"), Volume(
        made, grid, "FLAIR", source, contrast="FLAIR"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="truth and prediction")
    given = parser.parse_args()
    import_module("torch")
    truth, made = (read_image(path, kind="scan") for path in given.files) if given.files else made_up()
    viewer = napari.Viewer(show=False)
    viewer.window.resize(1440, 940)
    viewer.window.show()
    for image in (truth, made):
        viewer.add_layer(Layer.create(*layer_tuple(image)))
    _, dock = viewer.window.add_plugin_dock_widget("napari-mrsynth", "Compare")
    pause(500)
    watch = Watch()
    report: dict[str, Any] = {
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "shape": list(truth.grid.shape),
    }
    for turn in ("first_comparison", "second_comparison"):
        watch.forget()
        began = time.perf_counter()
        dock.run.run.click()
        while dock.presenter.busy:
            pause(10)
        pause(1500)
        report[turn] = {
            "seconds": round(time.perf_counter() - began - 1.5, 1),
            **watch.blocks,
        }
    viewer.dims.set_point(0, float(viewer.dims.range[0].start + 80))
    for turn in range(TURNS):  # the last turn counts: what is made once has been made
        report["ways"] = {way.value: watch.measured(dock.ways.buttons[way].click) for way in Way}
        if turn == 0:
            report["ways_first_time"] = report["ways"]
    report["next_slice"] = watch.measured(lambda: dock.curve.slice_chosen.emit(60))
    dock.ways.buttons[Way.SWIPE].click()
    report["swipe"] = watch.measured(lambda: dock.ways.slider.setValue(40))
    report["end"] = watch.measured(dock.end.click)
    bars = {"shown_ms": SWITCH_MS, "processor_ms": SWITCH_MS}
    bars |= {"longest_block_ms": BLOCK_MS, "longest_block_processor_ms": BLOCK_MS}
    for figure, bar in bars.items():
        values = [run[figure] for run in (*report["ways"].values(), report["end"])]
        report[f"{figure}_within_bar"] = f"{sum(ms <= bar for ms in values)} of {len(values)}"
    print(json.dumps(report, indent=2))
    viewer.close()


if __name__ == "__main__":
    main()
