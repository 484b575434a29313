"""How long the import of napari_mrsynth and the opening of its Synthesis dock take, each in a fresh process.

    xvfb-run -a python benchmarks/start.py

Beside the clock stands the processor's time: where other programs hold the cores, the clock tells about them
too. A bare Python and an empty napari window stand beside as what cannot be saved.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

BARS_S = {"import": 0.3, "dock": 1.5}

TIMED = """
import json, sys, time
def timed(work):
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return [time.perf_counter() - wall, time.process_time() - cpu]
"""

IMPORT = """
def work():
    import napari_mrsynth
print(json.dumps({"import": timed(work), "torch": "torch" in sys.modules}))
"""

DOCK = """
import napari
from qtpy.QtWidgets import QApplication
found = {}
def window():
    found["viewer"] = napari.Viewer(show=False)
    found["viewer"].window._qt_window.show()
    QApplication.processEvents()
def dock():
    found["viewer"].window.add_plugin_dock_widget("napari-mrsynth", "Synthesis")
    QApplication.processEvents()
times = {"window": timed(window), "dock": timed(dock)}
print(json.dumps({**times, "torch": "torch" in sys.modules}))
"""


def measured(code: str) -> dict[str, list[float] | bool]:
    """Run code in a fresh Python and return what it printed last."""
    run = subprocess.run([sys.executable, "-c", TIMED + code], capture_output=True, text=True, check=True)
    found: dict[str, list[float] | bool] = json.loads(run.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure, and print medians beside the bars."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    for code in (IMPORT, DOCK):
        runs = [measured(code) for _ in range(times)]
        for name in runs[0]:
            if name == "torch":
                print(f"torch imported: {any(run[name] for run in runs)}")
                continue
            wall, cpu = (statistics.median(run[name][place] for run in runs) for place in (0, 1))  # type: ignore[index]
            bar = f" (bar {BARS_S[name]} s)" if name in BARS_S else ""
            print(f"{name}: {wall:.3f} s by the clock, {cpu:.3f} s of the processor{bar}")


if __name__ == "__main__":
    main()
