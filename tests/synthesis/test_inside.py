"""What is shown of a synthesis' inside is what the synthesis itself computes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bad.models import tiny_model
from napari_mrsynth.bundles import Bundle, BundleStore, save_bundle
from napari_mrsynth.errors import BundleError, ContrastError, InputError
from napari_mrsynth.synthesis import Engine, Request
from napari_mrsynth.synthesis.inside import ALL, look_inside
from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork
from phantoms import brain_study
from synthesis.fakes import FakePredictor, fake_engine

SLICE = 16


@pytest.fixture(scope="module")
def study():
    """On the model's own voxel size, so that nothing is interpolated."""
    return brain_study(("T1w", "T2w"), spacing=(4.0, 4.0, 4.0), codes="LPS")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return Engine(BundleStore([tiny_model(tmp_path_factory.mktemp("inside")).parent]))


@pytest.fixture(scope="module")
def moving_engine(tmp_path_factory):
    """Of a model whose spatial transformer has learnt to move what it is given."""
    folder = tmp_path_factory.mktemp("moving")
    source = Bundle.open(tiny_model(folder))
    settings = {**source.card.network, "aligned": True}
    torch.manual_seed(1)
    network = AnySubsetNetwork(**{key: value for key, value in settings.items() if key != "name"})
    network.load_state_dict(source.state(), strict=False)
    with torch.no_grad():
        network.aligner.to_affine.bias += torch.tensor([0.02, 0.1, 0.25, -0.1, 0.03, -0.2])
    save_bundle(folder / "moved" / "tiny", replace(source.card, network=settings), network.state_dict())
    return Engine(BundleStore([folder / "moved"]))


def request_of(*used):
    return Request(("FLAIR",), used, device="cpu", precision="fp32")


def test_each_decoding_is_the_synthesis_from_that_input_alone(engine, study):
    inside = look_inside(engine, study, request_of("T1w", "T2w"), SLICE)
    assert set(inside.decodings["FLAIR"]) == {"T1w", "T2w", ALL}
    whole = engine.preview(study, request_of("T1w", "T2w"), SLICE)["FLAIR"]
    np.testing.assert_allclose(inside.decodings["FLAIR"][ALL], whole, rtol=1e-4, atol=1e-3)
    alone = engine.preview(study, request_of("T1w"), SLICE)["FLAIR"]
    np.testing.assert_allclose(inside.decodings["FLAIR"]["T1w"], alone, rtol=1e-4, atol=1e-3)
    assert not np.allclose(inside.decodings["FLAIR"]["T2w"], alone)


def test_the_fused_latent_is_the_maximum_of_the_inputs_latents(engine, study):
    inside = look_inside(engine, study, request_of("T1w", "T2w"), SLICE)
    assert set(inside.latents) == {"T1w", "T2w"}
    first, second = inside.latents.values()
    assert first.shape == second.shape == inside.fused.shape
    assert first.shape[1:] == study.grid.display.shape[1:]
    assert first.any()
    np.testing.assert_allclose(inside.fused, np.maximum(first, second), rtol=1e-3, atol=1e-3)


def test_the_source_map_is_that_of_the_whole_synthesis(engine, study):
    inside = look_inside(engine, study, request_of("T1w", "T2w"), SLICE)
    steps = engine.run(study, replace(request_of("T1w", "T2w"), source_map=True))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            whole = end.value.source_map.display[SLICE]
            break
    np.testing.assert_array_equal(inside.sources, whole)
    assert set(np.unique(inside.sources)) == {0, 1, 2}


@pytest.mark.parametrize("used", [("T1w", "T2w"), ("T2w", "T1w")])
def test_the_latents_shown_are_those_that_were_decoded_whatever_the_order(
    moving_engine, study, used, monkeypatch
):
    decoded = []

    def fused_parts(network, latents):
        decoded.append([network.unpacked(z) for z in latents])
        return network.fuse(latents)

    monkeypatch.setattr(AnySubsetNetwork, "fused_parts", fused_parts)
    inside = look_inside(moving_engine, study, request_of(*used), SLICE)
    assert tuple(inside.latents) == used
    [both] = [latents for latents in decoded if len(latents) == 2]
    for shown, z in zip(inside.latents.values(), both, strict=True):
        brain = shown[:, shown.any(axis=0)]
        assert brain.any()
        assert np.isin(brain, z.numpy()).all()  # nothing is interpolated


def test_the_latent_that_the_others_are_aligned_to_is_shown_as_it_is(moving_engine, study):
    both = look_inside(moving_engine, study, request_of("T2w", "T1w"), SLICE)
    for contrast, moves in (("T1w", False), ("T2w", True)):  # the model names T1w first
        alone = look_inside(moving_engine, study, request_of(contrast), SLICE)
        assert np.allclose(both.latents[contrast], alone.latents[contrast]) != moves
    votes = [np.argmax(list(both.latents.values()), axis=0) == index for index in (0, 1)]
    winner = 1 + np.sum(votes, axis=1).argmax(axis=0)
    inside = both.sources > 0
    assert np.mean(winner[inside] == both.sources[inside]) > 0.99


@pytest.mark.parametrize("index", [-3, 0, 400])
def test_a_slice_without_brain_is_refused(engine, study, index):
    with pytest.raises(InputError, match=f"slice {index} shows no brain"):
        look_inside(engine, study, request_of("T1w"), index)


def test_what_cannot_be_synthesised_cannot_be_looked_into(engine, study):
    with pytest.raises(ContrastError, match="No input"):
        look_inside(engine, study, request_of(), SLICE)


def test_a_system_without_latents_says_so(tmp_path, study):
    engine = fake_engine(tmp_path, FakePredictor())
    with pytest.raises(BundleError, match="no latents to show"):
        look_inside(engine, study, request_of("T1w"), SLICE)
