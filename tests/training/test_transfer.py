"""What is added to a trained network learns; what it could do before stays as it was, number for number."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from napari_mrsynth.bundles import Bundle, Card, save_bundle
from napari_mrsynth.errors import ConfigError
from napari_mrsynth.networks.registry import build
from napari_mrsynth.systems.anysubset.adaptation import Adaptation
from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork
from napari_mrsynth.systems.anysubset.predictor import AnySubsetPredictor
from napari_mrsynth.training.transfer import Addition, Transfer, grown, opened, tuned

CONTRASTS = ["T1w", "T2w", "FLAIR"]
KINDS = {
    "published": {"encoder": "unet", "decoder": "shallow", "encoder_widths": [4], "decoder_widths": [4]},
    "residual": {
        "encoder": "residual",
        "decoder": "residual",
        "fusion": "max-mean-spread",
        "neighbours": 1,
        "encoder_widths": [4, 4],
        "decoder_widths": [4, 4],
        "norm": True,
    },
}
KINDS["voxelwise"] = {**KINDS["residual"], "voxelwise": 4}
SHIPPED = Path(__file__).parents[2] / "models" / "anysubset-brain"


@pytest.fixture(params=KINDS)
def bundle(request, tmp_path) -> Bundle:
    return made(tmp_path, request.param)


def made(folder, kind: str, **changes: object) -> Bundle:
    torch.manual_seed(0)
    spec = {
        "name": "anysubset",
        "inputs": CONTRASTS,
        "outputs": CONTRASTS,
        "latent": 3,
        **KINDS[kind],
        **changes,
    }
    network = build("anysubset", {key: value for key, value in spec.items() if key != "name"})
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
    card = Card(
        id=kind,
        title="",
        summary="",
        system="anysubset",
        network=spec,
        inputs=tuple(CONTRASTS),
        outputs=tuple(CONTRASTS),
        spacing_mm=1.0,
        neighbours=int(spec.get("neighbours", 0)),
        normalisation={"method": "foreground-mean"},
    )
    return save_bundle(folder / kind, card, network.state_dict())


def slices(network: AnySubsetNetwork, names=CONTRASTS) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {c: torch.rand(2, 1 + 2 * network.neighbours, 16, 16, generator=generator) + 0.1 for c in names}


def synthesised(network: AnySubsetNetwork, given: dict[str, Tensor], wanted=CONTRASTS) -> dict[str, Tensor]:
    from copy import deepcopy

    predictor = AnySubsetPredictor(deepcopy(network))
    return predictor.decode({c: predictor.encode(c, x) for c, x in given.items()}, wanted)


def learn(transfer: Transfer, steps: int = 5, **options: object) -> list[float]:
    """Take a few large steps on random images."""
    network = transfer.network
    names = tuple(dict.fromkeys((*network.inputs, *network.outputs)))
    system = Adaptation(
        network,
        names,
        [1.0] * len(names),
        transfer.parts,
        wanted=transfer.added_outputs,
        through=transfer.added_inputs,
        **options,
    ).train()
    optimiser = torch.optim.AdamW(system.parameters(), lr=2e-3, weight_decay=0.0)
    rng = torch.Generator().manual_seed(2)
    inputs = torch.rand(2, len(names), 1 + 2 * network.neighbours, 16, 16, generator=rng) + 0.1
    truth = torch.rand(2, len(names), 16, 16, generator=rng)
    losses = []
    for _ in range(steps):
        loss = system.cost(inputs, truth, torch.ones(2, 16, 16, dtype=torch.bool), rng)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def changed(before: dict[str, Tensor], network: AnySubsetNetwork) -> set[str]:
    now = network.state_dict()
    return {name for name, value in before.items() if not torch.equal(value, now[name])}


def test_fine_tuning_the_decoder_leaves_the_encoders_and_all_norms_alone(bundle):
    transfer = tuned(bundle)
    losses = learn(transfer, 40)
    assert sum(losses[-8:]) < 0.9 * sum(losses[:8])
    moved = changed(bundle.state(), transfer.network)
    assert moved
    assert all(name.startswith("decoders.") for name in moved)
    assert not [name for name in moved if "running" in name or "tracked" in name]


def test_an_added_output_leaves_the_others_exactly_as_they_were(bundle):
    given = slices(opened(bundle), ["T1w", "T2w"])
    before = synthesised(opened(bundle), given)
    transfer = grown(bundle, outputs=[Addition("CT")])
    learn(transfer)
    after = synthesised(transfer.network, given, [*CONTRASTS, "CT"])
    assert all(torch.equal(before[c], after[c]) for c in CONTRASTS)
    assert not changed(bundle.state(), transfer.network)
    assert transfer.network.outputs == (*CONTRASTS, "CT")


def test_an_added_output_starts_as_the_one_it_is_like_and_then_learns(bundle):
    given = slices(opened(bundle), ["T1w"])
    transfer = grown(bundle, outputs=[Addition("CT", "FLAIR")])
    start = synthesised(transfer.network, given, ["FLAIR", "CT"])
    near = 0.05 if bundle.card.id == "voxelwise" else 1e-5  # its head no longer reads the other outputs
    torch.testing.assert_close(start["CT"], start["FLAIR"], atol=near, rtol=near)
    learn(transfer)
    end = synthesised(transfer.network, given, ["FLAIR", "CT"])
    assert torch.equal(end["FLAIR"], start["FLAIR"])
    assert not torch.allclose(end["CT"], start["CT"])


def test_the_shipped_model_takes_an_output_that_starts_as_the_one_it_is_like():
    bundle = Bundle.open(SHIPPED)
    transfer = grown(bundle, outputs=[Addition("CT", "T2w")])
    assert not changed(bundle.state(), transfer.network)
    given = slices(transfer.network, ["T1w", "FLAIR"])
    made = synthesised(transfer.network, given, ["CT", "T1w", "T1ce", "T2w", "FLAIR"])
    apart = {contrast: float((made["CT"] - image).abs().mean()) for contrast, image in made.items()}
    assert sorted(apart, key=lambda contrast: apart[contrast])[:2] == ["CT", "T2w"]


def test_an_added_input_leaves_the_other_subsets_exactly_as_they_were(bundle):
    given = slices(opened(bundle), ["T1w", "T2w"])
    before = synthesised(opened(bundle), given)
    transfer = grown(bundle, inputs=[Addition("PDw", "T2w")])
    start = synthesised(transfer.network, {"PDw": given["T2w"]})
    torch.testing.assert_close(start, synthesised(opened(bundle), {"T2w": given["T2w"]}))
    learn(transfer)
    after = synthesised(transfer.network, given)
    assert all(torch.equal(before[c], after[c]) for c in CONTRASTS)
    assert not changed(bundle.state(), transfer.network)
    moved = synthesised(transfer.network, {"PDw": given["T2w"]})
    assert not torch.allclose(moved["FLAIR"], start["FLAIR"])


def test_an_extended_network_can_be_extended_again_and_is_built_from_its_card_alone(tmp_path):
    bundle = made(tmp_path, "residual")
    once = grown(bundle, outputs=[Addition("CT")])
    card = Card.from_mapping(
        {**bundle.card.as_dict(), "network": dict(once.spec), "outputs": [*CONTRASTS, "CT"], "id": "with-ct"}
    )
    saved = save_bundle(tmp_path / "with-ct", card, once.network.state_dict())
    twice = grown(saved, outputs=[Addition("MRA", "CT")])
    assert twice.network.outputs == (*CONTRASTS, "CT", "MRA")
    assert twice.spec["own"] == ["CT", "MRA"]
    given = slices(twice.network, ["T1w"])
    found = synthesised(twice.network, given, ["MRA", "T2w", "CT"])
    torch.testing.assert_close(found["MRA"], found["CT"])
    AnySubsetPredictor.from_bundle(saved)


def test_every_subset_goes_through_the_input_that_was_added(tmp_path):
    transfer = grown(made(tmp_path, "published"), inputs=[Addition("PDw")])
    system = Adaptation(
        transfer.network, (*CONTRASTS, "PDw"), [1.0] * 4, transfer.parts, through=transfer.added_inputs
    )
    rng = torch.Generator().manual_seed(0)
    for _ in range(20):
        assert all(system.given.index("PDw") in subset for subset in system._subsets(rng))


def test_something_is_left_to_be_made_in_every_step_of_a_model_that_makes_one_of_its_inputs(tmp_path):
    transfer = tuned(made(tmp_path, "published", outputs=["FLAIR"]), "all")
    system = Adaptation(transfer.network, CONTRASTS, [1.0] * 3, transfer.parts)
    rng = torch.Generator().manual_seed(0)
    flair = system.given.index("FLAIR")
    for _ in range(20):
        *drawn, whole = system._subsets(rng)
        assert [len(subset) for subset in (*drawn, whole)] == [1, 2, 3]
        assert all(flair not in subset for subset in drawn)


def test_patients_who_lack_a_contrast_are_learnt_from_all_the_same(bundle):
    transfer = tuned(bundle)
    system = Adaptation(transfer.network, ("T1w", "FLAIR"), [1.0, 1.0], transfer.parts)
    assert system.given == ("T1w", "FLAIR")
    assert system.wanted == ("T1w", "FLAIR")


@pytest.mark.parametrize(
    ("additions", "said"),
    [
        ({"inputs": [Addition("T1w")]}, "has the input T1w already"),
        ({"outputs": [Addition("CT"), Addition("CT")]}, "CT is added twice"),
        ({"outputs": [Addition("CT", "T1")]}, "has no output T1 to start from"),
    ],
)
def test_additions_that_cannot_be_made_are_refused(tmp_path, additions, said):
    with pytest.raises(ConfigError, match=said):
        grown(made(tmp_path, "published"), **additions)


def test_parts_that_are_not_there_are_refused(tmp_path):
    bundle = made(tmp_path, "published")
    with pytest.raises(ConfigError, match="no parts 'encoder'"):
        tuned(bundle, "encoder")
    with pytest.raises(ConfigError, match="no spatial transformer"):
        tuned(bundle, "transformer")
    aligned = made(tmp_path / "aligned", "published", aligned=True)
    assert learn(tuned(aligned, "transformer"))


@pytest.mark.parametrize("text", ["", "=T2w", "PDw="])
def test_an_addition_without_a_name_is_refused(text):
    with pytest.raises(ConfigError, match="names no contrast"):
        Addition.parse(text)
    assert Addition.parse(" PDw = T2w ") == Addition("PDw", "T2w")
