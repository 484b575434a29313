"""Crops and their random changes: repeatable by number, inside the brain, inputs and targets apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_mrsynth.errors import ConfigError
from napari_mrsynth.training.augment import move, repaint
from napari_mrsynth.training.config import AugmentConfig
from napari_mrsynth.training.crops import Crops, share, usable_slices
from napari_mrsynth.training.prepared import Prepared


@pytest.fixture
def patient(tmp_path: Path) -> Prepared:
    folder = tmp_path / "p"
    folder.mkdir()
    depth, height, width = np.meshgrid(np.arange(20), np.arange(50), np.arange(40), indexing="ij")
    code = (depth * 10_000 + height * 100 + width).astype(np.float32)
    mask = np.zeros(code.shape, bool)
    mask[3:-3, 5:-5, 5:-5] = True
    np.save(folder / "volumes.npy", np.stack([depth, height, width]).astype(np.float16) * mask)
    np.save(folder / "mask.npy", mask)
    meta = {"contrasts": ["S", "A", "R"], "fingerprints": {"S": "1", "A": "2", "R": "3"}}
    (folder / "meta.json").write_text(json.dumps(meta))
    return Prepared("p", folder)


def test_a_crop_depends_on_the_seed_and_its_number_only(patient):
    first, again = Crops([patient], 50, 24, 1, seed=3), Crops([patient], 99, 24, 1, seed=3)
    assert torch.equal(first[17]["slices"], again[17]["slices"])
    assert not torch.equal(first[17]["slices"], first[18]["slices"])
    assert not torch.equal(first[17]["slices"], Crops([patient], 50, 24, 1, seed=4)[17]["slices"])


def test_the_middle_plane_is_the_one_the_mask_belongs_to_and_its_neighbours_lie_on_either_side(patient):
    for index in range(20):
        item = Crops([patient], 20, 24, 1, seed=0)[index]
        depth, inside = item["slices"][0], item["mask"]
        assert inside.any()
        plane = depth[1][inside]
        assert len(plane.unique()) == 1
        below, above = depth[0][inside], depth[2][inside]
        assert set((plane - below).unique().tolist()) <= {1.0, float(plane[0])}  # 0 beyond the brain
        assert set((above - plane).unique().tolist()) <= {1.0, -float(plane[0])}


def test_slices_with_little_brain_can_be_left_out(patient):
    mask = vars(patient)["mask"] = np.array(patient.mask)
    mask[:, 5:] &= np.arange(20)[:, None, None] < 12
    assert usable_slices(patient).tolist() == [*range(3, 12)]
    mask[3, 20:] = False
    assert usable_slices(patient, 0.6).tolist() == [*range(4, 12)]


def test_a_crop_larger_than_the_volume_is_padded_with_background(patient):
    item = Crops([patient], 5, 64, 0, seed=0)[0]
    assert item["slices"].shape == (3, 1, 64, 64)
    assert item["mask"].shape == (64, 64)
    assert (item["slices"][:, 0][:, ~item["mask"]] == 0).all()


def test_geometry_moves_all_contrasts_and_the_mask_alike():
    rng = torch.Generator().manual_seed(0)
    image = torch.zeros(6, 1, 1, 32, 32)
    image[..., 6:26, 8:20] = 1
    image = image.repeat(1, 3, 2, 1, 1)
    moved, mask = move(image, image[:, 0, 0] > 0, AugmentConfig(turn=1.0), rng)
    assert not torch.equal(moved, image)
    torch.testing.assert_close(moved[:, 0], moved[:, 2])
    assert (moved[:, 0, 0][mask] > 0.99).all()
    assert mask.sum() > 0.7 * (image[:, 0, 0] > 0).sum()


def test_without_geometry_nothing_moves():
    image = torch.rand(2, 3, 1, 16, 16)
    config = AugmentConfig(flip=0, turn=0)
    moved, mask = move(image, image[:, 0, 0] > 0, config, torch.Generator().manual_seed(0))
    assert torch.equal(moved, image)
    assert mask.all()


def test_a_mirror_swaps_left_and_right_only():
    image = torch.arange(8.0).repeat(1, 2, 1, 8, 1)
    config = AugmentConfig(flip=1.0, turn=0)
    moved, _ = move(image, image[:, 0, 0] > 0, config, torch.Generator().manual_seed(0))
    assert torch.equal(moved, image.flip(-1))


def test_new_intensities_leave_the_background_at_zero_and_differ_between_crops():
    x = torch.rand(4, 3, 32, 32) + 0.5
    x[..., :8] = 0
    painted = repaint(x, AugmentConfig(intensity=1.0), torch.Generator().manual_seed(0))
    assert (painted[..., :8] == 0).all()
    change = (painted / x)[..., 8:]
    assert all(not torch.allclose(change[0], other) for other in change[1:])
    assert torch.equal(repaint(x, AugmentConfig(intensity=0.0), torch.Generator().manual_seed(0)), x)


@pytest.mark.parametrize("world", [1, 2, 4])
def test_processes_share_every_step_and_no_crop_is_drawn_twice(world):
    shares = [share(40, 3, 8, rank, world) for rank in range(world)]
    assert {len(numbers) for numbers in shares} == {24 // world}
    assert sorted(n for numbers in shares for n in numbers) == list(range(40, 64))
    each = 8 // world
    for step in range(3):
        together = {n for numbers in shares for n in numbers[step * each : (step + 1) * each]}
        assert together == set(range(40 + 8 * step, 48 + 8 * step))


def test_a_batch_that_cannot_be_shared_evenly_is_refused():
    with pytest.raises(ConfigError, match=r"optim\.batch is 8, which 3 processes"):
        share(0, 1, 8, 0, 3)
