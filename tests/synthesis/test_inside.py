"""What is shown of a synthesis' inside is what the synthesis itself computes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bad.models import tiny_model
from napari_mrsynth.bundles import BundleStore
from napari_mrsynth.errors import BundleError, ContrastError, InputError
from napari_mrsynth.synthesis import Engine, Request
from napari_mrsynth.synthesis.inside import ALL, look_inside
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
