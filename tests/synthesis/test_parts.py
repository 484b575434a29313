"""The engine's small parts: requests, the cache, the device's choice, the workers."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from napari_mrsynth.errors import DeviceError, InputError
from napari_mrsynth.synthesis import Request, choose
from napari_mrsynth.synthesis.cache import ByteCache
from napari_mrsynth.synthesis.workers import attend, follow, workers
from synthesis.fakes import fake_store


def test_a_request_is_plain_data_without_repeats() -> None:
    request = Request(("FLAIR", "FLAIR"), ("T1w", "T2w", "T1w"))
    assert request.as_dict()["wanted"] == ["FLAIR"]
    assert request.used == ("T1w", "T2w")
    with pytest.raises(DeviceError, match="no precision 'fp8'"):
        Request(("FLAIR",), ("T1w",), precision="fp8")
    with pytest.raises(InputError, match="batch of 0"):
        Request(("FLAIR",), ("T1w",), batch=0)


def test_the_cache_drops_the_longest_unused_and_never_grows_beyond_its_limit() -> None:
    cache = ByteCache(100)
    for name in "abc":
        cache.put(name, name.upper(), 30)
    assert cache.get("a") == "A"
    cache.put("d", "D", 30)
    assert cache.get("b") is None
    assert [cache.get(name) for name in "acd"] == ["A", "C", "D"]
    assert cache.nbytes == 90
    cache.put("a", "again", 10)
    assert (cache.nbytes, len(cache)) == (70, 3)
    cache.put("huge", "H", 101)
    assert "huge" not in cache
    assert len(cache) == 3
    cache.clear()
    assert (cache.nbytes, len(cache)) == (0, 0)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    return monkeypatch


@pytest.mark.parametrize(
    ("units", "precision", "why"),
    [
        ("amx_bf16", "bf16", "with AMX"),
        ("avx512_bf16", "bf16", "with AVX-512 BF16"),
        ("avx512_f", "fp32", "without bfloat16 instructions"),
    ],
)
def test_a_processor_uses_bfloat16_only_where_it_has_instructions_for_it(
    no_gpu: pytest.MonkeyPatch, units: str, precision: str, why: str
) -> None:
    no_gpu.setattr(torch.cpu, "get_capabilities", lambda: {units: True}, raising=False)
    plan = choose()
    assert (plan.device, plan.precision) == ("cpu", precision)
    assert why in plan.why
    assert "no GPU is here" in plan.why


def test_an_apple_gpu_is_preferred_and_runs_in_fp32(no_gpu: pytest.MonkeyPatch) -> None:
    no_gpu.setattr(torch.backends.mps, "is_available", lambda: True)
    assert (choose().device, choose().precision) == ("mps", "fp32")
    with pytest.raises(DeviceError, match="not bf16"):
        choose("mps", "bf16")


@pytest.mark.parametrize(("able", "precision"), [(True, "bf16"), (False, "fp16")])
def test_a_cuda_gpu_comes_before_all(no_gpu: pytest.MonkeyPatch, able: bool, precision: str) -> None:
    no_gpu.setattr(torch.cuda, "is_available", lambda: True)
    no_gpu.setattr(torch.cuda, "device_count", lambda: 1)
    no_gpu.setattr(torch.cuda, "get_device_name", lambda device: "A GPU")
    no_gpu.setattr(torch.cuda, "is_bf16_supported", lambda: able)
    plan = choose()
    assert (plan.device, plan.precision) == ("cuda", precision)
    assert "A GPU" in plan.why
    assert choose("cuda", "fp32").precision == "fp32"
    with pytest.raises(DeviceError, match="no cuda:3"):
        choose("cuda:3")


@pytest.mark.parametrize(
    ("device", "precision", "says"),
    [
        ("cuda", "auto", "no CUDA GPU"),
        ("mps", "auto", "no Apple GPU"),
        ("tpu", "auto", "no device 'tpu'"),
        ("cpu", "fp16", "not fp16"),
    ],
)
def test_what_is_not_here_is_refused(
    no_gpu: pytest.MonkeyPatch, device: str, precision: str, says: str
) -> None:
    with pytest.raises(DeviceError, match=says):
        choose(device, precision)


def test_workers_share_the_threads_and_give_them_back() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        with workers(2) as pool:
            assert pool.submit(torch.get_num_threads).result() == 2
            assert torch.get_num_threads() == 4
        seen: list[int] = []
        later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        later.start()
        later.join()
        assert seen == [4]
    finally:
        torch.set_num_threads(before)


def test_a_long_task_is_followed_by_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_mrsynth.synthesis.workers.HEARTBEAT", 0.01)
    gate = threading.Event()
    with workers(1) as pool:
        steps = follow(pool, lambda _: gate.wait(), ["task"], ahead=1)
        assert [next(steps), next(steps)] == [None, None]
        gate.set()
        assert [step for step in steps if step is not None] == ["task"]


def test_a_worker_may_be_held_to_one_core_and_the_others_keep_theirs() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with workers(1, cores=1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 1
        with workers(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_call_without_steps_is_attended_and_can_be_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_mrsynth.synthesis.workers.HEARTBEAT", 0.01)
    gate = threading.Event()
    left = attend(gate.wait, "busy")
    assert [next(left), next(left)] == ["busy", "busy"]
    left.close()  # returns although the call still runs
    followed = attend(gate.wait, "busy")
    assert [next(followed), next(followed)] == ["busy", "busy"]
    gate.set()
    assert list(followed) in ([], ["busy"])

    def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(attend(fail, "busy"))


def test_a_failing_task_ends_the_others() -> None:
    ran: list[int] = []

    def work(number: int) -> None:
        ran.append(number)
        if number == 1:
            raise ValueError("broken")

    with workers(1) as pool, pytest.raises(ValueError, match="broken"):
        list(follow(pool, work, range(100), ahead=2))
    assert len(ran) < 6


def test_a_check_does_not_import_torch(tmp_path: Path) -> None:
    fake_store(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from phantoms import brain_study\n"
        "from napari_mrsynth.bundles import BundleStore\n"
        "from napari_mrsynth.synthesis import Engine, Request\n"
        f"engine = Engine(BundleStore([{str(tmp_path)!r}]))\n"
        "assert engine.check(brain_study(), Request(('FLAIR',), ('T1w',))) is None\n"
        "assert engine.check(brain_study(), Request(('SWI',), ('T1w',)))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
