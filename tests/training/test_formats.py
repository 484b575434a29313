"""A bundle as ONNX and for MONAI: loaded again by those libraries, both make what the bundle makes."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_mrsynth.bundles import Bundle
from napari_mrsynth.errors import BundleError, ConfigError, OutputError
from napari_mrsynth.networks.registry import build_as
from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork
from napari_mrsynth.systems.anysubset.predictor import AnySubsetPredictor
from napari_mrsynth.training import extras
from napari_mrsynth.training.config import CardConfig, DataConfig, TrainConfig
from napari_mrsynth.training.export import export_bundle
from napari_mrsynth.training.formats import convert, require_format
from napari_mrsynth.training.onnx_export import StackedDecoder

CONTRASTS = ("T1w", "T2w", "FLAIR")
KINDS = {
    "residual": {"encoder": "residual", "decoder": "residual", "fusion": "max-mean-spread", "norm": True},
    "published": {"encoder": "unet", "decoder": "shallow", "fusion": "max"},
    "mean": {"encoder": "unet", "decoder": "shallow", "fusion": "mean"},
    "voxelwise-max": {"encoder": "residual", "decoder": "residual", "fusion": "max", "voxelwise": 2},
}
KINDS["voxelwise"] = {**KINDS["residual"], "voxelwise": 2}


def make_bundle(folder: Path, kind: str, **changes: object) -> Bundle:
    spec = {
        "name": "anysubset",
        "inputs": list(CONTRASTS),
        "outputs": ["FLAIR", "T1w"],
        "neighbours": 1,
        "latent": 3,
        "encoder_widths": [4, 6],
        "decoder_widths": [4, 6],
        **KINDS[kind],
        **changes,
    }
    torch.manual_seed(0)
    network = build_as(spec, AnySubsetNetwork)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
    config = TrainConfig(
        "anysubset",
        DataConfig("."),
        spec,
        card=CardConfig("tiny", "A tiny model", licence="CC0-1.0"),
    )
    return Bundle.open(export_bundle(folder / "tiny", network, config, [], {}, steps=1))


def slices(batch: int = 2, high: int = 16, wide: int = 24) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    return {c: torch.rand(batch, 3, high, wide, generator=rng) + 0.5 for c in CONTRASTS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_is_fused_and_decoded_as_the_inputs_one_by_one(tmp_path: Path, kind: str) -> None:
    network = AnySubsetPredictor.from_bundle(make_bundle(tmp_path, kind)).network
    given = slices()
    with torch.no_grad():
        latents = [network.encode(c, given[c]) for c in CONTRASTS]
        for size in (1, 2, 3):
            for subset in combinations(latents, size):
                made = StackedDecoder(network)(torch.stack(subset))
                torch.testing.assert_close(made, network.decode(network.fuse(subset)), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["published", "voxelwise"])
def test_onnx_makes_every_subset_as_the_bundle_does(tmp_path: Path, kind: str) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    bundle = make_bundle(tmp_path, kind)
    folder = convert(bundle, "onnx", tmp_path / "onnx")
    predictor = AnySubsetPredictor.from_bundle(bundle)
    encoders = {c: runtime.InferenceSession(folder / f"encoder-{c}.onnx") for c in CONTRASTS}
    decoder = runtime.InferenceSession(folder / "decoder.onnx")
    for given in (slices(), slices(1, 8, 40)):
        for size in (1, 2, 3):
            for subset in combinations(CONTRASTS, size):
                latents = np.stack([encoders[c].run(None, {"slices": given[c].numpy()})[0] for c in subset])
                (made,) = decoder.run(None, {"latents": latents})
                wanted = predictor.decode(
                    {c: predictor.encode(c, given[c]) for c in subset}, predictor.outputs
                )
                for place, contrast in enumerate(predictor.outputs):
                    np.testing.assert_allclose(made[:, place], wanted[contrast], atol=2e-5, rtol=1e-4)
    assert (folder / "card.yaml").read_text() == (bundle.folder / "card.yaml").read_text()


def test_monai_loads_the_network_and_its_weights(tmp_path: Path) -> None:
    monai_bundle = pytest.importorskip("monai.bundle", reason="monai is not installed")
    bundle = make_bundle(tmp_path, "residual")
    folder = convert(bundle, "monai", tmp_path / "monai" / "tiny")
    workflow = monai_bundle.create_workflow(
        config_file=str(folder / "configs" / "inference.json"),
        meta_file=str(folder / "configs" / "metadata.json"),
        workflow_type="inference",
        bundle_root=str(folder),
        logging_file=False,
    )
    network = workflow.parser.get_parsed_content("network")
    given = slices()
    predictor = AnySubsetPredictor.from_bundle(bundle)
    wanted = predictor.decode({c: predictor.encode(c, given[c]) for c in ("T2w", "T1w")}, predictor.outputs)
    with torch.no_grad():
        made = network({c: given[c].to(workflow.parser.get_parsed_content("device")) for c in ("T2w", "T1w")})
    for place, contrast in enumerate(predictor.outputs):
        torch.testing.assert_close(made[:, place].cpu(), wanted[contrast], atol=2e-5, rtol=1e-4)


def test_a_full_disk_is_said_of_a_monai_bundle_and_nothing_stays(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("monai", reason="monai is not installed")
    bundle = make_bundle(tmp_path, "residual")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        convert(bundle, "monai", tmp_path / "monai" / "tiny")
    assert not (tmp_path / "monai" / "tiny").exists()


def test_monai_takes_a_model_with_an_output_that_was_added(tmp_path: Path) -> None:
    pytest.importorskip("monai", reason="monai is not installed")
    from monai.bundle import ConfigParser

    bundle = make_bundle(
        tmp_path, "residual", name="anysubset-extended", outputs=["FLAIR", "T1w", "CT"], own=["CT"]
    )
    folder = convert(bundle, "monai", tmp_path / "monai" / "tiny")
    parser = ConfigParser(json.loads((folder / "configs" / "inference.json").read_text()))
    parser["bundle_root"] = str(folder)
    network = parser.get_parsed_content("network")
    network.load_state_dict(torch.load(folder / "models" / "model.pt", weights_only=True))
    assert network.outputs == ("FLAIR", "T1w", "CT")
    metadata = json.loads((folder / "configs" / "metadata.json").read_text())
    outputs = metadata["network_data_format"]["outputs"]["pred"]
    assert outputs["channel_def"] == {"0": "FLAIR", "1": "T1w", "2": "CT"}


def test_the_monai_bundle_runs_on_a_patient(tmp_path: Path) -> None:
    monai_bundle = pytest.importorskip("monai.bundle", reason="monai is not installed")
    from phantoms import brain_study, patient_folder

    folder = convert(make_bundle(tmp_path, "residual"), "monai", tmp_path / "monai" / "tiny")
    patient = patient_folder(tmp_path / "sub-01", brain_study(("T1w", "T2w"), name="sub-01"))
    monai_bundle.run(
        config_file=str(folder / "configs" / "inference.json"),
        meta_file=str(folder / "configs" / "metadata.json"),
        bundle_root=str(folder),
        patient=str(patient),
        want="FLAIR",
        output_dir=str(tmp_path / "made"),
        logging_file=False,
    )
    assert [path.suffixes for path in (tmp_path / "made").rglob("*FLAIR*.nii.gz")] == [[".nii", ".gz"]]


def test_the_metadata_say_what_goes_in_and_what_comes_out(tmp_path: Path) -> None:
    pytest.importorskip("monai", reason="monai is not installed")
    folder = convert(make_bundle(tmp_path, "residual"), "monai", tmp_path / "monai")
    metadata = json.loads((folder / "configs" / "metadata.json").read_text())
    formats = metadata["network_data_format"]
    assert list(formats["inputs"]) == list(CONTRASTS)
    assert formats["outputs"]["pred"]["channel_def"] == {"0": "FLAIR", "1": "T1w"}
    assert (folder / "models" / "mrsynth" / "card.yaml").is_file()
    assert (folder / "LICENSE").read_text().strip() == "CC0-1.0"


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no format 'keras'.*onnx"):
        require_format("keras")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    with pytest.raises(BundleError, match="spatial transformer"):
        convert(make_bundle(tmp_path, "published", aligned=True), "onnx", tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    pytest.importorskip("monai", reason="monai is not installed")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    with pytest.raises(OutputError, match="mine is there already"):
        convert(make_bundle(tmp_path, "published"), "monai", tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "all of it"


def test_a_package_that_is_missing_is_named_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "onnxscript" else object())
    with pytest.raises(ConfigError, match=r"needs onnxscript.*napari-mrsynth\[export\]"):
        extras.require("onnx")
    extras.require("train")
