"""Random anatomy trained from patient folders: a bundle that draws, exact resume, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lesion_cohort import last_weights, require_same, whole_and_in_parts, write_settings
from napari_mrsynth.bundles import Bundle
from napari_mrsynth.errors import ConfigError
from napari_mrsynth.systems.lesiongan.anatomy.predictor import AnatomyPredictor
from napari_mrsynth.training.adversarial import BETAS
from napari_mrsynth.training.config import load_config
from napari_mrsynth.training.material import gather
from napari_mrsynth.training.registry import loop_for, training_system
from napari_mrsynth.training.run import train

CONFIGS = Path(__file__).parents[3] / "src/napari_mrsynth/systems/lesiongan/anatomy/configs"


@pytest.fixture
def config(cohort: Path, tmp_path: Path) -> Path:
    network = {
        "name": "anatomy",
        "inputs": ["T1w", "FLAIR"],
        "size": [40, 40],
        "code": 4,
        "widths": [8, 8, 8],
        "mask_widths": [8, 8, 8],
        "squeeze": 4,
    }
    optim = {"steps": 6, "crop": 40, "clip": 1.0}
    return write_settings("anatomy", cohort, tmp_path, optim, network=network, objective={"classes": [1, 2]})


def test_a_training_ends_in_a_bundle_that_draws_from_a_seed_and_holds_no_critic(config):
    result = train(config)
    bundle = Bundle.open(result.bundle)
    assert bundle.card.outputs == ("structure", "brain")
    assert 0 <= bundle.card.results["rebuilt_f1"]["p2"] <= 1
    assert 0 <= bundle.card.results["acceptance_rate"] <= 1
    assert not [name for name in bundle.state() if "critic" in name]
    drawn = [AnatomyPredictor.from_bundle(bundle).draw(7, attempts=2) for _ in range(2)]
    assert drawn[0].structure.shape == (40, 40)
    assert np.array_equal(drawn[0].structure, drawn[1].structure)


def test_an_interrupted_training_ends_with_the_same_weights_on_both_sides(config, tmp_path):
    whole, parts = (last_weights(run) for run in whole_and_in_parts(config, tmp_path, 5))
    assert any("critics" in name for name in whole)
    require_same(whole, parts)


def test_both_sides_are_clipped_apart_and_share_the_published_momentum(config):
    settled = load_config(config)
    material = gather(settled.data)
    loop = loop_for(settled, training_system(settled, [1.0, 1.0]), material.patients)
    optimiser = loop.configure_optimizers()["optimizer"]
    assert {group["betas"] for group in optimiser.param_groups} == {BETAS}
    generator, critic = (next(side.parameters()) for side in (loop.system.network, loop.system.critics))
    generator.grad, critic.grad = torch.full_like(generator, 1e-3), torch.full_like(critic, 1e6)
    loop.configure_gradient_clipping(optimiser, 1.0)
    torch.testing.assert_close(generator.grad, torch.full_like(generator, 1e-3))
    assert critic.grad.norm() == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize(
    ("setting", "said"), [("optim.precision=16-mixed", "loss scale"), ("validation.every=2", "which weights")]
)
def test_what_an_adversarial_training_cannot_do_is_refused(config, setting, said):
    with pytest.raises(ConfigError, match=said):
        train(config, [setting])


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_configurations_build_at_their_crop(path):
    settled = load_config(path)
    with torch.device("meta"):
        system = training_system(settled, [1.0] * 4)
    assert system.network.size == (settled.optim.crop, settled.optim.crop)
    count = sum(p.numel() for p in system.network.parameters())
    assert (count < 1_000_000) is (path.stem == "brain")
