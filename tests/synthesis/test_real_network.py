"""The engine with the project's own network, against that network called plainly."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_mrsynth.bundles import BundleStore, Card, save_bundle
from napari_mrsynth.errors import BundleError
from napari_mrsynth.imaging import BrainMask, Member, Study, Volume
from napari_mrsynth.synthesis import Engine, Request
from napari_mrsynth.synthesis.job import Job
from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork
from phantoms import brain_study
from synthesis.test_engine import finish

CONTRASTS = ["T1w", "T1ce", "T2w", "FLAIR"]
KINDS = {
    "published": {"encoder_widths": [4], "decoder_widths": [4], "latent": 4},
    "residual": {
        "neighbours": 1,
        "encoder": "residual",
        "decoder": "residual",
        "fusion": "max-mean-spread",
        "encoder_widths": [6, 8],
        "decoder_widths": [6, 8],
        "latent": 4,
    },
}


def save_network(root: Path, kind: str, spacing_mm: float = 4.0) -> AnySubsetNetwork:
    """A network of this kind with random weights, saved as a bundle."""
    torch.manual_seed(0)
    params = {"inputs": CONTRASTS, "outputs": CONTRASTS, **KINDS[kind]}
    network = AnySubsetNetwork(**params).eval()
    for weight in network.parameters():
        if not weight.detach().any():
            torch.nn.init.normal_(weight, std=0.05)
    card = Card(
        id=kind,
        title=kind,
        summary="For tests.",
        system="anysubset",
        network={"name": "anysubset", **params},
        inputs=tuple(CONTRASTS),
        outputs=tuple(CONTRASTS),
        spacing_mm=spacing_mm,
        neighbours=network.neighbours,
        normalisation={"method": "foreground-mean"},
    )
    save_bundle(root / kind, card, network.state_dict())
    return network


def plainly(network: AnySubsetNetwork, study: Study, used: tuple[str, ...], wanted: str) -> np.ndarray:
    """The same network on whole slices of the whole field of view, in the first input's units, (S, A, R)."""
    mask = study.grid.as_display(study.mask.array)
    stacks, mean = {}, 0.0
    for contrast in used:
        array = np.where(mask, study.volume(contrast).display, 0).astype(np.float32)
        own = float(array[mask].mean(dtype=np.float64))
        mean = mean or own
        planes = np.arange(len(array))[:, None] + np.arange(-network.neighbours, network.neighbours + 1)
        stacks[contrast] = torch.from_numpy((array / own)[np.clip(planes, 0, len(array) - 1)])
    with torch.inference_mode():
        latents = [network.encode(contrast, stack) for contrast, stack in stacks.items()]
        made = network.decode(network.fuse(latents), [wanted])[:, 0].numpy()
    return np.where(mask, made * mean, 0)


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("used", [("T1w",), ("T2w", "T1w", "T1ce")])
def test_the_engine_makes_what_the_network_makes(tmp_path: Path, kind: str, used: tuple[str, ...]) -> None:
    study = brain_study(shape=(48, 48, 24))  # a field of view that fits the network's multiples as it is
    network = save_network(tmp_path, kind)
    engine = Engine(BundleStore([tmp_path]))
    result, _ = finish(engine.run(study, Request(("FLAIR",), used, device="cpu", precision="fp32")))
    truth = plainly(network, study, used, "FLAIR")
    if study.reference in used and used[0] != study.reference:
        means = [study.volume(c).array[study.mask.array].mean() for c in (study.reference, used[0])]
        truth = truth * means[0] / means[1]
    made = result.outputs["FLAIR"].display
    assert np.linalg.norm(made - truth) / np.linalg.norm(truth) < 0.01


def test_a_damaged_bundle_and_an_unknown_network_stop_the_run(tmp_path: Path) -> None:
    study, request = brain_study(), Request(("FLAIR",), ("T1w",), device="cpu")
    save_network(tmp_path, "published")
    card = tmp_path / "published" / "card.yaml"
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace("name: anysubset", "name: anysubsett"), encoding="utf-8")
    with pytest.raises(BundleError, match="'anysubsett'"):
        finish(Engine(BundleStore([tmp_path])).run(study, request))
    card.write_text(text, encoding="utf-8")
    weights = tmp_path / "published" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(BundleError, match="damaged"):
        finish(Engine(BundleStore([tmp_path])).run(study, request))


def jobs() -> int:
    """How many jobs are held in memory (tests that failed hold theirs)."""
    gc.collect()
    return sum(isinstance(thing, Job) for thing in gc.get_objects())


def test_nothing_of_a_cancelled_run_stays_but_the_cache(tmp_path: Path) -> None:
    study = brain_study()
    save_network(tmp_path, "residual")
    engine = Engine(BundleStore([tmp_path]))
    before = jobs()
    steps = engine.run(study, Request(("FLAIR", "T1ce"), ("T1w", "T2w"), device="cpu"), first_slice=16)
    while not next(steps).planes:
        pass
    steps.close()
    del steps
    assert jobs() <= before
    assert engine.cache.nbytes > 0


def test_a_real_patient_from_file_to_volume(real_scans: Path, tmp_path: Path) -> None:
    from napari_mrsynth.io import read_patient

    save_network(tmp_path, "residual", spacing_mm=4.0)
    files = read_patient(real_scans / "tumour" / "BraTS2021_01484")
    scans: dict[str, Volume] = {v.contrast: v for v in files.volumes if v.contrast in ("T1w", "T2w")}
    brain = np.logical_or.reduce([v.array != 0 for v in scans.values()])
    study = Study(
        files.name,
        "T1w",
        {contrast: Member(scan, scan) for contrast, scan in scans.items()},
        frozenset(scans),
        BrainMask(brain, "skull-stripped data"),
    )
    result, steps = finish(
        Engine(BundleStore([tmp_path])).run(
            study, Request(("FLAIR",), ("T1w", "T2w"), source_map=True), first_slice=80
        )
    )
    made = result.outputs["FLAIR"]
    assert made.array.shape == (240, 240, 155)
    assert made.grid.same_as(scans["T1w"].grid)
    assert np.isfinite(made.array).all()
    assert not made.array[~brain].any()
    assert set(np.unique(result.source_map.array)) <= {0, 1, 2}
    assert any(step.planes for step in steps)
    assert result.provenance["FLAIR"]["inputs"]["T1w"]["file"].endswith(".nii.gz")
