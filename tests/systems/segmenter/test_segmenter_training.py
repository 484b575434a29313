"""A segmenter trained from patient folders: labelled crops, a bundle that segments, Dice on the held-out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lesion_cohort import require_same, whole_and_in_parts, write_cohort, write_settings
from napari_mrsynth.bundles import Bundle
from napari_mrsynth.errors import BundleError, InputError
from napari_mrsynth.systems import load_predictor
from napari_mrsynth.systems.segmenter.predictor import SegmenterPredictor
from napari_mrsynth.training.config import load_config
from napari_mrsynth.training.labelled import LabelledCrops
from napari_mrsynth.training.material import gather
from napari_mrsynth.training.run import train

CONFIGS = Path(__file__).parents[3] / "src/napari_mrsynth/systems/segmenter/configs"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("labelled"), unlabelled=1)


@pytest.fixture
def written(cohort: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the configuration of a tiny segmenter."""

    def write(classes: tuple[int, ...] = (1, 2), **objective: float) -> Path:
        network = {"name": "segmenter", "inputs": ["T1w", "FLAIR"], "widths": [8, 8], "classes": [*classes]}
        sections = {"network": network, "objective": objective, "validation": {"every": 3, "slices": 3}}
        return write_settings("segmenter", cohort, tmp_path, {"steps": 6, "crop": 24}, **sections)

    return write


def test_a_training_ends_in_a_bundle_that_segments(written):
    result = train(written())
    bundle = Bundle.open(result.bundle)
    assert [subject["id"] for subject in bundle.card.training["subjects"]] == ["p0", "p1", "p3"]
    assert bundle.card.outputs == ("label-1", "label-2")
    table = bundle.card.results["dice"]
    assert set(table) == {"label-1", "label-2", "lesion"}
    assert 0 <= table["lesion"]["p2"] <= 1
    volume = np.ones((4, 20, 20), np.float32)
    labels = SegmenterPredictor.from_bundle(bundle).segment_volume({"T1w": volume, "FLAIR": volume})
    assert set(np.unique(labels)) <= {0, 1, 2}
    with pytest.raises(BundleError, match="segmenter"):
        load_predictor(bundle)  # the synthesis engine is told that this makes no contrast


def test_a_training_is_watched_by_its_overlap(written):
    result = train(written())
    rows = (result.folder / "log" / "held_out.csv").read_text().splitlines()
    assert "dice_error" in rows[0]
    assert len(rows) == 3
    assert (result.folder / "checkpoints" / "best.ckpt").is_file()


def test_a_training_cannot_be_watched_on_patients_whom_nobody_has_labelled(written):
    with pytest.raises(InputError, match="No patient that is held out has a lesion label"):
        train(written(), ["data.held_out=[p3]"])


def test_an_interrupted_training_ends_with_the_same_weights(written, tmp_path):
    runs = whole_and_in_parts(written(drop=0.5), tmp_path, 5)
    require_same(*(Bundle.open(run.bundle).state() for run in runs))


def test_crops_carry_the_labels_of_their_voxels_and_come_from_lesions_as_often_as_asked(written):
    config = load_config(written())
    patients = [patient for patient in gather(config.data).patients if patient.lesions is not None]
    always, never = (
        LabelledCrops(patients, 40, 12, 1, 0, classes=(1, 2), focus=focus) for focus in (1.0, 0.0)
    )
    shares = [
        float(np.mean([item["slices"][2:, 1].any() for item in map(crops.__getitem__, range(40))]))
        for crops in (always, never)
    ]
    assert shares[0] == 1.0
    assert shares[1] < 0.6
    first = always[0]["slices"]
    assert first.shape == (4, 3, 12, 12)
    assert set(first[2:].unique().tolist()) == {0.0, 1.0}
    assert first[2].any()
    assert first[3].any()
    assert not (first[2] * first[3]).any()  # core and rim
    assert torch.equal(always[7]["slices"], always[7]["slices"])
    flair = torch.cat([always[i]["slices"][1][always[i]["slices"][2:].any(dim=0)] for i in range(5)])
    assert flair.mean() > always[0]["slices"][1].mean()  # lesions are bright in the phantom's FLAIR


def test_a_class_that_the_network_does_not_know_is_refused_with_the_patient(written):
    with pytest.raises(InputError, match="labels of p0 have the class 2; the network knows 1"):
        train(written(classes=(1,)))


def test_patients_without_labels_alone_are_refused(written):
    with pytest.raises(InputError, match="None of the patients has lesion labels"):
        train(written(), ["data.only=p3", "data.held_out=[]", "validation.every=0"])


def test_patients_are_chosen_by_a_pattern_and_a_pattern_of_nobody_lists_them(written):
    config = load_config(written(), ["data.only=p[12]"])
    assert [patient.subject for patient in gather(config.data).patients] == ["p1"]
    with pytest.raises(InputError, match=r"called 'q\*'"):
        gather(load_config(written(), ["data.only=q*"]).data)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_configurations_build_and_hold_out_nobody_of_the_test_split(path, real_scans):
    from napari_mrsynth.training.registry import training_system
    from napari_mrsynth.training.subjects import find_subjects, split_subjects

    config = load_config(path, [f"data.root={real_scans}"])
    system = training_system(config, [1.0] * 4)
    split = split_subjects(find_subjects(config.data), config.data)
    assert split.train
    assert split.held_out
    assert config.optim.crop % system.network.multiple == 0
    assert sum(p.numel() for p in system.network.parameters()) * 4 < 4_500_000
