"""Making scans trained from patient folders: a bundle that makes and translates, exact resume, configs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lesion_cohort import last_weights, require_same, whole_and_in_parts, write_settings
from napari_mrsynth.bundles import Bundle, BundleStore
from napari_mrsynth.datasets.availability.experiment import shipped_config
from napari_mrsynth.errors import ConfigError
from napari_mrsynth.generation import generator_bundle, segmenter_bundle
from napari_mrsynth.lesions import label_set
from napari_mrsynth.systems import load_predictor
from napari_mrsynth.systems.lesiongan.scans.predictor import ScansPredictor
from napari_mrsynth.training.config import load_config
from napari_mrsynth.training.registry import training_system
from napari_mrsynth.training.run import train

MODELS = Path(__file__).parents[3] / "models"
CONFIGS = Path(__file__).parents[3] / "src/napari_mrsynth/systems/lesiongan/scans/configs"


@pytest.fixture
def config(cohort: Path, tmp_path: Path) -> Path:
    network = {"name": "lesion-scans", "contrasts": ["T1w", "FLAIR"], "classes": [1, 2], "widths": [8, 16]}
    optim, objective = {"steps": 4, "crop": 24, "clip": 1.0}, {"scheme": "1ECL+nDCL"}
    return write_settings("lesion-scans", cohort, tmp_path, optim, network=network, objective=objective)


def test_a_training_ends_in_a_bundle_that_makes_and_translates(config):
    result = train(config)
    bundle = Bundle.open(result.bundle)
    assert set(bundle.card.results["nmse"]) == {"T1w>FLAIR", "FLAIR>T1w"}
    assert not [name for name in bundle.state() if "critic" in name or "segmenter" in name]
    predictor = load_predictor(bundle)
    assert isinstance(predictor, ScansPredictor)
    brain = np.ones((1, 16, 16), np.uint8)
    made = predictor.make(brain, brain * 2, brain, predictor.outputs)
    assert set(made) == {"T1w", "FLAIR"}
    code = predictor.encode("T1w", torch.rand(1, 1, 16, 16))
    assert predictor.decode({"T1w": code}, ["FLAIR"])["FLAIR"].shape == (1, 16, 16)


def test_an_interrupted_training_ends_with_the_same_weights_of_all(config, tmp_path):
    whole, parts = (last_weights(run) for run in whole_and_in_parts(config, tmp_path, 3))
    assert any("critics.segmenters" in name for name in whole)
    require_same(whole, parts)


def test_a_contrast_that_patients_lack_is_refused(config):
    with pytest.raises(ConfigError, match="makes DWI, which the patients do not have"):
        train(config, ["network.contrasts=[T1w, DWI]"])


def test_a_start_of_other_classes_makes_the_same_of_anatomy_without_lesion(config, tmp_path):
    more = ["network.classes=[1, 2, 3]", "start_fitting=true", "optim.lr=1.0e-12", "optim.freeze_norms=true"]
    parent = train(config, [f"run.folder={tmp_path / 'first'}"]).bundle
    child = train(config, [*more, f"start={parent}"]).bundle
    structure = np.random.default_rng(0).integers(0, 2, (1, 16, 16), dtype=np.uint8)
    nothing, brain = np.zeros_like(structure), np.ones_like(structure)
    made = [
        load_predictor(Bundle.open(path), precision="fp32").make(structure, nothing, brain, ["FLAIR"])[
            "FLAIR"
        ]
        for path in (parent, child)
    ]
    assert np.ptp(made[0]) > 0
    np.testing.assert_allclose(*made, rtol=1e-3)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_configurations_build_at_their_crop(path):
    settled = load_config(path)
    with torch.device("meta"):
        system = training_system(settled, [1.0] * 4)
    assert settled.optim.crop % system.network.multiple == 0
    count = sum(p.numel() for p in system.network.parameters())
    assert (count < 2_000_000) is (path.stem != "paper")


@pytest.mark.parametrize("disease", ["tumour", "ms"])
def test_each_configuration_is_found_as_that_of_its_disease(disease):
    settled, classes = load_config(CONFIGS / f"{disease}.yaml"), label_set(disease)
    assert set(settled.network["classes"]) == classes.values
    assert settled.card.id.endswith(f"-{disease}")  # which is how the bundle is told from others of class 1
    judge = load_config(shipped_config(disease))
    assert set(judge.network["classes"]) == classes.values
    assert not set(settled.data.held_out) - set(judge.data.held_out)  # one patient for both to be judged on


KEPT_APART = ("tumour/BraTS2021_01484", "tumour/BraTS2021_01658", "tumour/BraTS2021_01660", "ms/patient07")


@pytest.mark.parametrize("disease", ["tumour", "ms"])
def test_the_shipped_generator_and_segmenter_have_seen_nobody_who_is_held_out(disease):
    store, classes = BundleStore([MODELS]), label_set(disease)
    for bundle in (generator_bundle(store, classes), segmenter_bundle(store, classes)):
        learnt = {subject["id"] for subject in bundle.card.training["subjects"]}
        assert not learnt & set(KEPT_APART)
        assert bundle.card.results


def test_the_shipped_models_of_lesions_and_anatomy_are_small_together():
    systems = {"anatomy", "lesion-scans", "segmenter"}
    store = BundleStore([MODELS])
    shipped = [store.get(card.id) for card in store.cards() if card.system in systems]
    assert len(shipped) == 5
    assert sum((each.folder / "model.safetensors").stat().st_size for each in shipped) < 12_000_000


def shipped_generator(disease: str) -> ScansPredictor:
    predictor = load_predictor(generator_bundle(BundleStore([MODELS]), label_set(disease)))
    assert isinstance(predictor, ScansPredictor)
    return predictor


def oval_brain() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the structure map and mask of an oval brain, and the distance from a lesion's middle."""
    rows, columns = np.mgrid[:160, :144]
    brain = (((rows - 80) / 74) ** 2 + ((columns - 72) / 62) ** 2 < 1).astype(np.uint8)[None]
    structure = brain - (((rows - 80) / 71) ** 2 + ((columns - 72) / 59) ** 2 < 1)[None]
    return structure, brain, np.hypot(rows - 70, columns - 40)[None]


def test_the_shipped_generator_paints_what_a_radiologist_expects_of_a_glioma():
    predictor, (structure, brain, apart) = shipped_generator("tumour"), oval_brain()
    labels = np.select([apart < 7, apart < 13, apart < 22], [1, 4, 2]).astype(np.uint8)
    made = predictor.make(structure, labels, brain, ["T1ce", "FLAIR"])
    healthy = (brain > 0) & (apart > 40)
    tissue = {name: np.median(image[healthy]) for name, image in made.items()}
    assert made["FLAIR"][labels == 2].mean() > 1.2 * tissue["FLAIR"]  # oedema is bright in FLAIR
    assert made["T1ce"][labels == 4].mean() > 1.2 * tissue["T1ce"]  # the rim takes up contrast agent
    assert made["T1ce"][labels == 1].mean() < made["T1ce"][labels == 4].mean()  # the necrotic core does not


def test_the_shipped_generator_paints_what_a_radiologist_expects_of_multiple_sclerosis():
    predictor, (structure, brain, apart) = shipped_generator("ms"), oval_brain()
    made = predictor.make(structure, (apart < 6).astype(np.uint8), brain, ["T1w", "FLAIR"])
    healthy = (brain > 0) & (apart > 20)
    tissue = {name: np.median(image[healthy]) for name, image in made.items()}
    assert made["FLAIR"][apart < 4].mean() > 1.2 * tissue["FLAIR"]
    assert made["T1w"][apart < 4].mean() < 1.05 * tissue["T1w"]
