"""The segmenter: it learns, sees only the brain, does without contrasts where it may, refuses the rest."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_mrsynth.errors import BundleError, ContrastError, GridError
from napari_mrsynth.networks.registry import build
from napari_mrsynth.systems.segmenter.module import SegmenterTraining, one_hot, without_some
from napari_mrsynth.systems.segmenter.network import SegmenterNetwork
from napari_mrsynth.systems.segmenter.objective import Objective, cross_entropy, soft_dice, squared_difference
from napari_mrsynth.systems.segmenter.overlap import dice, label_value_dice
from napari_mrsynth.systems.segmenter.predictor import SegmenterPredictor

CONTRASTS = ("T1w", "T2w", "FLAIR")
SPEC = {"name": "segmenter", "inputs": ["T1w", "FLAIR"], "classes": [1, 4], "widths": [8, 8]}


def network(**changes: object) -> SegmenterNetwork:
    torch.manual_seed(0)
    params = {**SPEC, **changes}
    built = build(str(params.pop("name")), params)
    assert isinstance(built, SegmenterNetwork)
    return built


def batch(count: int = 3, size: int = 32) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs with class indicators appended, truth, and mask: class 1 is bright in FLAIR, 4 in T1w."""
    generator = torch.Generator().manual_seed(1)
    contrasts = 1 + 0.1 * torch.rand(count, 3, 3, size, size, generator=generator)
    marks = torch.zeros(count, 2, 3, size, size)
    marks[:, 0, :, 6:14, 8:18] = 1
    marks[:, 1, :, 18:26, 12:20] = 1
    contrasts[:, 2] += marks[:, 0]
    contrasts[:, 0] += marks[:, 1]
    mask = torch.zeros(count, size, size, dtype=torch.bool)
    mask[:, 3:29, 2:30] = True
    contrasts = contrasts * mask[:, None, None]
    inputs = torch.cat([contrasts, marks], dim=1)
    return inputs, inputs[:, :, 1].clone(), mask


def trained(steps: int, **objective: float) -> tuple[SegmenterTraining, list[float]]:
    torch.manual_seed(0)
    system = SegmenterTraining(SPEC, CONTRASTS, objective, [1.0] * 3)
    optimiser = torch.optim.AdamW(system.parameters(), lr=5e-3)
    losses = []
    for step in range(steps):
        loss = system.cost(*batch(), torch.Generator().manual_seed(step))["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return system, losses


def test_the_training_step_learns_which_class_is_where():
    system, losses = trained(60)
    assert losses[-1] < 0.3 * losses[0]
    inputs, truth, mask = batch()
    found = SegmenterPredictor(system.network).segment({"T1w": inputs[:, 0], "FLAIR": inputs[:, 2]})
    wanted = truth[:, 3] + 4 * truth[:, 4]
    assert (found == wanted)[mask].float().mean() > 0.98
    assert set(found.unique().tolist()) == {0, 1, 4}


def test_the_published_objective_falls_too():
    _, losses = trained(30, dice=0.0, cross_entropy=0.0, squared=1.0)
    assert losses[-1] < 0.5 * losses[0]


def test_the_indicators_of_the_classes_are_not_an_input():
    system = SegmenterTraining(SPEC, CONTRASTS, {}, [1.0] * 3)
    inputs, truth, mask = batch()
    first = system.cost(inputs, truth, mask, torch.Generator())["loss"]
    inputs[:, 3:] = 7.0
    assert torch.equal(system.cost(inputs, truth, mask, torch.Generator())["loss"], first)


def test_nothing_outside_the_brain_counts():
    system = SegmenterTraining(SPEC, CONTRASTS, {"squared": 1.0}, [1.0] * 3).eval()
    inputs, truth, mask = batch()
    first = system.cost(inputs, truth, mask, torch.Generator())["loss"]
    truth[:, 3, :2] = 1
    assert torch.equal(system.cost(inputs, truth, mask, torch.Generator())["loss"], first)


def test_a_whole_slice_is_segmented_like_a_crop_of_it():
    predictor = SegmenterPredictor(network())
    brain = torch.zeros(1, 3, 64, 64)
    brain[:, :, 20:40, 24:44] = 1 + torch.rand(20, 20, generator=torch.Generator().manual_seed(0))
    whole = predictor.probabilities({"T1w": brain, "FLAIR": brain})
    crop = brain[..., 16:48, 16:48]
    part = predictor.probabilities({"T1w": crop, "FLAIR": crop})
    torch.testing.assert_close(whole[..., 16:48, 16:48], part, rtol=1e-4, atol=1e-5)
    assert (whole[:, 0][brain[:, 1] == 0] == 1).all()


def test_one_contrast_stays_when_all_are_left_out_and_none_is_left_out_without_drop():
    slices = torch.ones(50, 4, 3, 2, 2)
    rng = torch.Generator().manual_seed(0)
    left = without_some(slices, 1.0, rng)[:, :, 0, 0, 0].sum(dim=1)
    assert (left == 1).all()
    assert torch.equal(without_some(slices, 0.0, rng), slices)


def test_blended_indicators_become_one_class_per_voxel():
    marks = torch.tensor([[0.0, 0.4, 0.6, 0.1], [0.0, 0.3, 0.4, 0.7]])[None, :, None]
    chosen = one_hot(marks).argmax(dim=1).flatten().tolist()
    assert chosen == [0, 1, 1, 2]
    assert torch.equal(one_hot(marks).sum(dim=1), torch.ones(1, 1, 4))


def test_the_losses_are_what_their_equations_say():
    truth = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])[None]
    inside = torch.ones(1, 1, 1, 2)
    even = torch.full_like(truth, 0.5)
    assert soft_dice(truth, truth, inside) == 0
    assert soft_dice(even, truth, inside).item() == pytest.approx(1 - (2 * 0.5 + 1) / (1 + 1 + 1))
    assert cross_entropy(even.log(), truth, inside).item() == pytest.approx(np.log(2))
    assert squared_difference(even, truth, inside).item() == pytest.approx(0.25)
    with pytest.raises(ValueError, match="drop is 2"):
        Objective(drop=2)


def test_a_patient_is_segmented_on_any_grid_and_a_missing_contrast_is_refused_by_name():
    predictor = SegmenterPredictor(network())
    volume = np.ones((5, 19, 22), np.float16)
    labels = predictor.segment_volume({"T1w": volume, "FLAIR": volume, "DWI": volume}, batch=2)
    assert labels.shape == (5, 19, 22)
    assert labels.dtype == np.uint8
    with pytest.raises(ContrastError, match="cannot do without FLAIR"):
        predictor.segment_volume({"T1w": volume})
    with pytest.raises(ContrastError, match="None of T1w, FLAIR"):
        predictor.segment_volume({"DWI": volume})
    with pytest.raises(GridError, match=r"FLAIR \(4, 19, 22\)"):
        predictor.segment_volume({"T1w": volume, "FLAIR": volume[:4]})


def test_a_network_trained_for_it_does_without_contrasts():
    predictor = SegmenterPredictor(network(any_subset=True))
    volume = np.ones((3, 16, 16), np.float32)
    absent = np.zeros_like(volume)
    alone = predictor.segment_volume({"FLAIR": volume})
    assert np.array_equal(alone, predictor.segment_volume({"FLAIR": volume, "T1w": absent}))


@pytest.mark.parametrize("classes", [[], [1, 1], [0, 1], [300]])
def test_impossible_classes_are_refused(classes):
    with pytest.raises(BundleError, match="numbers from 1 to 255"):
        network(classes=classes)


def test_dice_counts_voxels_per_class_and_the_published_measure_counts_class_numbers():
    truth = np.zeros((2, 2, 2), np.uint8)
    truth[0, 0] = [1, 4]
    found = truth.copy()
    found[0, 0, 1] = 1  # the wrong class
    figures = dice(found, truth, [1, 2, 4])
    assert figures == {"label-1": pytest.approx(2 / 3), "label-2": None, "label-4": 0.0, "lesion": 1.0}
    assert label_value_dice(found, truth) == pytest.approx(2 * (1 + 4) / (2 + 17))
    assert label_value_dice(np.zeros_like(truth), np.zeros_like(truth)) is None
    with pytest.raises(GridError):
        dice(found[:1], truth, [1])
