"""A bundle's weights: exact where they are small, halved where they are large, and said so on the card."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_mrsynth.bundles import Bundle, Card
from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork
from napari_mrsynth.training.config import CardConfig, DataConfig, TrainConfig
from napari_mrsynth.training.export import export_bundle, stored_state

PARAMS = {
    "inputs": ["T1w", "T2w"],
    "outputs": ["T1w", "T2w"],
    "encoder": "residual",
    "decoder": "residual",
    "fusion": "max-mean-spread",
    "latent": 2,
    "encoder_widths": [4, 4],
    "decoder_widths": [4, 4],
    "norm": True,
}


@pytest.fixture
def network() -> AnySubsetNetwork:
    torch.manual_seed(0)
    return AnySubsetNetwork(**PARAMS)


def test_small_weights_are_stored_exactly(network):
    state, dtype = stored_state(network)
    assert dtype == "float32"
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())


def test_large_weights_halve_their_kernels_and_keep_all_else(network):
    state, dtype = stored_state(network, largest=100)
    assert dtype == "float16"
    for name, value in network.state_dict().items():
        kernel = value.is_floating_point() and value.ndim > 1
        assert state[name].dtype == (torch.float16 if kernel else value.dtype), name
    assert any(not value.is_floating_point() for value in state.values())


def test_the_limit_is_one_megabyte_of_float32():
    assert stored_state(nn.Linear(1000, 249, bias=False))[1] == "float32"
    assert stored_state(nn.Linear(1000, 251, bias=False))[1] == "float16"


def test_halved_weights_load_into_a_float32_network_and_the_card_says_so(tmp_path):
    params = {**PARAMS, "encoder_widths": [160, 224]}
    network = AnySubsetNetwork(**params)
    config = TrainConfig(
        "anysubset", DataConfig("."), {"name": "anysubset", **params}, card=CardConfig("large", "Large")
    )
    folder = export_bundle(tmp_path / "tiny", network, config, [], {}, steps=3)
    card = Card.load(folder)
    assert card.training["weights_dtype"] == "float16"
    assert (folder / "model.safetensors").stat().st_size < 2.1 * card.parameters
    again = AnySubsetNetwork(**params)
    again.load_state_dict(Bundle(card, folder).state())
    assert {value.dtype for value in again.parameters()} == {torch.float32}
    slices = {"T1w": torch.rand(1, 1, 16, 16)}
    torch.testing.assert_close(again.eval()(slices), network.eval()(slices), rtol=0.01, atol=0.01)
