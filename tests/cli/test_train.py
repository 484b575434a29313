"""``mrsynth train`` refuses a wrong configuration at once, shows progress, and names the bundle."""

from __future__ import annotations

import pytest

from napari_mrsynth.cli import _output
from napari_mrsynth.cli.joyce import data_in
from napari_mrsynth.progress import Progress
from napari_mrsynth.training import run
from napari_mrsynth.training.experiments import crossvalidation
from napari_mrsynth.training.figures import Figure
from napari_mrsynth.training.strict import override


def test_a_missing_configuration_exits_with_2(mrsynth, tmp_path):
    ended = mrsynth("train", tmp_path / "none.yaml", "--json")
    assert ended.code == 2
    assert "none.yaml" in ended.answer["error"]["message"]


@pytest.mark.parametrize("name", ["Study #2", "Study: MS", "a 'b' \"c\"", "Étude"])
def test_a_data_folder_may_have_any_characters_in_its_path(tmp_path, name):
    config: dict[str, dict[str, str]] = {}
    (line,) = data_in(tmp_path / name)
    override(config, line)
    assert config["data"]["root"] == str(tmp_path / name)


@pytest.mark.parametrize(
    ("overrides", "quoted"),
    [
        (("seed=1", "optim.stepz=3"), "stepz"),
        (("optim.steps=many",), "many"),
        (("optim.steps",), "optim.steps"),
    ],
)
def test_a_wrong_setting_exits_with_2_and_is_quoted(mrsynth, tmp_path, overrides, quoted):
    config = tmp_path / "mine.yaml"
    config.write_text("system: anysubset\ndata: {root: .}\nnetwork: {name: anysubset}\n")
    ended = mrsynth("train", config, *(part for text in overrides for part in ("--set", text)), "--json")
    assert ended.code == 2
    assert ended.answer["error"]["type"] == "ConfigError"
    assert quoted in ended.answer["error"]["message"]


def test_progress_goes_to_standard_error_and_the_bundle_to_the_report(mrsynth, tmp_path, monkeypatch):
    config = tmp_path / "mine.yaml"
    config.write_text("system: anysubset\n")
    asked = []

    def train(path, overrides, report):
        asked.append((path, overrides))
        report(Progress(0.5, "Step 50 of 100"))
        return run.RunResult(
            tmp_path, tmp_path / "bundle", 100, (("p7", "no T2w"),), {"nmse": {"a": float("nan")}}, 60
        )

    monkeypatch.setattr(run, "train", train)
    ended = mrsynth("train", config, "--set", "optim.steps=100", "--set", "seed=2", "--json")
    assert asked == [(config, ("optim.steps=100", "seed=2"))]
    assert "Step 50 of 100" in ended.err
    assert ended.answer == {
        "bundle": str(tmp_path / "bundle"),
        "folder": str(tmp_path),
        "steps": 100,
        "exported_step": 60,
        "skipped": [{"subject": "p7", "reason": "no T2w"}],
        "start": None,
        "results": {"nmse": {"a": None}},
        "people": {},
    }
    said = mrsynth("train", config).out
    assert f"--bundle {tmp_path / 'bundle'}" in said
    assert "step 60" in said


def test_what_was_measured_on_whom_was_held_out_is_said(mrsynth, tmp_path, monkeypatch):
    config = tmp_path / "mine.yaml"
    config.write_text("system: anysubset\n")
    results = {"dice": {"1": {"p1": 0.5, "p2": 0.7}, "2": {"p1": 0.1}}, "whole": {"p1": 0.25}, "drawn": 5}
    outcome = run.RunResult(tmp_path, tmp_path / "bundle", 100, (), results)
    monkeypatch.setattr(run, "train", lambda *_: outcome)
    said = mrsynth("train", config).out
    assert "Held out: dice 0.5000 ± 0.2828 over 2 patients, the mean of 2 in held_out.json\n" in said
    assert "Held out: whole 0.2500 over 1 patient\n" in said


def test_a_cross_validation_shows_its_table_and_names_the_figures(mrsynth, tmp_path, monkeypatch):
    config = tmp_path / "mine.yaml"
    config.write_text("system: anysubset\n")
    figures = [Figure(fold, f"p{fold}", "nmse", "T1w>T2w", 0.1 * (fold + 1)) for fold in range(3)]
    asked = []

    def crossvalidate(*given):
        asked.append(given[:4])
        return crossvalidation.CrossValidation(3, tuple(figures), (tmp_path / "b",), (("p7", "no T2w"),))

    monkeypatch.setattr(crossvalidation, "crossvalidate", crossvalidate)
    given = ("crossvalidate", config, "--folds", 3, "--folder", tmp_path / "cv", "--set", "seed=2")
    ended = mrsynth(*given, "--json")
    assert asked == [(config, 3, tmp_path / "cv", ("seed=2",))]
    (line,) = ended.answer["lines"]
    assert (line["measure"], line["what"], line["patients"]) == ("nmse", "T1w>T2w", 3)
    assert (line["mean"], line["sd"], line["sd_of_folds"]) == pytest.approx((0.2, 0.1, 0.1))
    said = mrsynth(*given).out
    assert ["nmse", "T1w>T2w", "0.2000", "±", "0.1000", "0.1000", "3"] in map(str.split, said.splitlines())
    assert "Left out: p7: no T2w" in said
    assert f"{tmp_path / 'cv' / 'crossvalidation.csv'}" in said


def test_a_log_of_long_work_is_never_silent_for_long(mrsynth, tmp_path, monkeypatch):
    config = tmp_path / "mine.yaml"
    config.write_text("system: anysubset\n")
    clock = iter(range(0, 1000, 25))
    monkeypatch.setattr(_output.time, "monotonic", lambda: next(clock))

    def train(path, overrides, report):
        for step in range(6):
            report(Progress(0.001 * step, f"step {step}"))
        return run.RunResult(tmp_path, tmp_path / "bundle", 6, (), {})

    monkeypatch.setattr(run, "train", train)
    err = mrsynth("train", config).err
    assert [line.split()[-1] for line in err.splitlines()] == ["0", "3"]  # at the start, and 75 s later


def test_only_one_of_several_processes_speaks(mrsynth, tmp_path, monkeypatch):
    config = tmp_path / "mine.yaml"
    config.write_text("system: anysubset\n")
    helper = run.RunResult(tmp_path, tmp_path / "bundle", 100, (), {}, leader=False)
    monkeypatch.setattr(run, "train", lambda *_: helper)
    ended = mrsynth("train", config, "--json")
    assert (ended.code, ended.out) == (0, "")


def test_a_folder_that_is_no_run_cannot_be_exported(mrsynth, tmp_path):
    ended = mrsynth("export", tmp_path, "--json")
    assert ended.code == 2
    assert "last.ckpt" in ended.answer["error"]["message"]


def test_an_unknown_format_exits_with_2_and_names_the_known_ones(mrsynth, tmp_path):
    ended = mrsynth("export", tmp_path, "--format", "keras", "--json")
    assert ended.code == 2
    assert "onnx" in ended.answer["error"]["hint"]


def test_a_bundle_is_written_in_another_format_beside_it(mrsynth, tiny, tmp_path, monkeypatch):
    from napari_mrsynth.training import formats

    asked = []

    def convert(bundle, form, folder):
        asked.append((bundle.card.id, form))
        return folder

    monkeypatch.setattr(formats, "convert", convert)
    ended = mrsynth("export", tiny, "--format", "onnx", "--out", tmp_path / "out", "--json")
    assert asked == [("tiny", "onnx")]
    assert ended.answer == {"folder": str(tmp_path / "out"), "format": "onnx"}


def test_the_format_monai_is_written_with_what_the_run_left(mrsynth, tiny, tmp_path, monkeypatch):
    from napari_mrsynth.training import formats

    outcome = run.RunResult(tmp_path, tiny, 100, (), {}, 100)
    monkeypatch.setattr(run, "export", lambda *_: outcome)
    monkeypatch.setattr(formats, "convert", lambda bundle, form, folder: folder)
    ended = mrsynth("export", tmp_path / "run", "--format", "monai", "--json")
    assert ended.answer["monai"] == str(tmp_path / "run" / "monai" / "tiny")
    assert ended.answer["bundle"] == str(tiny)
