"""The direct networks: they learn, need all their inputs, and one of them knows where a voxel lies."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from napari_mrsynth.errors import BundleError, ContrastError
from napari_mrsynth.networks.registry import build
from napari_mrsynth.systems.direct.module import DirectTraining
from napari_mrsynth.systems.direct.network import LOCATION
from napari_mrsynth.systems.direct.predictor import DirectPredictor
from napari_mrsynth.systems.segmenter.module import SegmenterTraining
from napari_mrsynth.training.config import DataConfig
from napari_mrsynth.training.prepared import prepare_all
from napari_mrsynth.training.registry import measured
from napari_mrsynth.training.subjects import Subject
from phantoms import brain_study, patient_folder

CONTRASTS = ("T1w", "FLAIR", *LOCATION)
SPECS = {
    "lsdn": {"name": "lsdn", "inputs": ["T1w", *LOCATION], "outputs": ["FLAIR"], "units": [16, 8]},
    "dedis": {"name": "dedis", "inputs": ["T1w"], "outputs": ["FLAIR"], "widths": [4, 8]},
}


def network(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return build(name, {key: value for key, value in SPECS[name].items() if key != "name"})


def slices(count: int, planes: int, size: int = 16) -> Tensor:
    """Random contrasts, and where each voxel lies."""
    generator = torch.Generator().manual_seed(1)
    found = torch.rand(count, len(CONTRASTS), planes, size, size, generator=generator)
    ramp = torch.linspace(0, 1, size)
    found[:, 3] = ramp[:, None]
    found[:, 4] = ramp
    return found


@pytest.mark.parametrize("name", SPECS)
def test_the_training_step_learns_what_depends_on_the_input(name):
    torch.manual_seed(0)
    system = DirectTraining(SPECS[name], CONTRASTS, {"squared": 1.0}, [1.0] * 5)
    inputs = slices(4, 1 + 2 * system.neighbours)
    truth = inputs[:, :, inputs.shape[2] // 2].clone()
    truth[:, 1] = torch.nn.functional.avg_pool2d(truth[:, 0], 3, 1, 1) * 2
    mask = torch.ones(4, 16, 16, dtype=torch.bool)
    optimiser = torch.optim.Adam(system.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        loss = system.cost(inputs, truth, mask, torch.Generator())["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_the_location_sensitive_network_tells_places_apart_that_look_alike():
    system = DirectTraining(SPECS["lsdn"], CONTRASTS, {}, [1.0] * 5)
    inputs = slices(2, 3)
    inputs[:, 0] = 0.5  # the same everywhere
    truth = inputs[:, :, 1].clone()
    truth[:, 1] = 2 * truth[:, 4]  # rises to the right
    optimiser = torch.optim.Adam(system.parameters(), lr=1e-2)
    for _ in range(80):
        loss = system.cost(inputs, truth, torch.ones(2, 16, 16, dtype=torch.bool), torch.Generator())["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1 * truth[:, 1].var().item()


def test_only_the_brain_counts_where_that_is_asked_for():
    system = DirectTraining(SPECS["dedis"], CONTRASTS, {"brain_only": True}, [1.0] * 5)
    inputs = slices(1, 1)
    mask = torch.zeros(1, 16, 16, dtype=torch.bool)
    mask[:, 4:9] = True
    truth = inputs[:, :, 0].clone()
    first = system.cost(inputs, truth, mask, torch.Generator())["loss"]
    truth[:, 1, 12:] += 100
    torch.testing.assert_close(system.cost(inputs, truth, mask, torch.Generator())["loss"], first)


@pytest.mark.parametrize("name", SPECS)
def test_the_predictor_makes_the_output_from_all_inputs_in_any_order(name):
    predictor = DirectPredictor(network(name))
    given = slices(3, 1 + 2 * predictor.neighbours)
    latents = {c: predictor.encode(c, given[:, CONTRASTS.index(c)]) for c in predictor.inputs}
    made = predictor.decode(latents, ["FLAIR"])["FLAIR"]
    assert made.shape == (3, 16, 16)
    turned = dict(reversed(latents.items()))
    assert torch.equal(predictor.decode(turned, ["FLAIR"])["FLAIR"], made)


def test_a_missing_input_is_refused_by_name():
    predictor = DirectPredictor(network("lsdn"))
    with pytest.raises(ContrastError, match="cannot do without at-S, at-A, at-R"):
        predictor.decode({"T1w": torch.zeros(1, 3, 16, 16)}, ["FLAIR"])
    with pytest.raises(ContrastError, match="which scan"):
        predictor.sources({})


def test_a_network_of_two_inputs_is_measured_on_both_of_them_only(tmp_path):
    study = brain_study(("T1w", "T2w", "FLAIR"), shape=(24, 28, 12), spacing=(6, 6, 11), name="sub-01")
    folder = patient_folder(tmp_path / "sub-01", study)
    data = DataConfig(
        str(tmp_path), contrasts=("T1w", "T2w", "FLAIR"), spacing_mm=6.0, cache=str(tmp_path / "prepared")
    )
    patients, _ = prepare_all([Subject("sub-01", folder)], data)
    two = build("dedis", {"inputs": ["T1w", "T2w"], "outputs": ["FLAIR"], "widths": [4, 8]})
    assert list(measured("direct", two, patients)["nmse"]) == ["T1w+T2w>FLAIR"]


def test_a_location_sensitive_network_without_a_location_is_refused():
    with pytest.raises(BundleError, match="needs a contrast and the inputs at-S"):
        build("lsdn", {"inputs": ["T1w"], "outputs": ["FLAIR"]})


def test_the_network_of_another_system_is_refused_by_name():
    with pytest.raises(TypeError, match="'lsdn' is a LocationSensitive, where a SegmenterNetwork is needed"):
        SegmenterTraining(SPECS["lsdn"], CONTRASTS, {}, [1.0] * 5)
