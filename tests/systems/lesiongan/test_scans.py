"""Making scans: what each loss says, who learns from what, the guidance schemes, and the source's traps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_mrsynth.errors import BundleError, ContrastError, GridError, InputError
from napari_mrsynth.networks.registry import build
from napari_mrsynth.systems.lesiongan.maps import others_label
from napari_mrsynth.systems.lesiongan.scans import objective as losses
from napari_mrsynth.systems.lesiongan.scans.critics import SCHEMES, Segmenters
from napari_mrsynth.systems.lesiongan.scans.module import ScansTraining
from napari_mrsynth.systems.lesiongan.scans.network import ScansNetwork, fused
from napari_mrsynth.systems.lesiongan.scans.predictor import ScansPredictor

CONTRASTS = ("T1w", "T2w", "FLAIR")
SPEC = {"name": "lesion-scans", "contrasts": [*CONTRASTS], "classes": [1, 4], "widths": [8, 16]}
PUBLISHED = {**SPEC, "name": "lesion-scans-published", "depth": 1}
GUIDES = {"critic", "critic_contrast", "code_critic", "segmenter"}


def network(**changes: object) -> ScansNetwork:
    torch.manual_seed(0)
    params = {**SPEC, **changes}
    built = build(str(params.pop("name")), params)
    assert isinstance(built, ScansNetwork)
    return built


def training(**objective: object) -> ScansTraining:
    torch.manual_seed(0)
    return ScansTraining(SPEC, CONTRASTS, objective, [1.0] * 3)


def truth(count: int = 3, size: int = 32) -> Tensor:
    """Brains of several sizes in three contrasts, each with a lesion of both classes in its own place."""
    rows, columns = torch.meshgrid(torch.arange(float(size)), torch.arange(float(size)), indexing="ij")
    made = torch.zeros(count, 5, size, size)
    for index in range(count):
        apart = ((rows - 16) / (12 + index)) ** 2 + ((columns - 15) / (10 + index)) ** 2
        brain, inner = (apart < 1).float(), (apart < 0.2).float()
        for place, (outer, core) in enumerate(((1.2, 0.6), (0.8, 1.6), (1.0, 0.4))):
            made[index, place] = brain * outer + inner * (core - outer)
        made[index, 3, 12:15, 8 + 2 * index : 12 + 2 * index] = 1
        made[index, 4, 15:18, 8 + 2 * index : 12 + 2 * index] = 1
        made[index, 2] += 0.8 * made[index, 3] + 0.4 * made[index, 4]
    return made


def cost(system: ScansTraining, seed: int = 0) -> dict[str, Tensor]:
    images = truth()
    return system.cost(images[:, :, None], images, images[:, 0] > 0, torch.Generator().manual_seed(seed))


def test_scans_are_learnt_to_be_rebuilt_and_lesions_to_be_found():
    system = training(drawn=2)
    optimiser = torch.optim.Adam(system.parameters(), lr=3e-3, betas=(0.5, 0.999))
    first = cost(system, 1)
    for step in range(40):
        optimiser.zero_grad()
        cost(system, step)["loss"].backward()
        optimiser.step()
    last = cost(system, 1)
    for name in ("reconstruction", "cycle", "segmenter"):
        assert last[name] < 0.5 * first[name], name


def test_patients_whose_contrasts_are_registered_teach_what_their_map_and_label_look_like():
    system = training(drawn=2, unpaired=False, paired=20.0)
    optimiser = torch.optim.Adam(system.parameters(), lr=3e-3, betas=(0.5, 0.999))
    first = cost(system, 1)["paired"]
    for step in range(40):
        optimiser.zero_grad()
        cost(system, step)["loss"].backward()
        optimiser.step()
    assert cost(system, 1)["paired"] < 0.6 * first


def test_losses_that_weigh_nothing_are_left_out_and_what_only_they_need_is_not_made(monkeypatch):
    weightless = dict.fromkeys(cost(training()).keys() - {"loss"}, 0.0)
    system = training(drawn=2, **weightless | {"paired": 20.0, "edges": 10.0})
    monkeypatch.setattr(system.network, "encode", lambda scan: pytest.fail("no scan's code is asked for"))
    terms = cost(system)
    assert terms.keys() == {"loss", "paired", "edges"}
    torch.testing.assert_close(terms["loss"], 20 * terms["paired"] + 10 * terms["edges"])
    terms["loss"].backward()
    assert all(p.grad is None for p in system.critics.parameters())


@pytest.mark.parametrize(("unpaired", "compared"), [(True, 3), (False, 9)])
def test_translations_are_compared_with_the_patients_own_scans_where_contrasts_are_of_one_patient(
    monkeypatch, unpaired, compared
):
    asked = []
    monkeypatch.setattr(losses, "paired_loss", lambda *given: asked.append(given) or torch.zeros(()))
    cost(training(drawn=0, unpaired=unpaired, paired=1.0, most=7.0))
    images, (pairs, _, most) = truth(), asked[0]
    assert len(pairs) == compared
    assert all(any(torch.equal(real, images[:, [c]]) for c in range(3)) for real, _ in pairs)
    assert most == 7.0


def test_the_network_and_what_guides_it_learn_from_their_own_losses_only():
    system = training(drawn=0, paired=1.0, squared=1.0, edges=1.0)
    terms = cost(system)
    guides, generators = list(system.critics.parameters()), list(system.network.parameters())
    for name in GUIDES:
        terms[name].backward(retain_graph=True)
    assert all(p.grad is None for p in generators)
    assert all(p.grad is not None for p in guides)
    for p in guides:
        p.grad = None
    for name in terms.keys() - GUIDES - {"loss"}:
        terms[name].backward(retain_graph=True)
    assert all(p.grad is None for p in guides)
    assert all(p.grad is not None for p in generators)


def test_the_structure_loss_reaches_the_image():
    system = training()
    cost(system)["structure"].backward()
    assert system.network.last.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("scheme", "encoders", "decoders"), [("1SEG", 1, 1), ("1ECL+nDCL", 1, 3), ("nSEG", 3, 3)]
)
def test_a_scheme_says_what_segmenters_share(scheme, encoders, decoders):
    made = Segmenters(CONTRASTS, 2, scheme, widths=(8, 8))
    assert (len(made.encoders), len(made.decoders)) == (encoders, decoders)
    scan = torch.rand(1, 1, 16, 16)
    same = torch.equal(made(scan, 0), made(scan, 2))
    assert same is (scheme == "1SEG")
    assert made(scan, 1).shape == (1, 3, 16, 16)
    torch.testing.assert_close(made(scan, 1).sum(dim=1), torch.ones(1, 16, 16))
    assert np.isfinite(cost(training(scheme=scheme))["loss"].item())


def test_an_unknown_scheme_is_refused():
    assert len(SCHEMES) == 3
    with pytest.raises(ValueError, match="'2SEG' is none of 1SEG"):
        training(scheme="2SEG")


def test_real_scans_of_different_contrasts_are_of_different_people_unless_paired():
    images = truth()
    apart = training(unpaired=True)._real(images, CONTRASTS)
    assert torch.equal(apart.scans["T1w"], images[:, 0:1])
    assert torch.equal(apart.scans["FLAIR"], images[:, 2:3].roll(2, 0))
    assert torch.equal(apart.labels["FLAIR"][:, 1], images[:, 3].roll(2, 0))
    paired = training(unpaired=False)._real(images, CONTRASTS)
    assert torch.equal(paired.scans["FLAIR"], images[:, 2:3])


def test_anatomy_and_lesion_are_fused_by_weights_class_by_class():
    structure = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    label = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).view(1, 2, 1, 2)
    torch.testing.assert_close(fused(structure, label).view(2, 2), torch.tensor([[1.0, 0.0], [0.8, 0.2]]))


def test_another_patients_lesion_is_taken_only_where_it_lies_in_the_brain():
    label = torch.zeros(2, 2, 4, 4)
    label[0, 1, 0, 0] = 1
    label[1, 1, 2, 2] = 1
    background = torch.zeros(2, 1, 4, 4)
    background[1, 0, 0, 0] = 1  # there the first lesion would be outside
    given = others_label(label, background)
    assert torch.equal(given[0], label[1])
    assert torch.equal(given[1], label[1])


def test_each_loss_is_its_equation():
    none, half, one = (torch.full((2, 1, 4, 4), value) for value in (0.0, 0.5, 1.0))
    assert losses.critic_loss([one, half], [none, half]).item() == pytest.approx(0.125 + 0.125)
    assert losses.adversarial_loss([none, half]).item() == pytest.approx((1 + 0.25) / 2)
    named = torch.zeros(1, 3, 2, 2)
    named[:, 2] = 1
    assert losses.contrast_loss([(2, named)]) == 0
    assert (
        losses.contrast_loss([(0, named)]).item()
        == losses.contrast_loss([(1, named)]).item()
        == pytest.approx(2 / 3)
    )
    scans = {"a": one, "b": none}
    assert losses.reconstruction_loss(scans, {"a": half, "b": none}).item() == 0.125
    cycled = {("b", "a"): half, ("c", "a"): none}
    assert losses.cycle_loss(scans, cycled).item() == pytest.approx((0.25 + 1) / 2)
    assert losses.cycle_consistency_loss(cycled).item() == 0.25
    assert losses.cycle_consistency_loss({("b", "a"): half}) == 0
    assert losses.semantic_loss(scans, {("a", "b"): half}).item() == 0.25
    assert losses.code_agreement_loss(one, {"a": one, "b": half}).item() == pytest.approx(0.125 + 0.25)
    assert losses.registration_loss(scans, {("a", "b"): half}).item() == 0.25
    assert losses.structure_loss(one, scans).item() == 0.5
    background = torch.cat([torch.ones_like(one), torch.zeros_like(one)], dim=1)
    assert losses.paired_loss([(one, half), (none, one)], background).item() == pytest.approx(0.75)
    assert losses.squared_loss([(one, half), (none, one)], background).item() == pytest.approx(0.625)
    step = torch.zeros(1, 1, 4, 4)
    step[..., 2:] = 1
    assert losses.edges_loss([(step, step + 0.5)]) == 0  # brightness alone is no edge
    assert losses.edges_loss([(step, torch.zeros_like(step))]).item() == pytest.approx((1 / 3 + 0) / 2)


@pytest.mark.parametrize(("most", "weight"), [(4.0, 2.5), (20.0, 10.5), (1000.0, 25.5)])
def test_a_voxel_of_a_small_lesion_weighs_as_much_more_as_is_allowed(most, weight):
    label = torch.zeros(1, 2, 10, 10)
    label[:, 0] = 1
    label[:, :, 0, 0] = torch.tensor([0.0, 1.0])
    real, made = torch.zeros(1, 1, 10, 10), torch.zeros(1, 1, 10, 10)
    made[..., 0, 0] = 1  # wrong in the lesion alone
    for loss in (losses.paired_loss, losses.squared_loss):
        assert loss([(real, made)], label, most).item() == pytest.approx(weight / 100)


def test_a_small_lesion_counts_as_much_as_the_background():
    label = torch.zeros(1, 2, 10, 10)
    label[:, 0] = 1
    label[:, :, 0, 0] = torch.tensor([0.0, 1.0])
    blind = torch.zeros_like(label)
    blind[:, 0] = 1
    assert losses.lesion_loss([(label, label)]) == 0
    assert losses.lesion_loss([(label, blind)]).item() == pytest.approx(1.0)  # half of the most it can be


def test_a_code_knows_what_lies_far_away_and_a_voxel_is_made_of_the_code_nearby():
    built = network(widths=(8, 8, 8, 8)).eval()
    far = torch.zeros(1, 1, 64, 64)
    far[..., 60, 60] = 1
    brain, label = torch.ones_like(far), torch.cat([torch.ones_like(far), torch.zeros(1, 2, 64, 64)], dim=1)
    codes = [built.encode_fused(structure, label, brain) for structure in (torch.zeros_like(far), far)]
    assert (codes[0] != codes[1])[..., 8, 8].any()
    mixed = torch.cat([codes[0][..., :16], codes[1][..., 16:]], dim=-1)
    changed = (built.decode(mixed, "T1w") != built.decode(codes[0], "T1w"))[0, 0]
    assert changed[:, 32:].any()
    assert not changed[:, :20].any()


def test_what_is_made_in_the_brain_does_not_depend_on_how_much_background_comes_with_it():
    built = network().eval()
    brain = torch.zeros(1, 1, 32, 32)
    brain[..., 8:24, 8:24] = 1
    structure, label = torch.rand(1, 1, 32, 32).round(), torch.rand(1, 3, 32, 32).round()
    scan = torch.rand(1, 1, 32, 32) * brain
    wide = [torch.nn.functional.pad(image, (16, 16, 16, 16)) for image in (structure, label, brain, scan)]
    for small, large in (
        (built.encode_fused(structure, label, brain), built.encode_fused(*wide[:3])),
        (built.encode(scan), built.encode(wide[3])),
    ):
        made, more = built.decode(small, "FLAIR"), built.decode(large, "FLAIR")[..., 16:48, 16:48]
        torch.testing.assert_close(made * brain, more * brain)


@pytest.mark.parametrize("spec", [SPEC, {**PUBLISHED, "initial": "he"}])
def test_contrasts_differ_and_come_of_one_code(spec):
    made = network(**spec).eval()
    code = made.encode(torch.rand(1, 1, 16, 16))
    scans = [made.decode(code, name) for name in CONTRASTS]
    assert all(scan.shape == (1, 1, 16, 16) and (scan >= 0).all() for scan in scans)
    assert not torch.equal(scans[0], scans[1])


@pytest.mark.parametrize("published", [False, True])
def test_brightness_survives_unless_it_is_normalised_away_before_the_sigmoid(published):
    made = network(**PUBLISHED, output_norm=published)
    code = made.encode(torch.rand(1, 1, 16, 16))
    with torch.no_grad():
        before = made.decode(code, "T1w").mean()
        made.decoder[-1].bias += 2
        change = float(made.decode(code, "T1w").mean() - before)
    assert (abs(change) < 1e-5) is published


@pytest.mark.parametrize(("initial", "alike"), [("he", False), ("mean", True)])
def test_channels_begin_different_but_for_the_published_start(initial, alike):
    kernels = network(**PUBLISHED, initial=initial).of_scan[0].weight
    assert bool(torch.equal(kernels[0], kernels[1])) is alike


def test_a_painted_lesion_becomes_contrasts_on_any_grid_and_nothing_outside_the_brain():
    predictor = ScansPredictor(network())
    brain = np.zeros((2, 19, 22), np.uint8)
    brain[:, 3:16, 4:18] = 1
    labels, structure = np.zeros_like(brain), np.zeros_like(brain)
    structure[:, 3] = brain[:, 3]
    plain = predictor.make(structure, labels, brain, ["T1w", "FLAIR"])
    labels[:, 8:11, 8:11] = 4
    made = predictor.make(structure, labels, brain, ["T1w", "FLAIR"])
    assert list(made) == ["T1w", "FLAIR"]
    assert made["FLAIR"].shape == brain.shape
    assert not made["FLAIR"][brain == 0].any()
    assert (made["FLAIR"] != plain["FLAIR"])[labels > 0].any()


def test_what_cannot_be_made_is_refused_with_the_reason():
    predictor = ScansPredictor(network())
    brain = np.ones((1, 8, 8), np.uint8)
    labels = np.zeros_like(brain)
    with pytest.raises(ContrastError, match="DWI cannot be made"):
        predictor.make(brain, labels, brain, ["DWI"])
    with pytest.raises(GridError, match=r"\(1, 8, 7\)"):
        predictor.make(brain, labels[..., :7], brain, ["T1w"])
    with pytest.raises(InputError, match="class 2"):
        predictor.make(brain, labels + 2, brain, ["T1w"])
    with pytest.raises(InputError, match="64 voxels"):
        predictor.make(brain, labels + 1, 0 * brain, ["T1w"])
    with pytest.raises(ContrastError, match="which scan"):
        predictor.sources({})


def test_real_contrasts_are_translated_and_their_codes_averaged():
    predictor = ScansPredictor(network())
    code = predictor.encode("T1w", torch.rand(2, 1, 16, 16))
    alone = predictor.decode({"T1w": code}, ["FLAIR"])["FLAIR"]
    assert alone.shape == (2, 16, 16)
    torch.testing.assert_close(predictor.decode({"T1w": code, "T2w": code}, ["FLAIR"])["FLAIR"], alone)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"contrasts": ["a", "a"]}, "different names"),
        ({"classes": []}, "different numbers"),
        ({**PUBLISHED, "output": "tanh"}, "neither"),
    ],
)
def test_impossible_networks_are_refused(change, said):
    with pytest.raises(BundleError, match=said):
        network(**change)
