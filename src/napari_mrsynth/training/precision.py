"""In which precision a training computes on the machine that it finds itself on."""

from __future__ import annotations

from napari_mrsynth.synthesis.device import bfloat16_units
from napari_mrsynth.training.config import TrainConfig

FULL, BFLOAT16 = "32-true", "bf16-mixed"


def precision_here(config: TrainConfig) -> tuple[str, str]:
    """Return the precision to compute in, and in words why it is not the configuration's.

    A processor without bfloat16 instructions only imitates them, several times slower than float32, which is
    then taken instead.

    Parameters
    ----------
    config : TrainConfig

    Returns
    -------
    (str, str)
        As ``optim.precision``; the reason, empty where it is what was asked for.
    """
    asked = config.optim.precision
    if asked != BFLOAT16 or not _on_processor(config.run.accelerator) or bfloat16_units():
        return asked, ""
    return FULL, f"in {FULL}, as this processor has no bfloat16 instructions and would be slower in {asked}"


def _on_processor(accelerator: str) -> bool:
    import torch

    if accelerator == "auto":
        return not (torch.cuda.is_available() or torch.backends.mps.is_available())
    return accelerator == "cpu"
