"""The random anatomy that ships: found, small, brains of one size of head that differ from seed to seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_mrsynth.bundles import BundleStore
from napari_mrsynth.generation import RandomAnatomy, anatomy_bundle

MODELS = Path(__file__).parents[2] / "models"
SEEDS = range(6)


@pytest.fixture(scope="module")
def found():
    drawer = RandomAnatomy(anatomy_bundle(BundleStore([MODELS])), "cpu")
    return [drawer.draw(seed) for seed in SEEDS]


def test_it_is_a_few_megabytes():
    bundle = anatomy_bundle(BundleStore([MODELS]))
    assert (bundle.folder / "model.safetensors").stat().st_size < 4e6
    assert bundle.card.results["drawn"] >= 200


def test_every_seed_passes_the_filter_and_draws_a_brain_of_the_size_of_a_head(found):
    for each in found:
        made = each.structure_map()
        assert each.anatomy.record["accepted"], each.told
        assert 9_000 < np.count_nonzero(made.brain.array) < 24_000  # mm², about the largest axial slices
        assert 0.05 < made.edge_share < 0.6
        assert made.brain.array[made.structure.array > 0].all()


def test_the_brain_is_one_piece_about_as_symmetric_as_a_head(found):
    from scipy import ndimage

    for each in found:
        brain = each.structure_map().brain.array[:, :, 0] > 0
        labelled, _ = ndimage.label(brain)
        assert np.bincount(labelled.ravel())[1:].max() > 0.98 * brain.sum()
        middle = round(ndimage.center_of_mass(brain)[0])
        side = min(middle, len(brain) - 1 - middle)
        centred = brain[middle - side : middle + side + 1]
        both = 2 * (centred & centred[::-1]).sum() / (2 * centred.sum())
        assert both > 0.85


def test_seeds_draw_different_brains(found):
    maps = [each.structure_map().structure.array > 0 for each in found]
    for index, first in enumerate(maps):
        for other in maps[index + 1 :]:
            assert 2 * (first & other).sum() / (first.sum() + other.sum()) < 0.95
