"""The published configurations: networks of the paper's size, and the paper's cost term by term."""

from __future__ import annotations

from importlib.resources import files

import pytest
import torch
from torch import Tensor

from napari_mrsynth.systems.anysubset.module import AnySubsetTraining
from napari_mrsynth.training.config import TrainConfig, load_config

CONFIGS = files("napari_mrsynth.systems.anysubset") / "configs"
NAMES = ("joyce-unimodal", "joyce-missing", "joyce-misaligned")
ENCODER, DECODER = 521_744, 37_073


def config(name: str) -> TrainConfig:
    return load_config(str(CONFIGS / f"{name}.yaml"))


def training(name: str) -> AnySubsetTraining:
    torch.manual_seed(0)
    given = config(name)
    return AnySubsetTraining(
        given.network, given.data.contrasts, given.objective, [1.0] * len(given.data.contrasts)
    )


def batch(system: AnySubsetTraining, size: int = 16) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    slices = torch.rand(2, len(system.contrasts), 1, size, size, generator=generator)
    return slices, slices[:, :, 0], torch.ones(2, size, size, dtype=torch.bool)


@pytest.mark.parametrize("name", NAMES)
def test_the_networks_have_the_published_size(name):
    network = training(name).network
    found = [sum(p.numel() for p in part.parameters()) for part in (network.encoders, network.decoders)]
    assert found == [len(network.inputs) * ENCODER, DECODER]
    assert (network.aligner is not None) == (name == "joyce-misaligned")
    assert network.fusion == "max"


@pytest.mark.parametrize("name", NAMES)
def test_the_optimiser_is_the_published_one(name):
    optim = config(name).optim
    assert (optim.lr, optim.batch, optim.weight_decay, optim.ema, optim.clip) == (1e-4, 32, 0.0, 0.0, 0.0)
    assert not optim.cosine


@pytest.mark.parametrize("name", ["joyce-missing", "joyce-misaligned"])
def test_the_cost_is_the_sum_of_the_papers_three_terms(name):
    system = training(name)
    slices, truth, mask = batch(system)
    network = system.network
    wanted = truth[:, [system.contrasts.index("FLAIR")]]
    latents = network.align([network.encode(c, slices[:, system.contrasts.index(c)]) for c in network.inputs])
    fused = (network.decode(torch.stack(latents).amax(dim=0)) - wanted).abs().mean()
    single = sum((network.decode(z) - wanted).abs().mean() for z in latents)
    variance = torch.stack(latents).var(dim=0, unbiased=False).mean()
    terms = system.cost(slices, truth, mask, torch.Generator())
    torch.testing.assert_close(terms["loss"], fused + single + variance, rtol=1e-4, atol=1e-5)


def test_known_motions_are_a_term_of_their_own_for_the_rigid_transformer_only():
    spec = {"name": "anysubset", "inputs": ["T1w", "T2w"], "outputs": ["FLAIR"], "aligned": True}
    contrasts, objective = ("T1w", "T2w", "FLAIR"), {"equivariance": 0.5}
    torch.manual_seed(0)
    system = AnySubsetTraining({**spec, "aligner": "rigid"}, contrasts, objective, [1.0] * 3)
    terms = system.cost(*batch(system), torch.Generator().manual_seed(1))
    parts = terms["fused"] + terms["individual"] + terms["variance"] + 0.5 * terms["equivariance"]
    torch.testing.assert_close(terms["loss"], parts)
    assert terms["equivariance"] > 0
    with pytest.raises(ValueError, match="aligner: rigid"):
        AnySubsetTraining(spec, contrasts, objective, [1.0] * 3)


def test_background_counts_in_the_published_cost():
    system = training("joyce-missing")
    slices, truth, mask = batch(system)
    whole = system.cost(slices, truth, mask, torch.Generator())["loss"]
    empty = system.cost(slices, truth, torch.zeros_like(mask), torch.Generator())["loss"]
    torch.testing.assert_close(whole, empty)
