"""What synthetic patients are good for: the whole experiment on small data, its sides and its order."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from datasets.smoke import SPACING
from lesion_cohort import write_cohort
from napari_mrsynth.bundles import BundleStore
from napari_mrsynth.datasets.availability import learning
from napari_mrsynth.datasets.availability.arms import PAPER, QUICK, Mixing, arms_of
from napari_mrsynth.datasets.availability.experiment import Outcome, Settings, run
from napari_mrsynth.datasets.availability.learning import PUBLISHED, pools_of
from napari_mrsynth.datasets.availability.mixing import MixedCrops, Pool, shares_of
from napari_mrsynth.datasets.availability.report import verdict, write_report
from napari_mrsynth.datasets.availability.sides import Knows
from napari_mrsynth.datasets.build import Order, build
from napari_mrsynth.datasets.folder import MANIFEST
from napari_mrsynth.errors import ConfigError, FormatError, InputError
from napari_mrsynth.preprocess.likeness import likeness_of
from napari_mrsynth.training.labelled import LabelledCrops
from napari_mrsynth.training.run import train
from napari_mrsynth.training.subjects import Subject

NETWORK = {"name": "segmenter", "inputs": ["T1w", "FLAIR"], "classes": [1, 2, 4], "widths": [8, 8]}


@pytest.fixture(scope="module")
def data(store: BundleStore, library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with real patients p0 to p5, a synthetic set and a segmenter's configuration."""
    folder = tmp_path_factory.mktemp("verify")
    write_cohort(folder / "real", patients=6)
    build(Order(6, folder / "set", library, seed=1, threshold=0.0, outline=0.1), store)
    config = {
        "system": "segmenter",
        "seed": 1,
        "data": {
            "root": "elsewhere",
            "contrasts": ["T1w", "FLAIR"],
            "spacing_mm": SPACING,
            "cache": str(folder / "prepared"),
        },
        "network": NETWORK,
        "objective": {"focus": 0.5},
        "optim": {"warmup": 2, "ema": 0.9},
        "run": {"accelerator": "cpu"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


def settings(data: Path, **changes: object) -> Settings:
    plain = Settings(data / "real", data / "set", data / "out", data / "config.yaml", quick=True)
    return replace(plain, **changes)


@pytest.fixture(scope="module")
def outcome(data: Path) -> Outcome:
    return run(settings(data))


def test_every_source_and_order_is_trained_and_judged_per_class_and_by_the_published_measure(outcome):
    assert {arm.number for arm in outcome.arms} == set(QUICK)
    assert {patient.subject for patient in outcome.sides.judge} == {"p3"}
    assert set(outcome.measures) == {"label-1", "label-2", "label-4", "lesion", PUBLISHED}
    for arm in outcome.arms:
        values = outcome.values(arm, "lesion")
        assert set(values) == {"p3"}
        assert 0 <= values["p3"] <= 1
    assert outcome.used(outcome.arms[0]) == {"real": 5}
    assert outcome.config.network["neighbours"] == 0  # samples are one slice thick
    both = next(arm for arm in outcome.arms if arm.mixing is Mixing.SYNTHETIC_FIRST)
    assert outcome.used(both) == {"real": 5, "synthetic": 2}


def test_the_table_stands_beside_the_published_one_in_three_formats(outcome):
    paths = write_report(outcome)
    page = paths["page"].read_text(encoding="utf-8")
    assert "A rehearsal" in page
    assert "| 17 | 100 % real + 100 % synthetic, synthetic first | 0.940 | +0.025 |" in page
    assert "MS-SSIM, FLAIR" in page
    assert (
        "Made by `mrsynth dataset verify --real REAL --synthetic SYNTHETIC --config config.yaml --quick`"
        in page
    )
    said = json.loads(paths["data"].read_text(encoding="utf-8"))
    assert said["judged_on"]["patients"] == ["p3"]
    assert said["synthetic"]["acceptance_rate"] == outcome.sides.manifest["acceptance_rate"]
    assert {arm["published"]["dice"] for arm in said["arms"]} >= {0.915, 0.940}
    assert 0 < said["realism"]["ms_ssim"]["T1w"]["real"] <= 1
    assert said["realism"]["frechet"]["synthetic_to_real"] >= 0
    rows = list(csv.DictReader(paths["rows"].read_text(encoding="utf-8").splitlines()))
    assert {row["measure"] for row in rows} >= {"lesion", PUBLISHED}
    assert "over 1 patient." in (verdict(outcome) or "")


def test_what_was_trained_is_not_trained_again_unless_something_changed(data, outcome, monkeypatch):
    trained: list[int] = []
    monkeypatch.setattr(learning, "_trained", lambda arm, *rest: trained.append(arm.number))
    again = run(settings(data))
    assert trained == []
    assert [each.figures for each in again.judged] == [each.figures for each in outcome.judged]
    with pytest.raises(AttributeError):  # the stand-in returns no network to be measured
        run(settings(data, overrides=("optim.lr=0.5",)))
    assert trained == [1]


def test_arms_share_their_first_weights_and_an_interrupted_one_goes_on(data, tmp_path):
    class StopError(Exception):
        pass

    def stop(progress):
        if "step 8 of 12" in progress.message:
            raise StopError

    fast = ("run.checkpoint_every=4", "run.log_every=4")
    asked = settings(data, out=tmp_path / "parts", arms=(1,), overrides=fast)
    with pytest.raises(StopError):
        run(asked, stop)
    resumed = run(asked)
    whole = run(settings(data, out=tmp_path / "whole", arms=(1,), overrides=fast))
    first, second = (each.judged[0].figures["lesion"]["p3"] for each in (resumed, whole))
    assert first == pytest.approx(second, abs=1e-4)


def rewritten(data: Path, target: Path, change: Callable[[dict[str, object]], None]) -> Path:
    """A copy of the synthetic set whose manifest says something else."""
    import shutil

    shutil.copytree(data / "set", target)
    manifest = json.loads((target / MANIFEST).read_text())
    change(manifest)
    (target / MANIFEST).write_text(json.dumps(manifest))
    return target


def test_patients_the_set_knows_are_never_judged_on(data, tmp_path):
    def knowing(manifest):
        manifest["known"] = [{"id": f"p{i}"} for i in range(4)]

    known = rewritten(data, tmp_path / "known", knowing)
    with pytest.raises(InputError, match="p1 had a part in making the synthetic set"):
        run(settings(data, synthetic=known, out=tmp_path / "a", held_out=("p1", "p5")))

    def shaped(manifest):
        manifest["lesion_maps"] = ["shapes/p3_seg"]

    shape = rewritten(data, tmp_path / "shape", shaped)
    with pytest.raises(InputError, match="p3 had a part"):
        run(settings(data, synthetic=shape, out=tmp_path / "b", held_out=("p3",)))


def test_a_patient_is_known_again_under_another_name_and_saved_anew():
    one, other = (np.random.default_rng(seed).random((20, 24, 22)).astype(np.float32) for seed in (1, 2))
    learnt = {"id": "a/p1", "volumes": {"T1w": "old"}, "likeness": {"T1w": likeness_of(one)}}
    knows = Knows([learnt], ["x_seg"])

    def knows_of(array):
        shown = {"sha256": "new", "volumes": {"T1w": "new"}, "likeness": {"T1w": likeness_of(array)}}
        return knows(SimpleNamespace(subject="b/anon", person="b/anon", record=lambda: shown))

    assert knows_of(one * 40 + 1)
    assert not knows_of(other)


@pytest.mark.parametrize(
    ("subject", "known"),
    [
        ("sub-07", True),
        ("sub-08/ses-1", True),
        ("sub-08/ses-2", True),  # another visit of somebody who is known
        ("sub-09_ses-2", True),
        ("pat9", True),
        ("tumour/BraTS20_001", True),
        ("sub-10", False),
        ("sub-10/ses-1", False),
        ("sub-0", False),
    ],
)
def test_a_patient_is_known_by_a_lesion_maps_name_and_by_any_session(subject, known):
    maps = ["sub-07_label-lesion_mask", "sub-08/ses-1/anat/sub-08_ses-1_mask", "pat9/seg", "BraTS20_001_seg"]
    knows = Knows([{"id": "sub-09_ses-1"}], maps)
    person = Subject(subject, Path()).person
    record = {"sha256": "new", "volumes": {}, "likeness": {}}
    assert knows(SimpleNamespace(subject=subject, person=person, record=lambda: record)) == known


def test_those_who_had_no_part_are_judged_on(data, tmp_path, monkeypatch):
    seen = {}

    def stand_in(arm, repeat, sides, config, folder, report=None):
        seen["judge"] = {patient.subject for patient in sides.judge}
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_mrsynth.datasets.availability.experiment.judge", stand_in)

    def knowing(manifest):
        manifest["known"] = [{"id": f"p{i}"} for i in (0, 1, 2, 3)]

    known = rewritten(data, tmp_path / "known", knowing)
    with pytest.raises(KeyboardInterrupt):
        run(settings(data, synthetic=known, out=data / "out"))
    assert seen["judge"] == {"p4", "p5"}
    (data / "real" / "subjects.tsv").write_text(
        "subject\tsplit\n" + "".join(f"p{i}\t{'test' if i == 0 else 'train'}\n" for i in range(6))
    )
    try:
        with pytest.raises(KeyboardInterrupt):
            run(settings(data))
    finally:
        (data / "real" / "subjects.tsv").unlink()
    assert seen["judge"] == {"p0"}


def test_what_cannot_be_verified_is_refused(data, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(FormatError, match=r"is not a data set: it has no manifest\.json"):
        run(settings(data, synthetic=data / "real", out=out))
    with pytest.raises(ConfigError, match="no line 5"):
        run(settings(data, arms=(5,), out=out))
    with pytest.raises(InputError, match="p9 is not among the patients"):
        run(settings(data, held_out=("p9",), out=data / "out"))
    with pytest.raises(InputError, match="is called 'q"):
        run(settings(data, only="q*", out=out))
    with pytest.raises(InputError, match="left to learn from"):
        run(settings(data, held_out=tuple(f"p{i}" for i in range(6)), out=data / "out"))


def test_the_table_of_the_paper_is_whole():
    assert len(PAPER) == 25
    assert len({arm.number for arm in PAPER}) == 25
    assert [arm.number for arm in arms_of((17,))] == [1, 17]
    assert sum(arm.mixing is Mixing.SYNTHETIC_FIRST for arm in PAPER) == 4
    assert sum(bool(arm.enhanced) for arm in PAPER) == 6


def test_crops_come_from_each_source_in_its_share_and_order(outcome):
    sides = outcome.sides
    by_number = {arm.number: arm for arm in PAPER}
    mixed, first, augmented = (by_number[number] for number in (13, 17, 22))
    drawn = {}
    for arm in (mixed, first, augmented):
        pools = pools_of(arm, sides, 0)
        phases = [(round(end * 400), shares) for end, shares in shares_of(arm, pools)]
        crops = [LabelledCrops(p.patients, 400, 16, 1, 0, classes=(1, 2, 4), focus=0.5) for p in pools]
        drawn[arm.number] = MixedCrops(pools, crops, phases, 0)
    shares = Counter(drawn[mixed.number].pool_of(i) for i in range(400))
    assert shares[0] / 400 == pytest.approx(0.2, abs=0.06)
    assert [drawn[first.number].pool_of(i) for i in range(400)] == [1] * 200 + [0] * 200
    control = drawn[augmented.number]
    index = next(i for i in range(20) if control.pools[control.pool_of(i)].kind == "enhanced")
    plain, turned = control.crops[1][index], control[index]
    assert not torch.equal(plain["slices"], turned["slices"])
    assert torch.equal(turned["slices"], control[index]["slices"])


def test_fewer_real_patients_are_some_of_the_more_and_none_is_cut(outcome):
    by_number = {arm.number: arm for arm in PAPER}
    few, more = (pools_of(by_number[number], outcome.sides, 3)[0].patients for number in (13, 14))
    assert len(few) == 1
    assert len(more) == 4
    assert {p.subject for p in few} < {p.subject for p in more}
    kinds = {pool.kind: len(pool.patients) for pool in pools_of(by_number[24], outcome.sides, 3)}
    assert kinds == {"real": 5, "enhanced": 5}
    assert isinstance(pools_of(by_number[4], outcome.sides, 3)[0], Pool)


def test_a_model_can_be_trained_on_a_set_only_when_that_is_said(data, tmp_path):
    """A synthetic patient is no acquired one: a plain training finds no scans in the set."""
    config = yaml.safe_load((data / "config.yaml").read_text())
    config["data"] |= {"root": str(data / "set"), "cache": str(tmp_path / "cache")}
    config["run"]["folder"] = str(tmp_path / "run")
    path = tmp_path / "plain.yaml"
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(InputError, match="synthetic, not acquired"):
        train(path)
