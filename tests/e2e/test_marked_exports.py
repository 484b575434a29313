"""Whatever leaves the program is marked, for a reader that knows nothing of it: nibabel and json alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels, Layer, _layer_actions

from bad.models import tiny_model
from napari_mrsynth.cli import main
from napari_mrsynth.gui.layer_data import Tag, layer_tuple
from napari_mrsynth.gui.marking import watch
from napari_mrsynth.gui.writers import write_image, write_labels, write_layers
from napari_mrsynth.imaging import LabelVolume, Source, Volume, known_voxels
from napari_mrsynth.io import read_image, read_patient, write_volume
from napari_mrsynth.preprocess.study import build_study
from napari_mrsynth.progress import ended
from napari_mrsynth.synthesis import Engine, Request
from phantoms import brain_study, patient_folder

PROVENANCE = {"bundle": {"id": "m", "weights_sha256": "ab"}, "inputs": {}}


def is_marked(path: Path) -> bool:
    """Whether the header's text and the JSON file beside the image both say that it is synthetic."""
    text = bytes(nib.load(path).header["descrip"]).rstrip(b"\0").decode()
    sidecar = path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json")
    return text.startswith("SYNTHETIC") and json.loads(sidecar.read_text())["Synthetic"] is True


@pytest.fixture
def patient(tmp_path, monkeypatch):
    model = tiny_model(tmp_path)
    monkeypatch.setattr("napari_mrsynth.bundles.store.default_roots", lambda: (model.parent,))
    return patient_folder(
        tmp_path / "sub-01", brain_study(("T1w", "T2w"), shape=(24, 28, 20), spacing=(6,) * 3)
    )


@pytest.fixture
def synthetic():
    study = brain_study(("FLAIR",), shape=(24, 28, 20), spacing=(6,) * 3)
    return replace(study.volume("FLAIR"), source=Source(format="synthetic", synthetic=PROVENANCE))


def test_every_image_the_command_line_writes_is_marked(patient, tmp_path):
    out = tmp_path / "out"
    arguments = ["synthesize", str(patient), "--want", "FLAIR,T1ce", "--out", str(out), "--source-map"]
    assert main(arguments) == 0
    written = sorted(out.rglob("*.nii*"))
    assert len(written) == 3
    assert [path.name for path in written if not is_marked(path)] == []
    assert all("desc-synthetic" in path.name for path in written)


@pytest.mark.parametrize(
    "taken",
    [
        lambda made: Volume(made.array, made.grid),
        lambda made: Volume(np.array(made.array), made.grid, "mine", contrast="FLAIR"),
        lambda made: replace(made, source=Source()),
        lambda made: LabelVolume(made.array.astype(np.int16), made.grid),
    ],
    ids=["array", "copy", "without its source", "cut to labels"],
)
def test_a_script_cannot_write_what_the_engine_made_as_if_it_were_real(patient, tmp_path, taken):
    volumes = read_patient(patient).volumes
    made = ended(Engine().run(build_study(volumes, name="p"), Request(("FLAIR",), ("T1w", "T2w")))).outputs[
        "FLAIR"
    ]
    written = write_volume(tmp_path / "mine.nii.gz", taken(made))
    assert is_marked(written)
    again = read_image(written)
    known_voxels._records.clear()
    assert again.is_synthetic


def test_a_real_scan_written_after_a_synthesis_stays_real(patient, tmp_path):
    volumes = read_patient(patient).volumes
    ended(Engine().run(build_study(volumes, name="p"), Request(("FLAIR",), ("T1w", "T2w"))))
    written = write_volume(tmp_path / "T1.nii.gz", volumes[0])
    assert not bytes(nib.load(written).header["descrip"]).startswith(b"SYNTHETIC")


def test_the_sidecar_says_by_what_from_what_and_how(patient, tmp_path):
    out = tmp_path / "out"
    assert main(["synthesize", str(patient), "--want", "FLAIR", "--out", str(out)]) == 0
    [sidecar] = out.glob("*.json")
    told = json.loads(sidecar.read_text())["Provenance"]
    assert told["bundle"]["id"]
    assert len(told["bundle"]["weights_sha256"]) == 64
    assert set(told["inputs"]) == {"T1w", "T2w"} == set(told["request"]["used"])
    for contrast, given in told["inputs"].items():
        [file] = patient.glob(f"*_{contrast}*")
        assert given["file"] == file.name
        assert given["fingerprint"] == read_image(file).fingerprint
    assert told["software"]["version"]
    assert told["request"]["wanted"] == ["FLAIR"]
    assert "seed" in told


def test_a_synthetic_file_that_comes_back_as_an_input_is_recognised_and_said(patient, tmp_path, capsys):
    first = tmp_path / "first"
    assert main(["synthesize", str(patient), "--want", "FLAIR", "--out", str(first)]) == 0
    [made] = first.glob("*.nii.gz")
    capsys.readouterr()
    again = ["synthesize", f"FLAIR={made}", "--want", "T1ce", "--out", str(tmp_path / "again"), "--json"]
    assert main(again) == 0
    told = json.loads(capsys.readouterr().out)
    assert any("itself made by a model" in warning for warning in told["warnings"])
    [sidecar] = (tmp_path / "again").glob("*.json")
    assert json.loads(sidecar.read_text())["Provenance"]["inputs"]["FLAIR"]["synthetic"] is True


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_the_library_cannot_write_a_synthetic_volume_unmarked(synthetic, tmp_path, ending):
    assert is_marked(write_volume(tmp_path / f"plain{ending}", synthetic))
    changed = synthetic.with_array(synthetic.array * 2).as_contrast("T1w").noting("edited")
    assert is_marked(write_volume(tmp_path / f"changed{ending}", changed))
    labels = LabelVolume(np.ones(synthetic.grid.shape, np.uint8), synthetic.grid, "map", synthetic.source)
    assert is_marked(write_volume(tmp_path / f"labels{ending}", labels))


@pytest.mark.parametrize("name", ["FLAIR (synthetic)", "renamed by its user", "acquired T1w"])
def test_the_window_cannot_save_a_synthetic_layer_unmarked(synthetic, tmp_path, name):
    data, attributes, _ = layer_tuple(synthetic, name=name)
    paths = write_image(str(tmp_path / "whole.nii.gz"), data, attributes)
    paths += write_image(str(tmp_path / "cropped.nii.gz"), data[4:12], attributes)
    paths += write_layers(str(tmp_path / "folder"), [(data, attributes, "image")])
    assert [path for path in paths if not is_marked(Path(path))] == []


def add_bare(viewer, data):
    """Add an image as any other plugin or a line in the console would."""
    return [viewer.add_image(data, name="FLAIR")]


def stack_and_split(viewer, _):
    """Merge all layers into a stack and split it again, as napari's menu does; the real scan comes first."""
    viewer.layers.selection = set(viewer.layers)
    _layer_actions._merge_stack(viewer.layers)
    assert viewer.canvas.overlays["mrsynth_warning"].visible
    viewer.layers.selection.active = viewer.layers[0]
    _layer_actions._split_stack(viewer.layers)
    assert len(viewer.layers) == 2
    return [viewer.layers[-1]]


def put_into_a_real_layer(viewer, data):
    viewer.layers["T1w"].data = data
    return [viewer.layers["T1w"]]


def duplicate(viewer, _):
    _layer_actions._duplicate_layer(viewer.layers)
    return [viewer.layers[-1]]


def to_labels(viewer, _):
    """Convert to labels as napari's menu does."""
    _layer_actions._convert_to_labels(viewer.layers)
    return [layer for layer in viewer.layers if isinstance(layer, Labels)]


def add_bare_labels(viewer, data):
    return [viewer.add_labels(data.astype(int), name="FLAIR")]


LOSSES = {
    "duplicated": duplicate,
    "the voxels alone": add_bare,
    "copied": lambda viewer, data: add_bare(viewer, data.copy()),
    "slices of it": lambda viewer, data: add_bare(viewer, data[6:13].copy()),
    "in other numbers": lambda viewer, data: add_bare(viewer, data.astype(np.float64)),
    "stacked and split": stack_and_split,
    "in a real layer": put_into_a_real_layer,
    "mirrored left to right": lambda viewer, data: add_bare(viewer, data[:, :, ::-1].copy()),
    "upside down and mirrored": lambda viewer, data: add_bare(viewer, data[::-1, ::-1].copy()),
    "coronal slices first": lambda viewer, data: add_bare(viewer, data.transpose(1, 0, 2).copy()),
    "sagittal slices first, turned": lambda viewer, data: add_bare(viewer, data.transpose(2, 1, 0)[:, ::-1]),
    "cut along one axis": lambda viewer, data: add_bare(viewer, data[:, 5:20].copy()),
    "mirrored and without fractions": lambda viewer, data: add_bare(viewer, data[::-1].astype(np.int16)),
    "converted to labels": to_labels,
    "as bare labels": add_bare_labels,
}


@pytest.fixture
def shown(synthetic, monkeypatch):
    """A viewer with a real T1w and, selected, a synthetic FLAIR."""
    monkeypatch.setattr(known_voxels, "_records", {})
    viewer = ViewerModel()
    watch(viewer)
    real = brain_study(("T1w",), shape=(24, 28, 20), spacing=(6,) * 3).volume("T1w")
    for image in (real, synthetic):
        viewer.add_layer(Layer.create(*layer_tuple(image)))
    return viewer


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_voxels_that_lost_their_record_are_known_again(shown, tmp_path, lose):
    layers = lose(shown, shown.layers[-1].data)
    for layer in shown.layers:
        layer.visible = layer in layers
    assert shown.canvas.overlays["mrsynth_warning"].visible
    for layer in layers:
        data, meta, kind = layer.as_layer_data_tuple()
        write = write_labels if kind == "labels" else write_image
        [path] = write(str(tmp_path / "saved.nii.gz"), data, meta)
        assert is_marked(Path(path))
        assert json.loads((tmp_path / "saved.json").read_text())["Provenance"]["bundle"]["id"] == "m"


def test_a_real_scan_that_was_stacked_with_a_synthetic_one_stays_real(shown, tmp_path):
    stack_and_split(shown, None)
    data, meta, _ = shown.layers[0].as_layer_data_tuple()
    [path] = write_image(str(tmp_path / "real.nii.gz"), data, meta)
    assert not (tmp_path / "real.json").exists()
    assert read_image(path).source.synthetic is None
    shown.layers[-1].visible = False
    assert not shown.canvas.overlays["mrsynth_warning"].visible


@pytest.mark.parametrize("first", ["real", "synthetic"])
def test_a_scan_into_which_a_lesion_was_painted_does_not_make_the_scan_synthetic(shown, tmp_path, first):
    real = brain_study(("T2w",), shape=(24, 28, 20), spacing=(6,) * 3).volume("T2w")
    array = real.array.copy()
    array[10:13, 12:15, 9:11] *= 2
    record = {**PROVENANCE, "into": {"scan": "T2w"}}
    painted = replace(real, array=array, source=Source(format="synthetic", synthetic=record))
    for image in (real, painted) if first == "real" else (painted, real):
        shown.add_layer(Layer.create(*layer_tuple(image)))
    layers = {layer.name: layer for layer in shown.layers}
    for name, marked in (("T2w", False), ("T2w (synthetic)", True)):
        data, meta, _ = layers[name].as_layer_data_tuple()
        [path] = write_image(str(tmp_path / f"{marked}.nii.gz"), data, meta)
        assert (read_image(path).source.synthetic is not None) is marked


@pytest.mark.parametrize("kind", ["preview", "source map"])
def test_other_layers_that_a_model_made_are_saved_marked(synthetic, tmp_path, kind):
    tag = Tag(kind, synthetic.grid, Source(format="synthetic"))
    meta = {"name": kind, "metadata": tag.as_metadata(), "scale": (6.0,) * 3, "translate": (0.0,) * 3}
    data = np.ones(synthetic.display.shape, np.uint8)
    write = write_labels if kind == "source map" else write_image
    [path] = write(str(tmp_path / "layer.nii.gz"), data, meta)
    assert is_marked(Path(path))
