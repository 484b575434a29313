"""``mrsynth doctor`` tells what a bug report needs, and exits with 1 only where something is broken."""

from __future__ import annotations

import pytest

import napari_mrsynth
from napari_mrsynth.cli import doctor

TORCH = {"version": "2.9.9", "threads": 2, "cuda": None, "gpus": [], "mps": False}


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Answer for torch, which takes seconds to import, and use an empty cache."""
    monkeypatch.setattr(doctor, "_torch", lambda: dict(TORCH))
    monkeypatch.setenv("MRSYNTH_CACHE", str(tmp_path / "cache"))


def test_everything_that_a_report_needs_is_there(mrsynth, quick, tiny):
    ended = mrsynth("doctor", "--json")
    answer = ended.answer
    assert ended.code == 0, answer["problems"]
    assert answer["napari_mrsynth"] == napari_mrsynth.__version__
    assert answer["packages"]["numpy"]
    assert answer["torch"]["version"] == "2.9.9"
    assert answer["manifest"].endswith("napari.yaml")
    assert answer["models"] == {"tiny": []}
    assert len(answer["caches"]) == 2


def test_a_gpu_and_a_sound_model_are_told_in_words(mrsynth, quick, tiny, monkeypatch):
    monkeypatch.setattr(doctor, "_torch", lambda: {**TORCH, "gpus": ["Abacus 9000"]})
    said = mrsynth("doctor").out
    assert "Abacus 9000" in said
    assert "Nothing is wrong." in said


def test_a_broken_torch_is_a_problem_and_no_crash(mrsynth, quick, tiny, monkeypatch):
    monkeypatch.setattr(doctor, "_torch", lambda: {"error": "libcudart.so not found"})
    ended = mrsynth("doctor", "--json")
    assert ended.code == 1
    assert ended.answer["problems"] == ["torch does not work: libcudart.so not found"]


def test_a_damaged_model_is_a_problem(mrsynth, quick, tiny):
    (tiny / "model.safetensors").write_bytes(b"")
    ended = mrsynth("doctor")
    assert ended.code == 1
    assert "Problem: Model tiny" in ended.out


def test_no_display_is_worth_a_note_and_no_problem(mrsynth, quick, tiny, monkeypatch):
    monkeypatch.setattr(doctor, "has_display", lambda: False)
    ended = mrsynth("doctor", "--json")
    assert ended.code == 0
    assert ended.answer["notes"] == ["There is no display for the window."]


def test_torch_is_asked_in_another_process_and_its_failure_quoted(monkeypatch):
    monkeypatch.setattr(doctor, "TORCH_QUESTION", "raise ImportError('no torch today')")
    assert doctor._torch() == {"error": "ImportError: no torch today"}


def test_the_real_torch_answers():
    answer = doctor._torch()
    assert answer["version"]
    assert answer["threads"] >= 1
