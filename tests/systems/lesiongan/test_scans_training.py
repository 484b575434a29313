"""Making scans trained from patient folders: a bundle that makes and translates, exact resume, configs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from lesion_cohort import settings, write_cohort
from napari_mrsynth.bundles import Bundle
from napari_mrsynth.errors import ConfigError
from napari_mrsynth.systems import load_predictor
from napari_mrsynth.systems.lesiongan.scans.predictor import ScansPredictor
from napari_mrsynth.training.config import load_config
from napari_mrsynth.training.registry import training_system
from napari_mrsynth.training.run import train

CONFIGS = Path(__file__).parents[3] / "src/napari_mrsynth/systems/lesiongan/scans/configs"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("labelled"))


@pytest.fixture
def config(cohort: Path, tmp_path: Path) -> Path:
    network = {"name": "lesion-scans", "contrasts": ["T1w", "FLAIR"], "classes": [1, 2], "widths": [8, 16]}
    plain = settings(
        "lesion-scans", cohort, tmp_path / "run", network=network, objective={"scheme": "1ECL+nDCL"}
    )
    plain["optim"] = {"steps": 4, "batch": 2, "crop": 24, "ema": 0.9, "warmup": 2, "clip": 1.0}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(plain), encoding="utf-8")
    return path


def test_a_training_ends_in_a_bundle_that_makes_and_translates(config):
    result = train(config)
    bundle = Bundle.open(result.bundle)
    assert set(bundle.card.results["nmse"]) == {"T1w>FLAIR", "FLAIR>T1w"}
    assert not [name for name in bundle.state() if "critic" in name or "segmenter" in name]
    predictor = load_predictor(bundle)
    assert isinstance(predictor, ScansPredictor)
    brain = np.ones((1, 16, 16), np.uint8)
    made = predictor.make(brain, brain * 2, brain, predictor.outputs)
    assert set(made) == {"T1w", "FLAIR"}
    code = predictor.encode("T1w", torch.rand(1, 1, 16, 16))
    assert predictor.decode({"T1w": code}, ["FLAIR"])["FLAIR"].shape == (1, 16, 16)


def test_an_interrupted_training_ends_with_the_same_weights_of_all(config, tmp_path):
    whole = train(config, [f"run.folder={tmp_path / 'whole'}"])

    class StopError(Exception):
        pass

    def stop(progress):
        if "step 3 " in progress.message:
            raise StopError

    parts = [f"run.folder={tmp_path / 'parts'}"]
    with pytest.raises(StopError):
        train(config, parts, report=stop)
    train(config, parts)
    first, second = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for folder in (whole.folder, tmp_path / "parts")
    )
    assert any("critics.segmenters" in name for name in first)
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=1e-4, atol=1e-5, msg=name)


def test_a_contrast_that_patients_lack_is_refused(config):
    with pytest.raises(ConfigError, match="makes DWI, which the patients do not have"):
        train(config, ["network.contrasts=[T1w, DWI]"])


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_configurations_build_at_their_crop(path):
    settled = load_config(path)
    with torch.device("meta"):
        system = training_system(settled, [1.0] * 4)
    assert settled.optim.crop % system.network.multiple == 0
    count = sum(p.numel() for p in system.network.parameters())
    assert (count < 1_500_000) is (path.stem != "paper")
