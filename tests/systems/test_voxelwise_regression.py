"""The voxelwise regression: fitted before the network's training, to what intensities alone tell."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_mrsynth.systems.anysubset import regression
from napari_mrsynth.systems.anysubset.module import AnySubsetTraining
from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork

CONTRASTS = ("T1w", "T2w", "FLAIR")


class Ball:
    """A brain whose FLAIR is bright where T2w is middling and dark where it is highest, as fluid is."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        grid = np.indices((6, 24, 24))
        self.mask = sum((axis - middle) ** 2 for axis, middle in zip(grid, (3, 12, 12), strict=True)) < 90
        water = grid[1 + seed % 2] / 23 + rng.normal(0, 0.02, self.mask.shape)
        images = {
            "T1w": 1.5 - water,
            "T2w": 0.5 + water,
            "FLAIR": 0.5 + 4 * water * (1 - water),
        }
        self.images = {c: (image * self.mask).astype(np.float32) for c, image in images.items()}

    def volume(self, contrast: str) -> np.ndarray:
        return self.images[contrast]


SMALL = {
    "neighbours": 1,
    "encoder": "residual",
    "decoder": "residual",
    "fusion": "max-mean-spread",
    "latent": 2,
    "encoder_widths": (4,),
    "decoder_widths": (4,),
    "voxelwise": 4,
}


def network() -> AnySubsetNetwork:
    torch.manual_seed(0)
    return AnySubsetNetwork(CONTRASTS, CONTRASTS, **SMALL)


def said(net: AnySubsetNetwork, patient: Ball, subset: tuple[str, ...]) -> np.ndarray:
    stacks = {c: torch.from_numpy(patient.volume(c)[None, 2:5]) for c in subset}
    with torch.no_grad():
        first = net.answers(net.fuse([net.encode(c, x) for c, x in stacks.items()]), ["FLAIR"])[0]
    return first[0, 0].numpy()


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(regression, "VOXELS", 800)
    monkeypatch.setattr(regression, "BATCH", 256)
    monkeypatch.setattr(regression, "RATE", 8e-3)


def test_a_fit_learns_a_curve_that_no_line_follows(small):
    net, unseen = network(), Ball(9)
    regression.fit_voxelwise(net, [Ball(1), Ball(2)], torch.full((3,), 0.3), steps=250, seed=1)
    real = unseen.volume("FLAIR")[3]
    inside = unseen.mask[3]
    for subset in (("T2w",), ("T1w",), ("T1w", "T2w")):
        error = np.square(said(net, unseen, subset) - real)[inside].mean()
        assert error < 0.6 * real[inside].var(), subset


def test_single_voxels_and_whole_slices_say_the_same():
    net, patient = network(), Ball(1)
    rng = torch.Generator().manual_seed(0)
    patches, truth = regression._voxels(net, [patient], rng)
    with torch.no_grad():
        total = sum(net.voxelwise_of(c, patches[:, i].float()) for i, c in enumerate(CONTRASTS))
        alone = net.voxelwise_made(total)[:, 2].numpy()
        stacks = {
            c: torch.from_numpy(np.pad(volume, ((1, 1), (0, 0), (0, 0)), "edge"))
            for c, volume in patient.images.items()
        }
        whole = []
        for plane in range(6):
            z = [net.encode(c, x[None, plane : plane + 3]) for c, x in stacks.items()]
            whole.append(net.answers(net.fuse(z))[0][0, 2].numpy())
    made = np.stack(whole)[patient.mask]
    real = patient.volume("T2w")[patient.mask]
    order, places = np.argsort(truth[:, 1].numpy()), np.argsort(real)
    assert len(alone) == len(made), "every voxel of so small a brain is drawn"
    np.testing.assert_allclose(alone[order], made[places], atol=1e-3)


def test_only_the_regression_is_fitted_and_only_the_rest_learns_afterwards(small):
    spec = {"name": "anysubset", "inputs": CONTRASTS, "outputs": CONTRASTS, **SMALL}
    system = AnySubsetTraining(spec, CONTRASTS, {"voxelwise_steps": 20, "subsets": "random"}, [0.3] * 3)
    before = {name: p.clone() for name, p in system.network.named_parameters()}
    system.begin([Ball(1)], seed=0)
    for name, parameter in system.network.named_parameters():
        assert torch.equal(parameter, before[name]) == ("voxelwise" not in name), name
        assert parameter.requires_grad == ("voxelwise" not in name), name


@pytest.mark.parametrize(
    ("new", "fitted"),
    [((), False), (("encoders.of_T1w.fine.weight",), False), (("decoders.all.voxelwise.out.weight",), True)],
)
def test_a_regression_that_came_whole_with_a_bundle_is_not_fitted_again(small, new, fitted):
    spec = {"name": "anysubset", "inputs": CONTRASTS, "outputs": CONTRASTS, **SMALL}
    system = AnySubsetTraining(spec, CONTRASTS, {"voxelwise_steps": 5, "subsets": "random"}, [0.3] * 3)
    before = {name: p.clone() for name, p in system.network.named_parameters()}
    system.begin([Ball(1)], seed=0, new=new)
    changed = any(not torch.equal(p, before[name]) for name, p in system.network.named_parameters())
    assert changed == fitted


def test_the_same_seed_fits_the_same_regression(small):
    fitted = []
    for _ in range(2):
        net = network()
        regression.fit_voxelwise(net, [Ball(1)], torch.ones(3), steps=20, seed=3)
        fitted.append(net.state_dict())
    assert all(torch.equal(fitted[0][name], fitted[1][name]) for name in fitted[0])


def test_a_fit_without_a_voxelwise_part_is_refused():
    spec = {"name": "anysubset", "inputs": ["T1w"], "outputs": ["T2w"]}
    with pytest.raises(ValueError, match="voxelwise above 0"):
        AnySubsetTraining(spec, ("T1w", "T2w"), {"voxelwise_steps": 20}, [1, 1])
