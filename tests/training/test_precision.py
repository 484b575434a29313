"""In which precision a training computes where it is."""

from __future__ import annotations

import json

import pytest
import torch

from napari_mrsynth.training import precision
from napari_mrsynth.training.config import load_config
from napari_mrsynth.training.precision import precision_here
from napari_mrsynth.training.run import train


@pytest.fixture
def plain_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this a machine without a GPU, whose processor has no bfloat16 instructions."""
    monkeypatch.setattr(precision, "bfloat16_units", lambda: "")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.parametrize(
    ("asked", "accelerator", "taken"),
    [
        ("bf16-mixed", "auto", "32-true"),
        ("bf16-mixed", "cpu", "32-true"),
        ("bf16-mixed", "cuda", "bf16-mixed"),
        ("16-mixed", "cpu", "32-true"),
        ("16-mixed", "cuda", "16-mixed"),
        ("32-true", "auto", "32-true"),
    ],
)
@pytest.mark.usefixtures("plain_processor")
def test_bfloat16_is_never_imitated(written, asked, accelerator, taken):
    config = load_config(written(optim={"precision": asked}), [f"run.accelerator={accelerator}"])
    found, why = precision_here(config)
    assert found == taken
    assert bool(why) is (asked != taken)


@pytest.mark.usefixtures("plain_processor")
def test_a_processor_that_has_bfloat16_uses_it(written, monkeypatch):
    monkeypatch.setattr(precision, "bfloat16_units", lambda: "AMX")
    assert precision_here(load_config(written(optim={"precision": "bf16-mixed"}))) == ("bf16-mixed", "")


@pytest.mark.usefixtures("plain_processor")
def test_a_processor_takes_bfloat16_for_float16_and_says_so(written, monkeypatch):
    monkeypatch.setattr(precision, "bfloat16_units", lambda: "AMX")
    found, why = precision_here(load_config(written(optim={"precision": "16-mixed"})))
    assert found == "bf16-mixed"
    assert why == "in bf16-mixed, as processors do not train in 16-mixed"


@pytest.mark.usefixtures("plain_processor")
def test_a_training_says_and_records_that_it_computes_in_float32_instead(config):
    told: list[str] = []
    result = train(config, ["optim.precision=bf16-mixed"], lambda progress: told.append(progress.message))
    assert any("no bfloat16 instructions" in message for message in told)
    found = json.loads((result.folder / "environment.json").read_text(encoding="utf-8"))
    assert found["precision"] == "32-true"
