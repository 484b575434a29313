"""Take the screenshots of the documentation: the dock's states on the digital brain, in a real window.

Run it under a display: ``xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_screenshots.py``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QApplication

from napari_mrsynth.gui import scene
from napari_mrsynth.gui.demo import MADE, SAMPLE, SIZE, wait
from napari_mrsynth.gui.dock import SynthesisDock
from napari_mrsynth.session.status import State


class Camera:
    """Opens a window with the dock and photographs it."""

    def __init__(self, folder: Path, theme: str) -> None:
        self.folder, self.theme = folder, theme
        folder.mkdir(parents=True, exist_ok=True)
        self.viewer = napari.Viewer(show=False)
        self.viewer.theme = theme
        self.window = self.viewer.window._qt_window
        self.window.resize(*SIZE)
        self.window.show()
        _, dock = self.viewer.window.add_plugin_dock_widget("napari-mrsynth", "Synthesis")
        self.dock: SynthesisDock = dock

    def live(self, until: Callable[[], bool], seconds: float = 120.0) -> None:
        """Let the window live until something is so."""
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                raise TimeoutError(f"{self.dock.session.status} after {seconds:.0f} s")
            loop = QEventLoop()
            QTimer.singleShot(20, loop.quit)
            loop.exec()

    def take(self, name: str) -> None:
        """Write the whole window, and the dock alone."""
        for _ in range(3):
            QApplication.processEvents()
        suffix = "" if self.theme == "dark" else f"-{self.theme}"
        for kind, widget in (("window", self.window), ("dock", self.dock)):
            path = self.folder / f"{kind}-{name}{suffix}.png"
            widget.grab().save(str(path))
            print(path)


def photograph(folder: Path, theme: str) -> None:
    """Take the six pictures in one theme."""
    camera = Camera(folder, theme)
    dock, session = camera.dock, camera.dock.session
    camera.take("empty")
    session.open_sample(SAMPLE)
    wait(session)
    dock.presenter.finish_layers()
    camera.take("ready")
    dock.table.rows[MADE].switch.click()
    for row in session.make_rows:
        session.want(row.contrast, row.contrast == MADE)
    camera.live(lambda: f"{MADE} (preview)" in camera.viewer.layers)
    camera.take("preview")
    dock.run.run.click()
    camera.live(lambda: not session.busy or (session.status.progress or 0).fraction > 0.25)
    camera.take("busy")
    camera.live(lambda: not session.busy, seconds=1200)
    if session.status.state is not State.DONE:
        raise RuntimeError(str(session.status))
    camera.take("done")
    with tempfile.TemporaryDirectory() as temporary:
        broken = Path(temporary) / "patient_T1w.nii.gz"
        broken.write_bytes(b"")
        session.open([broken])
        camera.live(lambda: not session.busy)
    camera.take("error")
    scene.remove_writing(camera.viewer)
    camera.viewer.close()


def main() -> None:
    """Take the pictures in both themes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "screenshots")
    parser.add_argument("--themes", nargs="+", default=["dark", "light"])
    given = parser.parse_args()
    for theme in given.themes:
        photograph(given.out, theme)


if __name__ == "__main__":
    main()
