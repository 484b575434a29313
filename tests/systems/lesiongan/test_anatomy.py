"""Random anatomy: what each loss says, who learns from it, what a seed draws, and the traps of the source."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_mrsynth.errors import BundleError
from napari_mrsynth.networks.registry import build
from napari_mrsynth.systems.lesiongan.adversarial import held, straight_through
from napari_mrsynth.systems.lesiongan.anatomy import objective as losses
from napari_mrsynth.systems.lesiongan.anatomy.module import AnatomyTraining
from napari_mrsynth.systems.lesiongan.anatomy.network import AnatomyNetwork, MapCritic, drawn_code
from napari_mrsynth.systems.lesiongan.anatomy.predictor import AnatomyPredictor

SPEC = {"name": "anatomy", "inputs": ["T1w", "FLAIR"], "size": [32, 32], "code": 8, "squeeze": 4}
SMALL = {**SPEC, "widths": [8, 8, 16], "mask_widths": [8, 8, 16]}
CONTRASTS = ("T1w", "FLAIR")
CLASSES = 3


def network(**changes: object) -> AnatomyNetwork:
    torch.manual_seed(0)
    params = {**SMALL, **changes}
    built = build(str(params.pop("name")), params)
    assert isinstance(built, AnatomyNetwork)
    return built


def training(**objective: float) -> AnatomyTraining:
    torch.manual_seed(0)
    return AnatomyTraining(SMALL, CONTRASTS, objective, [1.0] * 2)


def truth(count: int = 4) -> Tensor:
    """Brains of several sizes with a ventricle, in two contrasts, and a lesion of the first class."""
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    made = torch.zeros(count, len(CONTRASTS) + CLASSES, 32, 32)
    for index in range(count):
        apart = ((rows - 16) / (10 + index)) ** 2 + ((columns - 15) / (8 + index)) ** 2
        brain = (apart < 1).float()
        made[index, 0] = brain * (1.2 - 0.4 * (apart < 0.2).float())
        made[index, 1] = brain * (0.8 + 0.5 * (apart < 0.2).float())
        made[index, 2, 12:15, 18:22] = 1
        made[index, :2] += 0.6 * made[index, 2]
    return made


def cost(system: AnatomyTraining, seed: int = 0, images: Tensor | None = None) -> dict[str, Tensor]:
    images = truth() if images is None else images
    rng = torch.Generator().manual_seed(seed)
    return system.cost(images[:, :, None], images, images[:, 0] > 0, rng)


def test_the_map_is_learnt_and_the_mask_with_it():
    system = training()
    optimiser = torch.optim.Adam(system.parameters(), lr=5e-3, betas=(0.5, 0.999))
    first = cost(system)
    for step in range(60):
        optimiser.zero_grad()
        terms = cost(system, step)
        terms["loss"].backward()
        optimiser.step()
    last = cost(system)
    assert last["reconstruction"] < 0.6 * first["reconstruction"]
    assert last["mask"] < 0.3 * first["mask"]


def test_generators_and_critics_learn_from_their_own_losses_only():
    system = training()
    terms = cost(system)
    critics, generators = list(system.critics.parameters()), list(system.network.parameters())
    for name in ("code_critic", "map_critic"):
        terms[name].backward(retain_graph=True)
    assert all(p.grad is None for p in generators)
    assert all(p.grad is not None for p in critics)
    for p in critics:
        p.grad = None
    for name in ("code_adversarial", "map_adversarial", "normal", "reconstruction", "outside", "mask"):
        terms[name].backward(retain_graph=True)
    assert all(p.grad is None for p in critics)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in generators if p.ndim > 1)


def test_a_held_critic_says_what_a_learning_one_says():
    critic = training().critics.map
    shown = torch.rand(2, 1, 32, 32, requires_grad=True)
    torch.testing.assert_close(held(critic, shown), critic(shown))
    held(critic, shown).sum().backward()
    assert shown.grad is not None


def test_the_map_critic_judges_patches_by_what_is_near_and_the_whole_by_everything():
    torch.manual_seed(0)
    critic = MapCritic()
    shown = torch.rand(1, 1, 192, 192, requires_grad=True)
    scores = critic(shown)
    assert scores.shape == (1, 2, 12, 12)
    seen = []
    for part in (0, 1):
        (slope,) = torch.autograd.grad(scores[0, part, 0, 0], shown, retain_graph=True)
        seen.append(int(slope[0, 0].abs().sum(dim=1).nonzero().max()))
    assert seen[0] < 64 < 96 < seen[1]


def test_the_critic_is_shown_black_and_white_and_the_probability_gets_the_gradient():
    probability = torch.tensor([0.2, 0.7], requires_grad=True)
    shown = straight_through(probability)
    assert shown.tolist() == [0.0, 1.0]
    (3 * shown).sum().backward()
    assert probability.grad is not None
    assert probability.grad.tolist() == [3.0, 3.0]


def test_the_lesion_leaves_no_edge_and_the_background_none_either():
    images = truth()
    structure, background = training().real(images, torch.Generator().manual_seed(0))
    assert set(structure.unique().tolist()) == {0.0, 1.0}
    assert not structure[:, 0][images[:, 2] > 0].any()
    assert not (structure * background).any()
    kept = training().real(images * torch.tensor([1, 1, 0, 0, 0])[:, None, None], torch.Generator())[0]
    assert kept[:, 0][images[:, 2] > 0].any()


def test_each_loss_is_its_equation():
    half, one, none = torch.full((2, 1, 4, 4), 0.5), torch.ones(2, 1, 4, 4), torch.zeros(2, 1, 4, 4)
    assert losses.code_critic_loss(half, half).item() == pytest.approx(0.25 + 0.25)
    assert losses.map_critic_loss(one, none).item() == 0
    assert [term.item() for term in losses.adversarial_losses(none, half)] == [1.0, 0.25]
    mean, log_variance = torch.full((3, 8), 2.0), torch.full((3, 8), 2 * np.log(3.0))
    assert losses.normal_loss(mean, log_variance).item() == pytest.approx(4 + 4, rel=1e-5)
    assert losses.normal_loss(torch.zeros(3, 8), torch.zeros(3, 8)) == 0
    assert losses.divergence_loss(mean, log_variance).item() == pytest.approx(
        (4 + 9 - 1 - np.log(9.0)) / 2, rel=1e-5
    )
    assert losses.divergence_loss(torch.zeros(3, 8), torch.zeros(3, 8)) == 0
    difference, beyond = losses.reconstruction_losses(one, half, half)
    assert (difference.item(), beyond.item()) == (0.25, 0.0625)
    same, overlap = losses.mask_losses(half, one, none, structure=half, rebuilt=one, drawn=one)
    assert (same.item(), overlap.item()) == (0.25, 0.25 + 1.0)


def test_an_edge_can_count_more_than_what_is_none():
    structure = torch.tensor([1.0, 0, 0, 0]).view(1, 1, 2, 2)
    nothing = torch.zeros_like(structure)
    plain, _ = losses.reconstruction_losses(structure, nothing, nothing)
    weighed, _ = losses.reconstruction_losses(structure, nothing, nothing, edge=5)
    assert (plain.item(), weighed.item()) == (0.25, pytest.approx(5 / 8))


def test_the_code_is_its_mean_and_its_noise_scaled():
    made = drawn_code(torch.tensor([[1.0]]), torch.tensor([[2 * np.log(2.0)]]), torch.tensor([[3.0]]))
    assert made.item() == pytest.approx(7.0)


def test_equal_seeds_draw_equal_anatomies_and_others_another():
    predictor = AnatomyPredictor(network())
    first, again, other = (predictor.draw(seed, attempts=2) for seed in (3, 3, 4))
    assert first.structure.shape == (32, 32) == predictor.size
    assert np.array_equal(first.structure, again.structure)
    assert np.array_equal(first.brain, again.brain)
    assert not np.array_equal(first.structure, other.structure)
    assert not (first.structure & ~first.brain.astype(bool)).any()


def test_a_drawing_is_accepted_only_where_its_outline_is_that_of_its_mask():
    drawn = AnatomyPredictor(network()).draw(0, limit=0.0, attempts=3)
    assert not drawn.accepted
    assert drawn.attempts == 3
    assert AnatomyPredictor(network()).draw(0, limit=1.0).attempts == 1


def test_one_voxel_does_not_depend_on_the_rest_through_a_norm_before_the_sigmoid():
    """The published network normalises its output: the share of edges in a slice is then always the same."""
    code = torch.zeros(1, 8)
    shares = []
    for published in (False, True):
        made = network(output_norm=published)
        bias = made.decoder[-1].bias
        assert bias is not None
        with torch.no_grad():
            before = made.decode(code).mean()
            bias += 3
            shares.append(float(made.decode(code).mean() - before))
    assert shares[0] > 0.2
    assert abs(shares[1]) < 1e-5


def test_the_length_of_a_code_tells_though_what_follows_is_normalised():
    made, code = network(), torch.randn(1, 8)
    bias = made.from_code[0].bias
    apart = []
    for kept in (1, 0):
        with torch.no_grad():
            bias *= kept
            apart.append(float((made.decode(code / 4) - made.decode(code * 4)).abs().mean()))
    assert apart[0] > 10 * apart[1]


def test_channels_begin_different_but_for_the_published_start():
    for initial, alike in (("he", False), ("mean", True)):
        kernels = network(initial=initial).encoder[0].weight
        assert bool(torch.equal(kernels[0], kernels[1])) is alike
    with pytest.raises(BundleError, match="neither 'he' nor 'mean'"):
        network(initial="zero")


def test_slices_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"crops are 16x32.*\[32, 32\]"):
        cost(training(), images=truth()[:, :, :16])
    with pytest.raises(BundleError, match="two multiples of 8"):
        network(size=[30, 32])


def test_the_shipped_size_is_a_few_megabytes():
    made = AnatomyNetwork(["T1w"])
    assert sum(p.numel() for p in made.parameters()) < 1_000_000
    assert made.encode(torch.zeros(1, 1, 192, 192))[0].shape == (1, 128)
