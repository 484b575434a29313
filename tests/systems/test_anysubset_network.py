"""The any-subset network: the paper's numbers, any subset, and the traps of its published code."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
import torch

from napari_mrsynth.errors import BundleError
from napari_mrsynth.networks.blocks import ResidualBlock
from napari_mrsynth.networks.registry import build
from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork
from napari_mrsynth.systems.anysubset.objective import Objective, latent_variance
from napari_mrsynth.systems.anysubset.predictor import AnySubsetPredictor
from napari_mrsynth.systems.anysubset.published import ShallowDecoder, UNetEncoder
from napari_mrsynth.systems.anysubset.transformer import SpatialTransformer

CONTRASTS = ("T1w", "T1ce", "T2w", "FLAIR")
KINDS = {
    "published": {
        "encoder": "unet",
        "decoder": "shallow",
        "fusion": "max",
        "encoder_widths": (4,),
        "decoder_widths": (4,),
    },
    "residual": {
        "encoder": "residual",
        "decoder": "residual",
        "fusion": "max-mean-spread",
        "neighbours": 1,
        "encoder_widths": (4, 6),
        "decoder_widths": (4, 6),
    },
}
KINDS["voxelwise"] = {**KINDS["residual"], "voxelwise": 2}


def network(kind: str = "residual", **changes: object) -> AnySubsetNetwork:
    torch.manual_seed(0)
    return AnySubsetNetwork(CONTRASTS, CONTRASTS, **{**KINDS[kind], "latent": 3, **changes})


def slices(net: AnySubsetNetwork, contrasts=CONTRASTS, size=16) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {c: torch.rand(2, 1 + 2 * net.neighbours, size, size, generator=generator) for c in contrasts}


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_encoder_and_decoder_have_the_published_number_of_parameters():
    assert count(UNetEncoder(1)) == 521_744
    assert count(ShallowDecoder()) == 37_073


@pytest.mark.parametrize("kind", ["residual", "voxelwise"])
def test_background_around_the_brain_changes_nothing_within_it(kind):
    net = network(kind, norm=True, encoder_widths=(4, 6, 8)).eval()
    wide = {c: torch.zeros(2, 3, 64, 80) for c in CONTRASTS}
    for c, x in slices(net, size=24).items():
        wide[c][:, :, 21:45, 18:42] = x
    close = {c: x[:, :, 16:48, 16:48] for c, x in wide.items()}
    with torch.no_grad():
        made, made_close = net(wide)[:, :, 21:45, 18:42], net(close)[:, :, 5:29, 2:26]
    torch.testing.assert_close(made, made_close)
    assert made.std() > 0


def test_neighbouring_slices_reach_no_further_than_the_brain_of_their_own_slice():
    net = network("residual").eval()
    given = slices(net)
    given["T1w"][:, 1, :, 8:] = 0
    beyond = {c: x.clone() for c, x in given.items()}
    beyond["T1w"][:, 0, :, 8:] += 1
    with torch.no_grad():
        torch.testing.assert_close(net.encode("T1w", given["T1w"]), net.encode("T1w", beyond["T1w"]))


def test_the_last_layers_stay_in_float32_where_the_rest_is_bfloat16():
    predictor = AnySubsetPredictor(network("residual"), precision="bf16")
    z = {c: predictor.encode(c, x) for c, x in slices(predictor.network).items()}
    assert {latent.dtype for latent in z.values()} == {torch.bfloat16}
    made = predictor.decode(z, ["T1w"])["T1w"]
    assert not torch.equal(made, made.to(torch.bfloat16).float())


@pytest.mark.parametrize("kind", KINDS)
def test_every_subset_of_inputs_makes_every_contrast(kind):
    net = network(kind).eval()
    everything = slices(net)
    for size in range(1, 5):
        for subset in combinations(CONTRASTS, size):
            made = net({c: everything[c] for c in subset})
            assert made.shape == (2, 4, 16, 16)
            assert torch.isfinite(made).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_inputs_does_not_matter(kind):
    net = network(kind).eval()
    x = slices(net)
    forwards = net(x)
    backwards = net(dict(reversed(x.items())))
    torch.testing.assert_close(forwards, backwards)


def test_max_fusion_takes_the_largest_latent_voxel_by_voxel():
    net = network("published")
    z = [torch.randn(1, 3, 4, 4) for _ in range(3)]
    assert torch.equal(net.fuse(z), torch.stack(z).amax(0))


def test_a_latent_given_twice_adds_nothing_to_the_fusion():
    net = network("residual")
    z = torch.randn(1, 12, 4, 4)
    torch.testing.assert_close(net.fuse([z, z]), net.fuse([z]))


def test_the_trunk_adds_to_what_the_voxelwise_regression_says():
    net = network("voxelwise")
    first, result = net.answers(net.fuse([net.encode(c, x) for c, x in slices(net).items()]))
    with torch.no_grad():
        for parameter in net.decoders["all"].heads[-1].parameters():
            parameter.zero_()
    bare = net(slices(net))
    assert not torch.allclose(first, result)
    torch.testing.assert_close(bare, first)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("count", "first_row"), [(1, 9), (2, 9), (3, 9), (2, 0), (2, 32)])
def test_a_fused_latent_in_parts_decodes_to_the_same(kind, count, first_row):
    net = network(kind).eval()
    x = slices(net, size=32)
    for stack in x.values():
        stack[..., :first_row, :] = 0  # no brain: where parts are decoded, the regression does not work there
    with torch.no_grad():
        latents = [net.encode(c, x[c]) for c in list(x)[:count]]
        torch.testing.assert_close(net.decode(net.fused_parts(latents)), net.decode(net.fuse(latents)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_fused_latent_in_parts_teaches_the_same(kind, count):
    net = network(kind)
    x = slices(net, size=32)
    for stack in x.values():
        stack[..., :9, :] = 0
    learnt = []
    for whole in (False, True):
        net.zero_grad()
        latents = [net.encode(c, x[c]) for c in list(x)[:count]]
        fused = net.fuse(latents) if whole else net.fused_parts([net.in_parts(z) for z in latents])
        sum(answer.square().mean() for answer in net.answers(fused)).backward()
        learnt.append({name: p.grad for name, p in net.named_parameters() if p.grad is not None})
    torch.testing.assert_close(*learnt)
    assert any(grad.any() for grad in learnt[0].values())


def test_features_stay_in_the_number_format_of_the_convolutions_where_they_are_masked():
    net = network("residual", norm=True)
    seen = []
    for block in net.encoders["of_T1w"].trunk.modules():
        if isinstance(block, ResidualBlock):
            block.register_forward_hook(lambda module, given, made: seen.append(made.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        net.encode("T1w", slices(net)["T1w"])
    assert set(seen) == {torch.bfloat16}


def test_the_voxelwise_regression_and_the_trunk_learn_each_from_its_own_error():
    net = network("voxelwise")
    first, result = net.answers(net.fuse([net.encode(c, x) for c, x in slices(net).items()]))
    learnt = {True: set(), False: set()}
    for answer, by_voxel in ((first, True), (result, False)):
        net.zero_grad()
        answer.square().mean().backward(retain_graph=True)
        learnt[by_voxel] = {name for name, p in net.named_parameters() if p.grad is not None and p.grad.any()}
    assert all("voxelwise" in name for name in learnt[True])
    assert not any("voxelwise" in name for name in learnt[False])
    assert learnt[True]
    assert learnt[False]


def test_the_voxelwise_regression_sees_intensities_around_a_voxel_and_nothing_far_away():
    net = network("voxelwise").eval()
    x = slices(net, size=48)
    far = {c: stack.clone() for c, stack in x.items()}
    for stack in far.values():
        stack[..., :20, :20] = 0.5
    with torch.no_grad():
        one, other = (net.answers(net.fuse([net.encode(c, s) for c, s in z.items()]))[0] for z in (x, far))
    assert torch.equal(one[..., 30:, 30:], other[..., 30:, 30:])
    assert not torch.equal(one[..., :28, :28], other[..., :28, :28])


def test_no_two_kernels_of_a_layer_start_alike():
    for name, weight in network("published").named_parameters():
        if weight.dim() == 4 and weight.shape[0] > 1:
            assert len(torch.unique(weight.flatten(1), dim=0)) == weight.shape[0], name


@pytest.mark.parametrize("kind", ["affine", "rigid"])
def test_the_spatial_transformer_starts_as_an_exact_identity_at_any_size(kind):
    transformer = SpatialTransformer(3, kind=kind)
    for height, width in ((16, 16), (37, 52), (112, 80)):
        rows, columns = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)
        image = (rows * columns).expand(1, 3, -1, -1)
        assert (transformer(torch.rand_like(image), image) - image).abs().max() < 1e-6


def test_the_spatial_transformer_aligns_every_latent_but_the_first():
    net = network("published", aligned=True)
    with torch.no_grad():
        net.aligner.to_affine.bias.copy_(torch.tensor([1.0, 0, 0.5, 0, 1, 0]))
    first, other = torch.randn(2, 1, 3, 16, 16)
    aligned = net.align([first, other])
    assert torch.equal(aligned[0], first)
    torch.testing.assert_close(aligned[1][..., :12], other[..., 4:])


def test_the_rigid_transformer_turns_voxels_and_keeps_their_distances_on_any_grid():
    transformer = SpatialTransformer(1, kind="rigid")
    with torch.no_grad():
        transformer.to_affine.bias.copy_(torch.tensor([math.pi / 2, 0, 0]))
    image = torch.zeros(1, 1, 21, 33)
    image[0, 0, 10, 16 + 6] = 1  # six columns off the centre
    turned = transformer(torch.zeros_like(image), image)
    assert int(turned.argmax()) == 33 * (10 - 6) + 16
    assert turned.max() > 0.99
    with pytest.raises(ValueError, match="'elastic' is neither"):
        SpatialTransformer(1, kind="elastic")


def test_the_rigid_transformer_learns_motions_that_are_known_and_the_latents_do_not():
    torch.manual_seed(0)
    transformer = SpatialTransformer(2, kind="rigid")
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 40), indexing="ij")
    blob = torch.exp(-8 * (rows - 0.3) ** 2 - 3 * columns**2) + 0.5 * torch.exp(-20 * (columns + 0.4) ** 2)
    first = torch.stack([blob, blob**2])[None].expand(4, -1, -1, -1).clone().requires_grad_()
    rng = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(transformer.parameters(), 3e-3)
    missed = []
    for _ in range(150):
        loss = transformer.inconsistency(first, 1 - first, rng)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        missed.append(loss.item())
    assert first.grad is None
    assert 3 < sum(missed[:10]) / 10 < 8  # what lies between two random motions
    assert sum(missed[-10:]) < 0.6 * sum(missed[:10])


def test_a_packed_latent_is_resampled_voxel_by_voxel():
    net = network("residual", aligned=True)
    columns = torch.arange(32.0).expand(1, 3, 32, 32)
    with torch.no_grad():
        net.aligner.to_affine.bias.copy_(torch.tensor([1.0, 0, 2 / 32, 0, 1, 0]))  # one voxel, half a cell
    packed = torch.nn.functional.pixel_unshuffle(columns, 2)
    _, moved = net.align([torch.randn_like(packed), packed])
    unpacked = torch.nn.functional.pixel_shuffle(moved, 2)
    torch.testing.assert_close(unpacked[..., :-1], columns[..., 1:])


def test_mixed_precision_does_not_coarsen_where_the_transformer_samples():
    transformer = SpatialTransformer(3)
    with torch.no_grad():
        transformer.to_affine.bias.copy_(torch.tensor([1.0, 0.003, 0.001, -0.003, 1.0, 0.001]))
    first, other = torch.rand(2, 1, 3, 64, 64)
    exact = transformer(first, other)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(transformer(first, other), exact)


def test_the_variance_is_the_population_variance_over_the_latents_that_are_there():
    z = [torch.randn(2, 3, 4, 4, requires_grad=True) for _ in range(3)]
    expected = torch.stack(z).var(dim=0, correction=0).mean()
    learnt = []
    for variance in (latent_variance(z), expected):
        torch.testing.assert_close(variance, expected)
        learnt.append(torch.autograd.grad(variance, z, retain_graph=True))
    torch.testing.assert_close(*learnt)
    assert latent_variance(z[:1]) == 0


def test_the_error_counts_only_where_the_weight_says_so():
    made, truth = torch.zeros(1, 2, 2, 2), torch.ones(1, 2, 2, 2)
    truth[0, 1] = 100
    weight = torch.tensor([1.0, 0.0])[:, None, None]
    assert Objective(absolute=1, squared=0).error(made, truth, weight, torch.ones(2)) == pytest.approx(1)


def test_the_source_map_names_the_scan_with_the_largest_latent():
    predictor = AnySubsetPredictor(network("published"))
    low, high = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    high[..., :2] = 1
    low[..., 2:] = 1
    sources = predictor.sources({"T1w": low, "T2w": high})
    assert (sources[0, :, :2] == 1).all()
    assert (sources[0, :, 2:] == 0).all()


@pytest.mark.parametrize("kind", ["published", "residual"])
def test_with_a_transformer_inputs_mean_the_same_in_whatever_order_they_are_given(kind):
    net = network(kind, aligned=True, latent=1)  # one channel: no tied votes
    for parameter in net.aligner.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    predictor = AnySubsetPredictor(net)
    x = slices(net, ("T1w", "T2w", "FLAIR"))
    latents = {c: predictor.encode(c, stack) for c, stack in x.items()}
    turned = {c: latents[c] for c in ("FLAIR", "T1w", "T2w")}
    made, again = (predictor.decode(z, ["T1ce"])["T1ce"] for z in (latents, turned))
    torch.testing.assert_close(made, again)
    sources, other = predictor.sources(latents), predictor.sources(turned)
    assert ((sources + 1) % 3 == other).float().mean() > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_the_predictor_answers_with_one_image_per_wanted_contrast(kind):
    predictor = AnySubsetPredictor(network(kind))
    x = slices(predictor.network, ("T1w", "T2w"))
    latents = {c: predictor.encode(c, stack) for c, stack in x.items()}
    made = predictor.decode(latents, ["FLAIR", "T1ce"])
    assert list(made) == ["FLAIR", "T1ce"]
    assert made["FLAIR"].shape == (2, 16, 16)
    torch.testing.assert_close(made["FLAIR"], predictor.decode(latents, ["T1ce", "FLAIR"])["FLAIR"])


def test_an_unknown_network_is_refused_with_the_nearest_name():
    with pytest.raises(BundleError, match=r"'anysubst'.*'anysubset'"):
        build("anysubst", {})


def test_parameters_that_do_not_fit_are_refused():
    with pytest.raises(BundleError, match="depth"):
        build("anysubset", {"inputs": ["T1w"], "outputs": ["T2w"], "depth": 3})
    with pytest.raises(BundleError, match="median"):
        build("anysubset", {"inputs": ["T1w"], "outputs": ["T2w"], "fusion": "median"})
