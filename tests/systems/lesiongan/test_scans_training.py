"""Making scans trained from patient folders: a bundle that makes and translates, exact resume, configs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lesion_cohort import last_weights, require_same, whole_and_in_parts, write_settings
from napari_mrsynth.bundles import Bundle
from napari_mrsynth.errors import ConfigError
from napari_mrsynth.systems import load_predictor
from napari_mrsynth.systems.lesiongan.scans.predictor import ScansPredictor
from napari_mrsynth.training.config import load_config
from napari_mrsynth.training.registry import training_system
from napari_mrsynth.training.run import train

CONFIGS = Path(__file__).parents[3] / "src/napari_mrsynth/systems/lesiongan/scans/configs"


@pytest.fixture
def config(cohort: Path, tmp_path: Path) -> Path:
    network = {"name": "lesion-scans", "contrasts": ["T1w", "FLAIR"], "classes": [1, 2], "widths": [8, 16]}
    optim, objective = {"steps": 4, "crop": 24, "clip": 1.0}, {"scheme": "1ECL+nDCL"}
    return write_settings("lesion-scans", cohort, tmp_path, optim, network=network, objective=objective)


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
    whole, parts = (last_weights(run) for run in whole_and_in_parts(config, tmp_path, 3))
    assert any("critics.segmenters" in name for name in whole)
    require_same(whole, parts)


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
    assert (count < 2_000_000) is (path.stem != "paper")
