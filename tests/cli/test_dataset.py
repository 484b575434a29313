"""``mrsynth dataset build`` and ``verify``: figures, exit codes, refusals, end to end."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from datasets.smoke import SPACING, write_library, write_models
from lesion_cohort import write_cohort

NETWORK = {"name": "segmenter", "inputs": ["T1w", "FLAIR"], "classes": [1, 2, 4], "widths": [8, 8]}
LOOSE = ("--threshold", "0", "--map-error", "0.1")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return tuple(write_models(tmp_path_factory.mktemp("models")).roots)


@pytest.fixture(autouse=True)
def installed(models, monkeypatch):
    monkeypatch.setattr("napari_mrsynth.bundles.store.default_roots", lambda: models)


@pytest.fixture
def library(tmp_path):
    return write_library(tmp_path / "lesions")


def test_a_set_is_built_verified_and_told_as_json(mrsynth, library, tmp_path):
    built = mrsynth(
        "dataset", "build", "--n", 4, "--out", tmp_path / "set", "--labels", library, *LOOSE, "--json"
    )
    assert built.code == 0, built.err
    answer = built.answer
    assert (answer["asked"], answer["made"], answer["fresh"]) == (4, 4, 4)
    assert 0 < answer["acceptance_rate"] <= 1
    assert Path(answer["manifest"]).is_file()
    config = {
        "system": "segmenter",
        "data": {
            "root": "x",
            "contrasts": ["T1w", "FLAIR"],
            "spacing_mm": SPACING,
            "cache": str(tmp_path / "prepared"),
        },
        "network": NETWORK,
        "run": {"accelerator": "cpu"},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    real = write_cohort(tmp_path / "real", patients=3)
    verified = mrsynth(
        *("dataset", "verify", "--real", real, "--synthetic", tmp_path / "set", "--out", tmp_path / "out"),
        *("--config", path, "--quick", "--lines", "1,17", "--held-out", "p2", "--json"),
    )
    assert verified.code == 0, verified.err
    answer = verified.answer
    assert [arm["line"] for arm in answer["arms"]] == [1, 17]
    assert answer["judged_on"]["patients"] == ["p2"]
    assert all(Path(file).is_file() for file in answer["files"].values())


def test_a_set_that_came_out_short_says_so_and_exits_with_2(mrsynth, library, tmp_path):
    ended = mrsynth(
        *("dataset", "build", "--n", 2, "--out", tmp_path / "set", "--labels", library),
        *("--threshold", 1, "--attempts", 2, "--map-error", 0.1),
    )
    assert ended.code == 2
    assert "0 of 2" in ended.out
    assert "2 samples were given up" in ended.out
    assert "Segmenter's Dice" in ended.out


def test_one_sample_that_was_given_up_is_one(mrsynth, library, tmp_path):
    ended = mrsynth(
        *("dataset", "build", "--n", 1, "--out", tmp_path / "set", "--labels", library),
        *("--threshold", 1, "--attempts", 1, "--map-error", 0.1),
    )
    assert ended.code == 2
    assert "1 sample was given up" in ended.out


def test_patients_give_their_own_lesions_where_no_maps_are_named(mrsynth, tmp_path):
    real = write_cohort(tmp_path / "real", patients=2)
    ended = mrsynth(
        *("dataset", "build", "--n", 1, "--out", tmp_path / "set", "--anatomy", "patients"),
        *("--data", real, "--only", "p1", "--threshold", "0", "--json"),
    )
    assert ended.code == 0, ended.err
    assert (tmp_path / "set" / "sub-000001").is_dir()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("build", "--n", 1, "--out", "OUT", "--labels", "nowhere"), "is not a folder"),
        (("build", "--n", 1, "--out", "OUT", "--labels", "LIB", "--dask", "tcp://x:1"), "distributed"),
        (("verify", "--real", ".", "--synthetic", ".", "--out", "OUT"), "it has no manifest.json"),
        (("verify", "--real", ".", "--synthetic", "junk", "--out", "OUT"), "it is not a folder"),
        (("build", "--n", 1, "--out", "OUT"), "No lesions to draw from"),
        (("build", "--n", 1, "--out", "OUT", "--only", "p1"), "--only p1 would change nothing with random"),
        (
            ("build", "--n", 1, "--out", "OUT", "--anatomy", "patients", "--map-error", 0.1),
            "--map-error 0.1 would change nothing with the anatomy of patients",
        ),
    ],
)
def test_what_cannot_be_done_is_one_json_error(mrsynth, library, tmp_path, monkeypatch, arguments, said):
    monkeypatch.setattr("napari_mrsynth.datasets.running.find_spec", lambda name: None)
    places = {"OUT": tmp_path / "set", "LIB": library}
    ended = mrsynth("dataset", *(places.get(str(each), each) for each in arguments), "--json")
    assert ended.code == 2
    assert said in ended.answer["error"]["message"]
    assert "Errno" not in ended.answer["error"]["message"]
    assert ended.answer["error"]["hint"]
    assert not (tmp_path / "set").exists()
