"""When memory runs out: smaller passes, then the processor, always with a word about it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_mrsynth.errors import DeviceError
from napari_mrsynth.synthesis import Engine, Request
from napari_mrsynth.synthesis.runner import is_out_of_memory
from phantoms import brain_study
from synthesis.fakes import FakePredictor, fake_engine, fake_store, plan
from synthesis.test_engine import finish

REQUEST = Request(("FLAIR",), ("T1w", "T2w"), batch=8)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
        MemoryError(),
    ],
)
def test_a_pass_that_does_not_fit_is_halved_until_it_does(tmp_path: Path, error: Exception) -> None:
    study = brain_study()
    predictor = FakePredictor(lambda batch: error if batch > 2 else None)
    result, _ = finish(fake_engine(tmp_path / "a", predictor).run(study, REQUEST))
    assert max(shape[0] for _, shape in predictor.encoded) == 2
    assert result.warnings == (
        "Memory ran out on cpu with 8 slices at once: 4 now.",
        "Memory ran out on cpu with 4 slices at once: 2 now.",
    )
    plain, _ = finish(fake_engine(tmp_path / "b", FakePredictor()).run(study, REQUEST))
    np.testing.assert_array_equal(result.outputs["FLAIR"].array, plain.outputs["FLAIR"].array)


def test_a_slice_that_does_not_fit_the_gpu_is_made_on_the_processor(tmp_path: Path) -> None:
    study = brain_study()
    on_gpu = FakePredictor(lambda batch: RuntimeError("MPS backend out of memory"))
    on_cpu = FakePredictor()
    engine = Engine(
        fake_store(tmp_path),
        load_predictor=lambda bundle, device, precision: on_cpu if device == "cpu" else on_gpu,
        choose_device=lambda device, precision: plan(device="mps", workers=2),
    )
    result, _ = finish(engine.run(study, REQUEST))
    assert result.device == "cpu"
    assert result.provenance["FLAIR"]["device"] == "cpu"
    assert any("even for one slice: the rest was made on the processor" in w for w in result.warnings)
    plain, _ = finish(fake_engine(tmp_path / "b", FakePredictor()).run(study, REQUEST))
    np.testing.assert_array_equal(result.outputs["FLAIR"].array, plain.outputs["FLAIR"].array)


def test_no_memory_anywhere_is_an_error_that_says_so(tmp_path: Path) -> None:
    engine = fake_engine(tmp_path, FakePredictor(lambda batch: MemoryError()))
    with pytest.raises(DeviceError, match="not enough memory for a single slice"):
        finish(engine.run(brain_study(), REQUEST))


def test_another_error_is_not_mistaken_for_it(tmp_path: Path) -> None:
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))
    assert not is_out_of_memory(ValueError("out of memory"))
    engine = fake_engine(tmp_path, FakePredictor(lambda batch: RuntimeError("shapes do not fit")))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        finish(engine.run(brain_study(), REQUEST))
