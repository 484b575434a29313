"""Take the screenshots of the documentation: the docks' states on the digital brain, in a real window.

Run it under a display: ``xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_screenshots.py``.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import napari
import numpy as np
import yaml
from imageio.v3 import imwrite
from qtpy.QtCore import QEventLoop, Qt, QTimer
from qtpy.QtWidgets import QApplication
from skimage.transform import resize_local_mean

from napari_mrsynth.gui import samples, scene
from napari_mrsynth.gui.compare.stage import Way
from napari_mrsynth.gui.demo import MADE, SAMPLE, SIZE, wait
from napari_mrsynth.gui.layer_data import image_of
from napari_mrsynth.gui.training.telling import Phase
from napari_mrsynth.imaging import Volume
from napari_mrsynth.imaging.geometry import Affine, Grid
from napari_mrsynth.io import write_volume
from napari_mrsynth.samples import digital_brain
from napari_mrsynth.session.status import State

SEED = 9
PATIENCE = 1800.0
"""Seconds a training may take on a busy machine."""
COHORT_CONTRASTS = ("T1w", "T2w", "FLAIR")


class Camera:
    """Opens a window with a dock and photographs it.

    Parameters
    ----------
    folder : Path
        Where the pictures go.
    theme : str
        One of napari's.
    title : str
        Which dock.
    prefix : str
        What the pictures' names begin with.
    """

    def __init__(self, folder: Path, theme: str, title: str = "Synthesis", prefix: str = "") -> None:
        self.folder, self.theme, self.prefix = folder, theme, prefix
        folder.mkdir(parents=True, exist_ok=True)
        self.viewer = napari.Viewer(show=False)
        self.viewer.theme = theme
        self.window = self.viewer.window._qt_window
        self.window.resize(*SIZE)
        self.window.show()
        _, dock = self.viewer.window.add_plugin_dock_widget("napari-mrsynth", title)
        self.dock: Any = dock

    def live(self, until: Callable[[], bool], seconds: float = 120.0) -> None:
        """Let the window live until something is so."""
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                raise TimeoutError(f"{self.dock.session.status} after {seconds:.0f} s")
            loop = QEventLoop()
            QTimer.singleShot(20, loop.quit)
            loop.exec()

    def take_in(self, themes: Sequence[str], name: str) -> None:
        """Write the window and the dock in several themes, one after the other, and go back to the first."""
        for theme in themes:
            self.theme = self.viewer.theme = theme
            self.take(name)
        self.theme = self.viewer.theme = themes[0]

    def take(self, name: str) -> None:
        """Write the whole window, and the dock alone."""
        for _ in range(3):
            QApplication.processEvents()
        suffix = "" if self.theme == "dark" else f"-{self.theme}"
        for kind, widget in (("window", self.window), ("dock", self.dock)):
            path = self.folder / f"{self.prefix}{kind}-{name}{suffix}.png"
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


def show_patient(camera: Camera) -> None:
    """Open the digital brain with its lesion, its FLAIR shown at the height of the lesion."""
    for data, attributes, kind in samples.digital_brain_with_lesion():
        layer = getattr(camera.viewer, f"add_{kind}")(data, **attributes)
        layer.visible = layer.name == MADE
    scene.show_side(camera.viewer, "radiological")
    height = np.argwhere(camera.viewer.layers["lesions"].data)[:, 0].mean()
    z = camera.viewer.layers[MADE].data_to_world((height, 0, 0))[0]
    camera.viewer.dims.set_point(0, z)
    camera.viewer.reset_view()


def photograph_structure(folder: Path, theme: str) -> None:
    """Take the pictures of the dock "Structure maps" in one theme."""
    camera = Camera(folder, theme, "Structure maps", "structure-")
    dock, session = camera.dock, camera.dock.session
    camera.take("empty")
    show_patient(camera)
    dock.panel.scan_chosen.emit(MADE)
    camera.live(lambda: "structure (preview)" in camera.viewer.layers)
    camera.take("preview")
    dock.panel.lesions_chosen.emit("lesions")
    camera.live(lambda: not session.busy)
    dock.run.run.click()
    camera.live(lambda: not session.busy)
    camera.take("done")
    for layer in camera.viewer.layers:
        layer.visible = False
    dock.panel.seed.setValue(SEED)
    dock.panel.draw.click()
    camera.live(lambda: not session.busy)
    camera.viewer.reset_view()
    camera.take("random")
    camera.viewer.close()


def photograph_lesions(folder: Path, theme: str) -> None:
    """Take the pictures of the dock "Lesion studio" in one theme; its library is the made-up lesion."""
    camera = Camera(folder, theme, "Lesion studio", "lesions-")
    dock, session = camera.dock, camera.dock.session
    camera.take("empty")
    show_patient(camera)
    dock.paint.scan_chosen.emit(MADE)
    camera.live(lambda: session.brain is not None and not session.busy)
    dock.paint.begin.click()
    with tempfile.TemporaryDirectory() as temporary:
        lesions = image_of(camera.viewer.layers["lesions"])
        write_volume(Path(temporary) / "library" / "glioma_seg.nii.gz", lesions)
        session.open_library(Path(temporary) / "library")
        camera.live(lambda: not session.busy)
        dock.stamp.seed.setValue(4)
        dock.stamp.random.click()
        camera.live(lambda: session.ghost is not None and not session.busy)
    camera.take("ghost")
    dock.run.run.click()
    camera.live(lambda: any("ml" in button.text() for button in dock.paint.classes.values()))
    camera.take("stamped")
    x, y, z = session.placement.centre_mm
    session.move(centre_mm=(x + 60.0, y, z))
    camera.live(lambda: session.status.state is State.BLOCKED)
    camera.take("refused")
    camera.viewer.close()


def photograph_compare(folder: Path, theme: str) -> None:
    """Make the digital brain's FLAIR, compare it with its truth, and take three ways of looking."""
    camera = Camera(folder, theme)
    dock, session = camera.dock, camera.dock.session
    session.open_sample(SAMPLE)
    wait(session)
    dock.presenter.finish_layers()
    dock.table.rows[MADE].switch.click()
    for row in session.make_rows:
        session.want(row.contrast, row.contrast == MADE)
    dock.run.run.click()
    camera.live(lambda: not session.busy, seconds=1200)
    scene.show_side(camera.viewer, "radiological")
    _, compare = camera.viewer.window.add_plugin_dock_widget("napari-mrsynth", "Compare", tabify=True)
    compare.run.run.click()
    camera.live(lambda: not compare.presenter.busy and compare.table.columnCount() > 0, seconds=600)
    suffix = "" if theme == "dark" else f"-{theme}"
    for way, name in ((Way.SIDE, "side"), (Way.SWIPE, "swipe"), (Way.DIFFERENCE, "difference")):
        compare.ways.buttons[way].click()
        for _ in range(3):
            QApplication.processEvents()
        path = folder / f"compare-{name}{suffix}.png"
        camera.window.grab().save(str(path))
        print(path)
    scene.remove_writing(camera.viewer)
    camera.viewer.close()


def photograph_ways(path: Path, patient: Path, theme: str) -> None:
    """Make a patient's FLAIR from the other scans; put every way to compare it on one sheet."""
    camera = Camera(path.parent, theme)
    dock, session = camera.dock, camera.dock.session
    dock.presenter.open([patient])
    camera.live(lambda: not session.busy and MADE in camera.viewer.layers)
    dock.presenter.finish_layers()
    dock.table.rows[MADE].switch.click()
    dock.run.run.click()
    camera.live(lambda: not session.busy and f"{MADE} (synthetic)" in camera.viewer.layers, seconds=1200)
    dock.presenter.finish_layers()
    _, compare = camera.viewer.window.add_plugin_dock_widget("napari-mrsynth", "Compare", tabify=True)
    compare.run.run.click()
    camera.live(lambda: not compare.presenter.busy and compare.table.columnCount() > 0, seconds=600)
    canvases = []
    for way in Way:
        compare.ways.buttons[way].click()
        for _ in range(3):
            QApplication.processEvents()
        canvases.append(camera.viewer.screenshot(canvas_only=True, flash=False)[..., :3])
    rows = [np.concatenate(canvases[at : at + 3], axis=1) for at in range(0, len(canvases), 3)]
    sheet = np.concatenate(rows)
    size = tuple(side * 1200 // sheet.shape[1] for side in sheet.shape[:2])
    shrunk = resize_local_mean(sheet, size, channel_axis=-1, preserve_range=True)
    imwrite(path, shrunk.astype(np.uint8))
    print(path)
    scene.remove_writing(camera.viewer)
    camera.viewer.close()


class Chosen:
    """A user who has chosen a folder or file before being asked."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def folder(self, title: str) -> Path:
        """Give it as the folder."""
        return self.path

    def configuration(self) -> Path:
        """Give it as the configuration."""
        return self.path


def slab(volume: Volume, first: int, last: int) -> Volume:
    """Return the slices from `first` to before `last` along the third axis."""
    corner = volume.grid.affine.apply((0, 0, first))
    matrix = volume.grid.affine.matrix.copy()
    matrix[:3, 3] = corner
    array = volume.array[:, :, first:last]
    return replace(volume, array=array, grid=Grid(array.shape, Affine(matrix)))


def write_cohort(root: Path) -> None:
    """Write the middle slices of two digital brains, one with a lesion, as folders of T1w, T2w and FLAIR."""
    for seed in range(2):
        found = digital_brain(lesion=bool(seed), seed=seed)
        for volume in found.volumes:
            if volume.contrast in COHORT_CONTRASTS:
                name = f"brain{seed}_{volume.contrast}.nii.gz"
                middle = volume.array.shape[2] // 2
                write_volume(root / f"brain{seed}" / name, slab(volume, middle - 12, middle + 12))


def small_configuration(path: Path, cache: Path) -> Path:
    """Write a configuration that trains a small network at 2 mm in a minute."""
    names = list(COHORT_CONTRASTS)
    widths = {"latent": 4, "encoder_widths": [8, 16], "decoder_widths": [8, 16]}
    shape = {"neighbours": 0, "encoder": "residual", "decoder": "residual", "fusion": "max-mean-spread"}
    settings = {
        "system": "anysubset",
        "data": {"root": "", "contrasts": names, "spacing_mm": 2.0, "cache": str(cache)},
        "network": {"name": "anysubset", "inputs": names, "outputs": names, **widths, **shape},
        "objective": {"subsets": "random", "balanced": True},
        "optim": {"steps": 400, "batch": 4, "crop": 64, "lr": 3.0e-3, "warmup": 10, "ema": 0.9},
        "run": {"checkpoint_every": 20, "log_every": 1},
        "card": {"id": "small", "title": "A small network on digital brains"},
    }
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def photograph_training(folder: Path, themes: Sequence[str]) -> None:
    """Fine-tune on two digital brains, train on them, pause; nothing is left among the user's models.

    All themes are taken of the same two trainings.
    """
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        os.environ["XDG_DATA_HOME"] = str(home / "data")
        write_cohort(home / "cohort")
        camera = Camera(folder, themes[0], "Training", "training-")
        os.environ["XDG_CACHE_HOME"] = str(home / "cache")  # of the trainings; napari's own has its icons
        dock, session = camera.dock, camera.dock.session
        user = dock.presenter.questions = Chosen(home)
        camera.take_in(themes, "empty")
        for name in ("brain0", "brain1"):
            user.path = home / "cohort" / name
            dock.tune.add.click()
            camera.live(lambda: not session.busy)
        dock.tune.steps.setValue(20)
        dock.tune.name.setText("my-scanner")
        camera.take_in(themes, "ready")
        dock.controls.start.click()
        camera.live(lambda: len(session.figures.losses) > 3 or not session.running, seconds=PATIENCE)
        camera.take_in(themes, "running")
        camera.live(lambda: not session.busy, seconds=PATIENCE)
        if session.said.phase is not Phase.DONE:
            raise RuntimeError(str(session.said))
        camera.take_in(themes, "done")
        dock.modes.setCurrentIndex(1)
        user.path = small_configuration(home / "small.yaml", home / "prepared")
        dock.train.other.click()
        user.path = home / "cohort"
        dock.train.folder.click()
        camera.live(lambda: not session.busy)
        dock.train.check.setValue(20)
        dock.train.patients.topLevelItem(1).setCheckState(0, Qt.CheckState.Checked)
        dock.controls.start.click()
        camera.live(lambda: len(session.figures.errors) > 3 or not session.running, seconds=PATIENCE)
        if not session.running:
            raise RuntimeError(str(session.said))
        camera.take_in(themes, "scratch")
        dock.controls.pause.click()
        camera.live(lambda: not session.running, seconds=PATIENCE)
        camera.take_in(themes, "paused")
        user.path = home / "prepared" / "nobody"
        dock.train.folder.click()
        camera.live(lambda: not session.busy)
        camera.take_in(themes, "error")
        camera.viewer.close()


SERIES = {
    "synthesis": photograph,
    "compare": photograph_compare,
    "structure": photograph_structure,
    "lesions": photograph_lesions,
}
TRAINING = "training"


def main() -> None:
    """Take the pictures in both themes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "screenshots")
    parser.add_argument("--themes", nargs="+", default=["dark", "light"])
    parser.add_argument("--series", nargs="*", default=[*SERIES, TRAINING], choices=[*SERIES, TRAINING])
    parser.add_argument(
        "--patient", type=Path, help="a patient with all four contrasts, to compare in every way"
    )
    given = parser.parse_args()
    if given.patient is not None:
        photograph_ways(given.out / "compare-patient.png", given.patient, given.themes[0])
    for theme in given.themes:
        for name in given.series:
            if name in SERIES:
                SERIES[name](given.out, theme)
    if TRAINING in given.series:
        photograph_training(given.out, given.themes)


if __name__ == "__main__":
    main()
