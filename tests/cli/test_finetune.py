"""``mrsynth finetune`` names the new model, fails when it was rolled back, tells programs its progress."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from napari_mrsynth.progress import Progress
from napari_mrsynth.training import finetune as module
from napari_mrsynth.training.finetune import FineTuned
from napari_mrsynth.training.transfer import Addition

OUTCOME = FineTuned(
    Path("/models/mine"),
    ("first",),
    "the patient second",
    by_slices=False,
    before={"T1w>T2w": 0.2},
    after={"T1w>T2w": 0.1},
    seconds=12.0,
    skipped=(("third", "has no T2w"),),
)


@pytest.fixture
def asked(monkeypatch):
    """Settings the command asks for; nothing is trained."""
    found = []

    def finetune(settings, report):
        found.append(settings)
        report(Progress(0.5, "step 5 of 10", 30.0))
        return found_outcome[0]

    found_outcome = [OUTCOME]
    monkeypatch.setattr(module, "finetune", finetune)
    found.append(found_outcome)
    return found


def test_the_new_model_is_named_with_the_errors_before_and_after(mrsynth, tiny, asked, tmp_path):
    ended = mrsynth("finetune", "tiny", tmp_path / "a", tmp_path / "b", "--steps", 7, "--json")
    assert ended.code == 0
    assert ended.answer["bundle"] == "/models/mine"
    assert ended.answer["rolled_back"] is False
    assert ended.answer["nmse"]["mean_after"] == 0.1
    assert ended.answer["skipped"] == [{"patient": "third", "reason": "has no T2w"}]
    settings = asked[1]
    assert settings.patients == (tmp_path / "a", tmp_path / "b")
    assert (settings.parts, settings.pace.steps) == ("decoder", 7)
    assert "-50%" in mrsynth("finetune", "tiny", tmp_path / "a").out


def test_a_model_that_was_rolled_back_ends_with_1_and_says_so(mrsynth, tiny, asked, tmp_path):
    asked[0][0] = replace(OUTCOME, bundle=None, after={"T1w>T2w": 0.3})
    ended = mrsynth("finetune", "tiny", tmp_path / "a")
    assert ended.code == 1
    assert "Rolled back" in ended.out
    assert mrsynth("finetune", "tiny", tmp_path / "a", "--json").answer["bundle"] is None


def test_progress_for_programs_is_one_object_a_line_on_standard_error(mrsynth, tiny, asked, tmp_path):
    ended = mrsynth("finetune", "tiny", tmp_path / "a", "--progress", "json", "--json")
    lines = [json.loads(line) for line in ended.err.splitlines()]
    assert lines == [{"fraction": 0.5, "message": "step 5 of 10", "seconds_left": 30.0}]


def test_what_is_added_is_read_with_what_it_starts_from(mrsynth, tiny, asked, tmp_path):
    mrsynth("finetune", "tiny", tmp_path / "a", "--add-output", "CT=FLAIR", "--add-input", "PDw")
    assert asked[1].add_outputs == (Addition("CT", "FLAIR"),)
    assert asked[1].add_inputs == (Addition("PDw"),)


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (("none", "a"), "'none'"),
        (("tiny", *"abcdef"), "6 patients"),
        (("tiny", "a", "--add-output", "CT="), "'CT='"),
        (("tiny", "a", "--parts", "encoder"), "encoder"),
        (("tiny", "nowhere"), "nowhere"),
        (("tiny", "a", "--add-input", "T1w"), "T1w"),
        (("tiny", "a", "--parts", "transformer"), "no spatial transformer"),
    ],
)
def test_what_cannot_be_is_refused_with_2(mrsynth, tiny, tmp_path, arguments, quoted):
    bundle, *rest = arguments
    ended = mrsynth("finetune", bundle, *rest, "--json")
    assert ended.code == 2
    assert quoted in ended.answer["error"]["message"]
