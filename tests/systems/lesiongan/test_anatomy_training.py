"""Random anatomy trained from patient folders: a bundle that draws, exact resume, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from lesion_cohort import settings, write_cohort
from napari_mrsynth.bundles import Bundle
from napari_mrsynth.errors import ConfigError
from napari_mrsynth.systems.lesiongan.anatomy.predictor import AnatomyPredictor
from napari_mrsynth.training.adversarial import BETAS
from napari_mrsynth.training.config import load_config
from napari_mrsynth.training.material import gather
from napari_mrsynth.training.registry import loop_for, training_system
from napari_mrsynth.training.run import train

CONFIGS = Path(__file__).parents[3] / "src/napari_mrsynth/systems/lesiongan/anatomy/configs"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("labelled"))


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
    plain = settings("anatomy", cohort, tmp_path / "run", network=network, objective={"classes": [1, 2]})
    plain["optim"] = {"steps": 6, "batch": 2, "crop": 40, "ema": 0.9, "warmup": 2, "clip": 1.0}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(plain), encoding="utf-8")
    return path


def weights(bundle: Path) -> dict[str, torch.Tensor]:
    return Bundle.open(bundle).state()


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
    whole = train(config, [f"run.folder={tmp_path / 'whole'}"])

    class StopError(Exception):
        pass

    def stop(progress):
        if "step 5 " in progress.message:
            raise StopError

    parts = [f"run.folder={tmp_path / 'parts'}"]
    with pytest.raises(StopError):
        train(config, parts, report=stop)
    train(config, parts)
    first, second = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for folder in (whole.folder, tmp_path / "parts")
    )
    assert any("critics" in name for name in first)
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=1e-4, atol=1e-5, msg=name)


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
