r"""Take the pictures of a lesion painted into a real patient's anatomy, in a real window.

    xvfb-run -a -s "-screen 0 1680x1050x24" \
        python docs/make_lesion_pictures.py PATIENT [--disease ms] [--out DIR]

PATIENT is a folder with scans and a lesion label, whose edges are taken out of the anatomy. A tumour, or
lesions of multiple sclerosis, are painted with napari's brush, all contrasts are made, and the window is
photographed with the contrasts side by side; then once more, after a stroke, with the slice that is made
live, whose time is printed.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from make_screenshots import Camera

from napari_mrsynth.gui import scene
from napari_mrsynth.gui.layer_data import layer_tuple
from napari_mrsynth.io import read_patient
from napari_mrsynth.session.status import State

STROKES = {
    "tumour": (
        (2, 34, ((0, 0), (10, 6), (-12, 4), (18, -4))),
        (4, 22, ((0, 0), (5, 4), (-4, 6))),
        (1, 11, ((1, 1), (3, 5))),
    ),
    "ms": (
        (1, 7, ((-24, -14), (-27, -17), (6, 17), (27, 15), (29, 18), (22, -18))),
        (1, 5, ((-6, 24), (-31, 19), (14, -27), (38, -20), (-12, -24))),
    ),
}
"""Class, the brush's diameter in voxels, where it is put down (A, R).

About the own tumour's mirrored place; MS lesions about the middle of the largest slice of the brain.
"""

SLICES = {"tumour": range(-6, 7), "ms": range(-3, 4)}
LIVE_STROKE = {"tumour": (2, 12), "ms": (1, 6)}
"""Class and diameter of the strokes after which the slice is made live."""

PREFIX = {"tumour": "lesion-", "ms": "lesion-ms-"}
ZOOM = {"tumour": 1.6, "ms": 1.25}
LIVE = tuple(f"{name} (preview)" for name in ("T1w", "T1ce", "T2w", "FLAIR"))


def main() -> None:
    args = _arguments()
    files = read_patient(args.patient)
    if files.lesions is None:
        raise SystemExit(f"{args.patient} has no lesion label.")
    camera = Camera(args.out, "dark", "Lesion studio", PREFIX[args.disease])
    dock, viewer = camera.dock, camera.viewer
    for volume in files.volumes:
        data, attributes, kind = layer_tuple(volume, name=volume.contrast)
        getattr(viewer, f"add_{kind}")(data, **attributes)
    data, attributes, _ = layer_tuple(files.lesions, name="own lesions")
    own = viewer.add_labels(data, **attributes)
    own.visible = False
    dock.paint.scan_chosen.emit("T1w")
    camera.live(lambda: dock.session.brain is not None and not dock.session.busy)
    dock.paint.disease_chosen.emit(args.disease)
    dock.paint.begin.click()
    camera.live(lambda: dock.presenter.layers.painted is not None and not dock.session.busy)
    dock.make.own_chosen.emit("own lesions")
    labels = dock.presenter.layers.painted
    centre = _paint(labels, args.disease, own.data, np.asarray(viewer.layers["T1w"].data) > 0)
    viewer.dims.set_point(0, labels.data_to_world(centre)[0])
    viewer.reset_view()
    camera.live(lambda: any("ml" in button.text() for button in dock.paint.classes.values()))
    dock.make.make.click()
    camera.live(lambda: dock.session.status.state is State.DONE, seconds=600)
    _side_by_side(camera, "(synthetic)", ZOOM[args.disease])
    camera.take("made")
    viewer.canvas.grid.enabled = False

    dock.make.live.setChecked(True)
    labels.selected_label, labels.brush_size = LIVE_STROKE[args.disease]
    labels.paint((centre[0], centre[1] + 24, centre[2]), labels.selected_label)
    camera.live(lambda: all(name in viewer.layers for name in LIVE))
    for further in (30, 36, 42):
        before = {name: viewer.layers[name].data for name in LIVE}
        began = time.perf_counter()
        labels.paint((centre[0], centre[1] + further, centre[2]), labels.selected_label)
        camera.live(lambda: all(viewer.layers[name].data is not old for name, old in before.items()))  # noqa: B023
        print(f"four live slices {1000 * (time.perf_counter() - began):.0f} ms after the stroke")
    _side_by_side(camera, "(preview)", ZOOM[args.disease])
    camera.take("live")
    scene.remove_writing(viewer)
    viewer.close()


def _paint(labels: object, disease: str, own: np.ndarray, brain: np.ndarray) -> tuple[int, int, int]:
    """Paint the strokes within the brain; return their middle, (S, A, R)."""
    shown = brain if disease == "ms" else own > 0
    plane = int(shown.sum(axis=(1, 2)).argmax())
    middle = np.argwhere(shown[plane]).mean(axis=0)
    columns = np.argwhere(brain[plane])[:, 1]
    centre = (plane, round(float(middle[0])), round(float(columns.min() + columns.max() - middle[1])))
    slices = SLICES[disease]
    for value, diameter, places in STROKES[disease]:
        for away in slices:
            for a, r in places:
                size = diameter * np.sqrt(max(0.0, 1 - (away / (max(slices) + 2)) ** 2))
                labels.brush_size = max(2, round(float(size)))  # type: ignore[attr-defined]
                labels.paint((plane + away, centre[1] + a, centre[2] + r), value)  # type: ignore[attr-defined]
    outside = np.nonzero((labels.data > 0) & ~brain)  # type: ignore[attr-defined]
    labels.data_setitem(outside, np.zeros(len(outside[0]), int))  # type: ignore[attr-defined]
    return centre


def _side_by_side(camera: Camera, what: str, zoom: float) -> None:
    """Show only the layers that were made so, in napari's grid."""
    for layer in camera.viewer.layers:
        layer.visible = what in layer.name
    camera.viewer.canvas.grid.stride = 1
    camera.viewer.canvas.grid.shape = (2, 2)
    camera.viewer.canvas.grid.enabled = True
    camera.viewer.reset_view()
    camera.viewer.scene.camera.zoom *= zoom


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("patient", type=Path, help="a patient's folder, with a lesion label")
    parser.add_argument("--disease", choices=STROKES, default="tumour")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "screenshots")
    return parser.parse_args()


if __name__ == "__main__":
    main()
