"""A predictor at work: fewer slices per pass when memory runs out, then the processor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_mrsynth.errors import DeviceError
from napari_mrsynth.synthesis.device import DevicePlan, on_cpu

if TYPE_CHECKING:
    from torch import Tensor

    from napari_mrsynth.systems import Predictor

T = TypeVar("T")
LARGEST_HALF = 65504.0


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: torch's own kind, Python's, or a driver's sentence."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


class Runner:
    """Runs a predictor in passes that fit the memory; safe to use from several threads.

    Parameters
    ----------
    load : callable
        Device and precision to the predictor there.
    plan : DevicePlan
        Where to start.
    batch : int
        Slices per pass to start with.

    Attributes
    ----------
    plan : DevicePlan
        Where it runs now.
    batch : int
        Slices per pass now.
    warnings : list of str
        What had to be changed on the way.
    """

    def __init__(self, load: Callable[[str, str], Predictor], plan: DevicePlan, batch: int) -> None:
        self._load, self._lock = load, Lock()
        self.plan, self.batch = plan, batch
        self.warnings: list[str] = []
        self.predictor = load(plan.device, plan.precision)

    def encode(self, contrast: str, slices: NDArray[np.float32]) -> Tensor:
        """Encode (B, 1 + 2 neighbours, H, W) to a compact latent on the CPU: two bytes a number, B first."""
        import torch

        whole = torch.from_numpy(slices)

        def work(predictor: Predictor, part: slice) -> Tensor:
            z = predictor.encode(contrast, whole[part])
            if z.dtype.itemsize > 2:
                z = z.clamp(-LARGEST_HALF, LARGEST_HALF).to(torch.float16)
            return z.cpu()

        return _joined(self._in_passes(work, len(slices)))

    def decode(self, latents: Mapping[str, Tensor], wanted: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Fuse and decode latents of the inputs that are on: (B, H, W) float32 per wanted contrast."""

        def work(predictor: Predictor, part: slice) -> dict[str, Tensor]:
            made = predictor.decode({contrast: z[part] for contrast, z in latents.items()}, wanted)
            return {contrast: plane.float().cpu() for contrast, plane in made.items()}

        passes = self._in_passes(work, _count(latents))
        return {c: np.asarray(_joined([made[c] for made in passes]).numpy(), np.float32) for c in wanted}

    def sources(self, latents: Mapping[str, Tensor]) -> NDArray[np.uint8]:
        """Return which of `latents`, by position, supplied most of each voxel: uint8 (B, H, W)."""

        def work(predictor: Predictor, part: slice) -> Tensor:
            return predictor.sources({contrast: z[part] for contrast, z in latents.items()}).cpu()

        return np.asarray(_joined(self._in_passes(work, _count(latents))).numpy(), np.uint8)

    def _in_passes(self, work: Callable[[Predictor, slice], T], count: int) -> list[T]:
        done: list[T] = []
        at = 0
        while at < count:
            predictor, batch = self.predictor, self.batch
            try:
                done.append(work(predictor, slice(at, at + batch)))
                at += batch
                continue
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
            self._retreat(predictor, min(batch, count))
        return done

    def _retreat(self, predictor: Predictor, batch: int) -> None:
        """Make the next pass smaller than `batch`, or move to the processor when it was a single slice."""
        with self._lock:
            if self.predictor is not predictor or self.batch < batch:
                return  # another thread has already done so
            if self.plan.device.startswith("cuda"):
                import torch

                torch.cuda.empty_cache()
            if batch > 1:
                self.batch = batch // 2
                self._warn(
                    f"Memory ran out on {self.plan.device} with {batch} slices at once: {self.batch} now."
                )
            elif self.plan.device != "cpu":
                left = self.plan.device
                self.plan = on_cpu(f"memory ran out on {left}")
                self.predictor = self._load(self.plan.device, self.plan.precision)
                self._warn(
                    f"Memory ran out on {left} even for one slice: the rest was made on the processor."
                )
            else:
                raise DeviceError(
                    "There is not enough memory for a single slice on the processor.",
                    hint="Close other programs, or use a smaller model.",
                )

    def _warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)


def _count(latents: Mapping[str, Tensor]) -> int:
    return int(next(iter(latents.values())).shape[0])


def _joined(parts: Sequence[Tensor]) -> Tensor:
    import torch

    return parts[0] if len(parts) == 1 else torch.cat(tuple(parts))
