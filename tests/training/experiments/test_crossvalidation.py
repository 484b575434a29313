"""A cross-validation measures everybody once, goes on where it was, and refuses what it would overrule."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_mrsynth.bundles import Bundle
from napari_mrsynth.errors import ConfigError
from napari_mrsynth.progress import Progress
from napari_mrsynth.training.experiments.crossvalidation import crossvalidate
from napari_mrsynth.training.figures import MEAN, figures_of, lines_of


def test_everybody_is_measured_once_by_a_model_that_did_not_learn_from_them(config: Path, tmp_path: Path):
    told: list[Progress] = []
    found = crossvalidate(config, 3, tmp_path / "cv", ("run.threads=1",), told.append)
    by_pair = {}
    for figure in found.figures:
        by_pair.setdefault(figure.what, []).append((figure.fold, figure.patient))
    everybody = [(0, "p0"), (1, "p1"), (2, "p2")]
    assert by_pair == {"T2w>T1w": everybody, "T1w>T2w": everybody}
    learnt = [{p["id"] for p in Bundle.open(path).card.training["subjects"]} for path in found.bundles]
    assert learnt == [{"p1", "p2"}, {"p0", "p2"}, {"p0", "p1"}]
    assert [line.what for line in found.lines] == [MEAN, "T2w>T1w", "T1w>T2w"]
    assert {line.spread.count for line in found.lines} == {3}
    with (tmp_path / "cv" / "crossvalidation.csv").open() as file:
        assert [float(row["value"]) for row in csv.DictReader(file)] == [f.value for f in found.figures]
    assert [step.fraction for step in told] == sorted(step.fraction for step in told)
    assert any(step.message.startswith("Fold 2 of 3, step 3 of 6") for step in told)


def test_an_interrupted_cross_validation_goes_on_and_finds_the_same(config: Path, tmp_path: Path):
    whole = crossvalidate(config, 3, tmp_path / "whole", ("run.threads=1",))

    def interrupt(progress: Progress) -> None:
        if progress.message.startswith("Fold 2 of 3, step 5"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crossvalidate(config, 3, tmp_path / "cv", ("run.threads=1",), interrupt)
    first = (tmp_path / "cv" / "fold-0" / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    assert not (tmp_path / "cv" / "crossvalidation.csv").exists()
    resumed = crossvalidate(config, 3, tmp_path / "cv", ("run.threads=1",))
    assert [f.value for f in resumed.figures] == pytest.approx([f.value for f in whole.figures])
    assert (tmp_path / "cv" / "fold-0" / "checkpoints" / "last.ckpt").stat().st_mtime_ns == first


@pytest.mark.parametrize(
    ("folds", "change", "says"),
    [
        (2, "data.held_out=[p1]", r"data\.held_out=\[p1\] has no effect here"),
        (2, "run.folder=runs/mine", "where --folder says"),
        (2, "run.measure=false", "every fold is measured"),
        (2, "validation.every=5", "the last weights are measured"),
        (2, "data={root: elsewhere}", r"sets data\.folds too"),
        (2, "run.devices=2", r"run\.devices is 2"),
        (4, "seed=1", "3 patients cannot be dealt into 4 folds"),
        (1, "seed=1", "1 folds cannot be made"),
    ],
)
def test_what_cannot_be_cross_validated_is_refused_and_nothing_is_made(
    config: Path, tmp_path: Path, folds: int, change: str, says: str
):
    with pytest.raises(ConfigError, match=says):
        crossvalidate(config, folds, tmp_path / "cv", (change,))
    assert not (tmp_path / "cv").exists()


def test_the_last_weights_are_measured_and_not_the_best_on_whom_they_are_measured_on(
    written: Callable[..., Path], tmp_path: Path
):
    config = written(validation={"every": 2, "patience": 1})
    found = crossvalidate(config, 2, tmp_path / "cv", ("run.threads=1",))
    assert not list((tmp_path / "cv").rglob("best.ckpt"))
    assert [Bundle.open(path).card.training["steps"] for path in found.bundles] == [6, 6]


def test_a_remedy_is_given_in_the_commands_own_options(config: Path, tmp_path: Path):
    crossvalidate(config, 3, tmp_path / "cv", ("run.threads=1",))
    with pytest.raises(ConfigError, match=r"belongs to a run with another data\.folds") as refused:
        crossvalidate(config, 2, tmp_path / "cv", ("run.threads=1",))
    assert refused.value.hint == "Give another number of --folds, or another --folder."


def test_sessions_of_one_person_count_once():
    results = {"nmse": {"T1w>T2w": {"a1": 0.9, "a2": 0.7, "b": 0.1}}}
    (line,) = lines_of(figures_of(0, results, {"a1": "a", "a2": "a", "b": "b"}))
    assert (line.spread.mean, line.spread.count) == (pytest.approx(0.45), 2)


def test_figures_are_summed_up_over_patients_and_over_folds():
    figures = [
        *figures_of(0, {"dice": {"1": {"a": 0.2, "b": 0.4}, "2": {"a": 0.6}}, "drawn": 5}),
        *figures_of(1, {"dice": {"1": {"c": 0.6}, "2": {"c": float("nan")}}, "whole": {"c": 0.5}}),
    ]
    lines = {(line.measure, line.what): line for line in lines_of(figures)}
    assert list(lines) == [("dice", MEAN), ("dice", "1"), ("dice", "2"), ("whole", "")]
    one = lines["dice", "1"]
    assert (one.spread.mean, one.spread.sd, one.spread.count) == pytest.approx((0.4, 0.2, 3))
    assert one.between_folds == pytest.approx(0.3 / math.sqrt(2))
    assert lines["dice", MEAN].spread.mean == pytest.approx((0.4 + 0.4 + 0.6) / 3)  # a, b, c
    assert (lines["dice", "2"].spread.count, math.isnan(lines["dice", "2"].between_folds)) == (1, True)
