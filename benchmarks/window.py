"""How long the window is blocked while the Synthesis dock works, on one patient, in a real window.

    xvfb-run -a -s "-screen 0 1680x1050x24" python benchmarks/window.py PATIENT_FOLDER

A timer ticks every 5 ms on the window's thread; the longest wait between two ticks is how long the window did
not answer. Beside it stands the processor's time of that thread in such a wait: where other programs hold the
cores, the clock tells about them too. Each stage is a click or two; the whole is run twice, because the first
time in a process pays for imports.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import napari
from qtpy.QtCore import QEventLoop, Qt, QTimer

from napari_mrsynth.gui import scene
from napari_mrsynth.gui.dock import SynthesisDock

BAR_MS = 100
TICK_MS = 5


@dataclass
class Wait:
    """The longest wait between two ticks: by the clock and by the thread's processor time, in ms."""

    wall: float = 0.0
    cpu: float = 0.0


class Watch:
    """Ticks on the window's thread and keeps the longest waits."""

    def __init__(self) -> None:
        self.longest = Wait()
        self._last = (time.perf_counter(), time.thread_time())
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(TICK_MS)

    def begin(self) -> None:
        """Forget what was before."""
        self.longest = Wait()
        self._last = (time.perf_counter(), time.thread_time())

    def _tick(self) -> None:
        now = (time.perf_counter(), time.thread_time())
        wall, cpu = (1000 * (new - old) for new, old in zip(now, self._last, strict=True))
        self.longest.wall = max(self.longest.wall, wall)
        self.longest.cpu = max(self.longest.cpu, cpu)
        self._last = now


class Bench:
    """A window with the dock, and the stages of a session in it."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer()
        self.viewer.window._qt_window.resize(1600, 1000)
        _, dock = self.viewer.window.add_plugin_dock_widget("napari-mrsynth", "Synthesis")
        self.dock: SynthesisDock = dock
        self.watch = Watch()
        self.rows: list[tuple[str, Wait]] = []

    def stage(self, name: str, act: Callable[[], object], until: Callable[[], bool]) -> None:
        """Do something, let the window live until something is so, and note the longest wait."""
        self.live(0.3)
        self.watch.begin()
        QTimer.singleShot(0, act)
        self.live(600.0, until)
        self.live(0.5)
        self.rows.append((name, self.watch.longest))

    @staticmethod
    def live(seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let the window live until something is so, or for some seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            loop = QEventLoop()
            QTimer.singleShot(20, loop.quit)
            loop.exec()

    def session(self, patient: Path) -> None:
        """Open, toggle, synthesise and cancel, synthesise to the end, toggle again."""
        dock, session, layers = self.dock, self.dock.session, self.viewer.layers
        self.stage("open a patient", lambda: dock.presenter.open([patient]), lambda: len(layers) >= 4)
        switch = dock.table.rows["FLAIR"].switch
        self.stage("switch FLAIR off, preview", switch.click, lambda: "FLAIR (preview)" in layers)
        toggle = dock.table.rows["T1ce"].switch
        self.stage("switch T1ce off, preview again", toggle.click, lambda: not session.busy)
        dock.run.run.click()
        self.live(60.0, lambda: (session.status.progress or 0) and session.status.progress.fraction > 0.2)
        self.stage("cancel", dock.run.cancel.click, lambda: not session.busy)
        self.stage("synthesise to the end", dock.run.run.click, lambda: "FLAIR (synthetic)" in layers)
        self.stage("drop the preview", dock.run.live.click, lambda: True)
        self.stage("close the patient", session.close, lambda: not layers)

    def close(self) -> None:
        """Close the window."""
        scene.remove_writing(self.viewer)
        self.viewer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("patient", type=Path, help="a patient's folder with T1w, T1ce, T2w and FLAIR")
    given = parser.parse_args()
    for turn in ("first time", "second time"):
        bench = Bench()
        bench.session(given.patient)
        print(f"{turn:34s} {'wall':>8s} {'processor':>10s}   (bar {BAR_MS} ms)")
        for name, wait in bench.rows:
            print(f"  {name:32s} {wait.wall:5.0f} ms {wait.cpu:7.0f} ms")
        bench.close()


if __name__ == "__main__":
    main()
