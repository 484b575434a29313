"""A training step against the same step written plainly, in one run.

    python benchmarks/training.py [CONFIG] [--set SETTING=VALUE]... [--repeats N] [--threads N]

The step is that of the configuration (by default the shipped one): augmented crops, cost, gradients, AdamW
and averaged weights, at its batch, crop and precision (float32 where the processor has no bfloat16), with the
network in channels-last memory. *Plainly* is float32 and contiguous memory, every subset of latents fused
whole and the voxelwise regression computed everywhere, with torch's AdamW and average of weights as they
come. The two take turns, so that other programs on the machine slow both; the processor's time stands beside
the clock's. Crops are made up, so no scans are needed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import napari_mrsynth.systems.anysubset.module as anysubset
from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork
from napari_mrsynth.training.augment import move, repaint
from napari_mrsynth.training.config import TrainConfig, load_config
from napari_mrsynth.training.module import average
from napari_mrsynth.training.precision import precision_here
from napari_mrsynth.training.registry import training_system

SHIPPED = Path(anysubset.__file__).parent / "configs" / "brain.yaml"
AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def main() -> None:
    args = _arguments()
    torch.set_num_threads(args.threads)
    config = load_config(args.config, args.set)
    slices, mask = crops(config)
    precision = precision_here(config)[0]
    dtype = AUTOCAST.get(precision)
    steps = {
        "ours": Step(config, torch.channels_last, dtype),
        "plain": Step(config, torch.contiguous_format, None),
    }
    wall: dict[str, list[float]] = {name: [] for name in steps}
    cpu: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(args.repeats + 1):
        for name, step in steps.items():
            start, cpu_start = time.perf_counter(), time.process_time()
            step(slices, mask, turn)
            if turn:  # the first warms up
                wall[name].append(time.perf_counter() - start)
                cpu[name].append(time.process_time() - cpu_start)
    seconds = {name: statistics.median(times) for name, times in wall.items()}
    processor = {name: statistics.median(times) for name, times in cpu.items()}
    report = {
        "config": args.config.name,
        "precision": precision,
        "batch": config.optim.batch,
        "crop": config.optim.crop,
        "threads": args.threads,
        "cores": os.cpu_count(),
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "torch": torch.__version__,
        "repeats": args.repeats,
        "ours_s": seconds["ours"],
        "plain_s": seconds["plain"],
        "times_faster": seconds["plain"] / seconds["ours"],
        "ours_cpu_s": processor["ours"],
        "plain_cpu_s": processor["plain"],
        "times_faster_cpu": processor["plain"] / processor["ours"],
    }
    print(json.dumps(report) if args.json else table(report))


class Step:
    """One optimiser step after another in one memory format and precision."""

    def __init__(self, config: TrainConfig, memory: torch.memory_format, dtype: torch.dtype | None) -> None:
        torch.manual_seed(0)
        self.config, self.memory, self.dtype = config, memory, dtype
        self.system: nn.Module = training_system(config, [1.0] * len(config.data.contrasts)).to(
            memory_format=memory
        )
        self.plain = memory is torch.contiguous_format
        self.optimiser = torch.optim.AdamW(
            self.system.parameters(), lr=config.optim.lr, fused=None if self.plain else True
        )
        self.decay = config.optim.ema or 0.999
        self.averaged = AveragedModel(
            self.system.network, multi_avg_fn=get_ema_multi_avg_fn(self.decay), use_buffers=True
        )

    def __call__(self, slices: Tensor, mask: Tensor, seed: int) -> None:
        """Take a step."""
        rng = torch.Generator().manual_seed(seed)
        slices, mask = move(slices, mask, self.config.augment, rng)
        truth = slices[:, :, slices.shape[2] // 2]
        inputs = torch.stack([repaint(x, self.config.augment, rng) for x in slices.unbind(1)], dim=1)
        with self._format(), self._fusion(), self._precision():
            loss = self.system.cost(inputs, truth, mask, rng)["loss"]
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.system.parameters(), self.config.optim.clip or 1e9)
        self.optimiser.step()
        if self.plain:
            self.averaged.update_parameters(self.system.network)
        else:
            average(self.averaged, self.system.network, self.decay)

    def _format(self) -> AbstractContextManager[object]:
        """Let the system's cost arrange its inputs as this step does."""
        arrange: Callable[[Tensor], Tensor] = lambda x: x.contiguous(memory_format=self.memory)  # noqa: E731
        return patch.object(anysubset, "_channels_last", arrange)

    def _fusion(self) -> AbstractContextManager[object]:
        """Let the plain step fuse whole latents, to the same result."""
        if not self.plain:
            return nullcontext()
        return patch.multiple(AnySubsetNetwork, in_parts=lambda _, z: z, fused_parts=AnySubsetNetwork.fuse)

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast("cpu", self.dtype) if self.dtype else nullcontext()


def crops(config: TrainConfig) -> tuple[Tensor, Tensor]:
    """Make a batch of textured discs, (B, contrast, planes, H, W), and their masks, (B, H, W)."""
    rng = torch.Generator().manual_seed(0)
    side, planes = config.optim.crop, 1 + 2 * int(config.network.get("neighbours", 0))
    row, column = torch.meshgrid(*(torch.linspace(-1, 1, side),) * 2, indexing="ij")
    mask = (row**2 + column**2 < 0.9).repeat(config.optim.batch, 1, 1)
    shape = (config.optim.batch, len(config.data.contrasts), planes, side, side)
    texture = 1 + 0.2 * torch.randn(shape, generator=rng)
    return texture * mask[:, None, None], mask


def table(report: dict[str, object]) -> str:
    """Write the report for people."""
    width = max(map(len, report))
    rows = {name: f"{value:.3f}" if isinstance(value, float) else value for name, value in report.items()}
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in rows.items())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A training step against the same step written plainly.")
    parser.add_argument("config", nargs="?", type=Path, default=SHIPPED)
    parser.add_argument("--set", action="append", default=[], metavar="SETTING=VALUE")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
