"""In which precision a training computes on the machine that it finds itself on."""

from __future__ import annotations

from napari_mrsynth.synthesis.device import bfloat16_units
from napari_mrsynth.training.config import TrainConfig

FULL, BFLOAT16, FLOAT16 = "32-true", "bf16-mixed", "16-mixed"

_NO_FLOAT16 = f"; processors do not train in {FLOAT16}"


def precision_here(config: TrainConfig) -> tuple[str, str]:
    """Return the precision to compute in, and in words why it is not the configuration's.

    A processor does not train in float16: bfloat16 is taken instead. One without bfloat16 instructions only
    imitates them, several times slower than float32, which is then taken.

    Parameters
    ----------
    config : TrainConfig

    Returns
    -------
    (str, str)
        As ``optim.precision``; the reason, empty where it is what was asked for.
    """
    asked = config.optim.precision
    if asked not in (BFLOAT16, FLOAT16) or not _on_processor(config.run.accelerator):
        return asked, ""
    if not bfloat16_units():
        slower = f"this processor has no bfloat16 instructions and would be slower in {BFLOAT16}"
        return FULL, f"in {FULL}, as {slower}{_NO_FLOAT16 if asked == FLOAT16 else ''}"
    return BFLOAT16, "" if asked == BFLOAT16 else f"in {BFLOAT16}, as processors do not train in {FLOAT16}"


def _on_processor(accelerator: str) -> bool:
    import torch

    if accelerator == "auto":
        return not (torch.cuda.is_available() or torch.backends.mps.is_available())
    return accelerator == "cpu"
