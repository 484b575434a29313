"""Artefacts in the inputs: repeatable, each input by itself, nothing around the brain, the truth kept."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from napari_mrsynth.training.artefacts import Artefacts
from napari_mrsynth.training.config import ArtefactConfig, DataConfig, load_config
from napari_mrsynth.training.crops import Crops
from napari_mrsynth.training.material import gather
from napari_mrsynth.training.run import train

KINDS = ("anisotropy", "motion", "ghosting", "bias", "noise", "gamma")


@pytest.fixture
def slices() -> torch.Tensor:
    """Two contrasts of three planes: a disc with texture in an empty field."""
    rng = torch.Generator().manual_seed(0)
    row, column = torch.meshgrid(torch.arange(40), torch.arange(32), indexing="ij")
    disc = ((row - 20) ** 2 / 250 + (column - 16) ** 2 / 140 < 1).float()
    texture = 1 + 0.4 * torch.sin(row / 3) * torch.cos(column / 4) + 0.02 * torch.randn(40, 32, generator=rng)
    return (disc * texture.clamp(min=0.1)).repeat(2, 3, 1, 1)


def only(kind: str, p: float = 1.0) -> Artefacts:
    return Artefacts(ArtefactConfig(**{kind: p}))


@pytest.mark.parametrize("kind", KINDS)
def test_each_artefact_changes_the_brain_and_nothing_around_it(slices, kind):
    spoilt = only(kind)(slices, (1, 2))
    assert spoilt.shape == slices.shape
    assert spoilt.dtype == torch.float32
    assert torch.equal(spoilt == 0, slices == 0)
    assert (spoilt - slices).abs().max() > 0.01
    assert torch.isfinite(spoilt).all()
    assert spoilt.mean() == pytest.approx(slices.mean().item(), rel=0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_alone_decides(slices, kind):
    torch.manual_seed(0)
    first = only(kind)(slices, (1, 2))
    torch.rand(7)
    before = torch.get_rng_state()
    assert torch.equal(only(kind)(slices, (1, 2)), first)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(only(kind)(slices, (1, 3)), first)


@pytest.mark.parametrize("kind", KINDS)
def test_another_process_can_be_sent_them(slices, kind):
    sent = pickle.loads(pickle.dumps(only(kind)))
    assert torch.equal(sent(slices, (1, 2)), only(kind)(slices, (1, 2)))


def test_each_input_is_spoilt_by_itself(slices):
    spoilt = only("gamma")(slices, (1, 2))
    assert not torch.allclose(spoilt[0], spoilt[1])


@pytest.mark.parametrize("kind", ["bias", "gamma", "motion", "ghosting", "anisotropy"])
def test_the_planes_of_an_input_are_spoilt_alike(slices, kind):
    spoilt = only(kind)(slices, (1, 2))
    torch.testing.assert_close(spoilt[0, 0], spoilt[0, 2])


def test_the_probability_is_kept(slices):
    half = only("gamma", 0.5)
    changed = [not torch.equal(part, slices[0]) for n in range(40) for part in half(slices, (n,))]
    assert 25 < sum(changed) < 55


def test_by_default_there_are_none():
    assert not ArtefactConfig().any
    assert ArtefactConfig(noise=0.1).any


def test_crops_keep_the_truth_beside_spoilt_inputs(cohort: Path):
    data = DataConfig(
        str(cohort), contrasts=("T1w", "T2w"), spacing_mm=5.0, cache=str(cohort.parent / "prepared")
    )
    patients = gather(data).patients
    plain, spoilt = (Crops(patients, 5, 24, 1, 3, artefacts)[4] for artefacts in (None, only("noise")))
    assert torch.equal(plain["slices"], spoilt["slices"])
    assert "inputs" not in plain
    assert not torch.equal(spoilt["inputs"], spoilt["slices"])


def test_the_network_sees_the_artefacts_and_is_asked_for_the_truth(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    from napari_mrsynth.systems.anysubset.module import AnySubsetTraining

    seen, cost = [], AnySubsetTraining.cost

    def spy(self, inputs, truth, mask, rng):
        seen.append((inputs[:, :, 1].clone(), truth.clone()))
        return cost(self, inputs, truth, mask, rng)

    monkeypatch.setattr(AnySubsetTraining, "cost", spy)
    strong = {"turn": 1.0, "intensity": 0.0, "artefacts": {"noise": 1.0, "noise_std": 0.5}}
    train(written(augment=strong, optim={"steps": 2}))
    for inputs, truth in seen:
        assert inputs.shape == truth.shape
        off = (inputs - truth)[truth != 0]
        assert off.std() > 0.01
        assert abs(float(torch.corrcoef(torch.stack([inputs.ravel(), truth.ravel()]))[0, 1])) > 0.7


def test_workers_draw_the_same_crops(written: Callable[..., Path], tmp_path: Path):
    config = written(augment={"artefacts": {"noise": 0.5, "bias": 0.5}})
    results = [train(config, [f"run.folder={tmp_path / str(n)}", f"run.workers={n}"]) for n in (0, 2)]
    first, second = (
        torch.load(r.folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for r in results
    )
    for name in first:
        torch.testing.assert_close(first[name], second[name], msg=name)


def test_an_unknown_artefact_is_refused_with_the_nearest_name(written: Callable[..., Path]):
    with pytest.raises(Exception, match=r"augment\.artefacts\.ghost.*ghosting"):
        load_config(written(augment={"artefacts": {"ghost": 0.1}}))
