"""Where and in what precision to compute, chosen by what is here, with the reason in words."""

from __future__ import annotations

from dataclasses import dataclass

from napari_mrsynth.errors import DeviceError

MOST_WORKERS = 8


@dataclass(frozen=True)
class DevicePlan:
    """A device and how it is used.

    Attributes
    ----------
    device : str
        ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
    precision : str
        ``fp32``, ``bf16`` or ``fp16``.
    why : str
        The reason, for people.
    batch : int
        Axial slices per pass where the request leaves it open.
    workers : int
        Passes under way at once.
    """

    device: str
    precision: str
    why: str
    batch: int = 1
    workers: int = 1


def choose(device: str = "auto", precision: str = "auto") -> DevicePlan:
    """Choose a device and a precision, or check the ones that were asked for.

    A processor computes in float32 unless it has instructions for bfloat16 (AMX, AVX-512 BF16): measured
    with them, convolutions run twice as fast or better; without them, bfloat16 is slower. It takes two slices
    per pass (with one, the calls themselves weigh more; many do not fit its caches), one pass per core.

    Parameters
    ----------
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    precision : str
        ``auto``, ``fp32``, ``bf16`` or ``fp16``.

    Raises
    ------
    DeviceError
        If the device is not here, or cannot compute in that precision.
    """
    import torch

    has_cuda, has_mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if device == "auto":
        found = "cuda" if has_cuda else "mps" if has_mps else "cpu"
        because = {"cuda": "a CUDA GPU is here", "mps": "an Apple GPU is here", "cpu": "no GPU is here"}[
            found
        ]
    else:
        found, because = device, "as asked"
    kind = found.partition(":")[0]
    if kind == "cpu":
        return _on_cpu(precision, because)
    if kind == "cuda":
        _require_cuda(found, has_cuda, torch.cuda.device_count() if has_cuda else 0)
        if precision == "auto":
            precision = "bf16" if torch.cuda.is_bf16_supported() else "fp16"
        return DevicePlan(found, precision, f"{torch.cuda.get_device_name(found)}: {because}", batch=16)
    if kind == "mps":
        if not has_mps:
            raise DeviceError("There is no Apple GPU here.", hint="Choose the device cpu or auto.")
        if precision == "bf16":
            raise DeviceError("Apple GPUs are used in fp32 here, not bf16.", hint="Choose fp32 or auto.")
        return DevicePlan(
            "mps", "fp32" if precision == "auto" else precision, f"Apple GPU: {because}", batch=8
        )
    raise DeviceError(f"There is no device {device!r}.", hint="Choose auto, cpu, cuda or mps.")


def on_cpu(why: str) -> DevicePlan:
    """Return the plan for the processor in its best precision, giving `why`."""
    return _on_cpu("auto", why)


def bfloat16_units() -> str:
    """Return the processor's bfloat16 instructions, ``AMX`` or ``AVX-512 BF16``; empty where it has none."""
    import torch

    report = getattr(torch.cpu, "get_capabilities", None)  # older versions of torch do not say
    found = report() if report is not None else {}
    for key, name in (("amx_bf16", "AMX"), ("avx512_bf16", "AVX-512 BF16")):
        if found.get(key, False):
            return name
    return ""


def _on_cpu(precision: str, because: str) -> DevicePlan:
    import torch

    if precision == "fp16":
        raise DeviceError("Processors compute in fp32 or bf16, not fp16.", hint="Choose fp32 or auto.")
    found = bfloat16_units()
    if precision == "auto":
        precision = "bf16" if found else "fp32"
    if found:
        units = f"with {found}"
    elif precision == "bf16":
        units = "without bfloat16 instructions, bf16 will be slower than fp32"
    else:
        units = "without bfloat16 instructions, fp32 is fastest"
    workers = min(torch.get_num_threads(), MOST_WORKERS)
    return DevicePlan("cpu", precision, f"processor {units}: {because}", batch=2, workers=workers)


def _require_cuda(device: str, available: bool, count: int) -> None:
    if not available:
        raise DeviceError(
            "There is no CUDA GPU that torch can use here.", hint="Choose the device cpu or auto."
        )
    index = device.partition(":")[2]
    if index and (not index.isdigit() or int(index) >= count):
        raise DeviceError(f"There is no {device}, only {count} CUDA GPU(s).", hint="Choose cuda or auto.")
