"""A bundle as ONNX graphs: an encoder per input, and one graph that fuses and decodes whichever are there."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from napari_mrsynth.bundles import Bundle
from napari_mrsynth.bundles.card import CARD_FILE
from napari_mrsynth.errors import BundleError
from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork
from napari_mrsynth.systems.anysubset.predictor import AnySubsetPredictor
from napari_mrsynth.training.extras import require
from napari_mrsynth.training.newfolder import new_folder


class Encoder(nn.Module):
    """One input's encoder.

    Parameters
    ----------
    network : AnySubsetNetwork
    contrast : str
        Which input.
    """

    def __init__(self, network: AnySubsetNetwork, contrast: str) -> None:
        super().__init__()
        self.network, self.contrast = network, contrast

    def forward(self, slices: Tensor) -> Tensor:
        """Map (B, 1 + 2 neighbours, H, W) to the input's latent."""
        return self.network.encode(self.contrast, slices)


class StackedDecoder(nn.Module):
    """Fusion and decoding of a stack of latents, as many as there are.

    What the voxelwise regression needs is summed and comes last, as in :meth:`AnySubsetNetwork.fuse`.

    Parameters
    ----------
    network : AnySubsetNetwork
    """

    def __init__(self, network: AnySubsetNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, latents: Tensor) -> Tensor:
        """Map (inputs, B, C, h, w) to (B, outputs, H, W)."""
        whole = latents.shape[2] - self.network.summed
        shared = latents[:, :, :whole]
        parts = [shared.amax(0)]
        if self.network.fusion != "max":
            mean = shared.mean(0)
            spread = (shared - mean).abs().mean(0)
            parts = [mean] if self.network.fusion == "mean" else [*parts, mean, spread]
        if self.network.summed:
            parts.append(latents[:, :, whole:].sum(0))
        return self.network.decode(torch.cat(parts, dim=1))


def write_onnx(bundle: Bundle, folder: Path) -> Path:
    """Write a bundle as ONNX.

    Parameters
    ----------
    bundle : Bundle
        Of the any-subset system, without a spatial transformer.
    folder : Path
        Gets ``encoder-CONTRAST.onnx`` for every input, ``decoder.onnx``, the card and a README.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    BundleError
        If the bundle is of another system, or aligns its latents.
    ConfigError
        If the packages for ONNX are not installed.
    OutputError
        If the folder cannot be written, or holds something.
    """
    require("onnx")
    if bundle.card.system != "anysubset":
        raise BundleError(
            f"The system {bundle.card.system!r} cannot be written as ONNX.", hint="The system anysubset can."
        )
    network = AnySubsetPredictor.from_bundle(bundle).network
    if network.aligner is not None:
        raise BundleError(
            f"{bundle.card.id} has a spatial transformer, which cannot be written as ONNX.",
            hint="Train with network.aligned=false.",
        )
    batch, high, wide, inputs = (
        torch.export.Dim(name, min=1, max=4096) for name in ("b", "h", "w", "inputs")
    )
    step = network.multiple
    example = torch.randn(2, 1 + 2 * network.neighbours, 3 * step, 4 * step)
    stack = torch.stack([Encoder(network, c)(example) for c in network.inputs[:2] * 2])
    cell = step * stack.shape[-1] // example.shape[-1]
    with new_folder(folder) as fresh:
        for contrast in network.inputs:
            shape = {0: batch, 2: step * high, 3: step * wide}
            _write(Encoder(network, contrast), example, shape, ("slices", "latent"), fresh / _file(contrast))
        shape = {0: inputs, 1: batch, 3: cell * high, 4: cell * wide}
        _write(StackedDecoder(network), stack, shape, ("latents", "made"), fresh / "decoder.onnx")
        shutil.copy(bundle.folder / CARD_FILE, fresh / CARD_FILE)
        (fresh / "README.md").write_text(_readme(bundle, step), encoding="utf-8")
    return folder


def _file(contrast: str) -> str:
    return f"encoder-{contrast}.onnx"


def _write(
    module: nn.Module, example: Tensor, shape: Mapping[int, object], names: Sequence[str], path: Path
) -> None:
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module.eval(),
                (example,),
                dynamo=True,
                dynamic_shapes=(dict(shape),),
                input_names=[names[0]],
                output_names=[names[1]],
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    program.save(str(path))


def _readme(bundle: Bundle, step: int) -> str:
    card = bundle.card
    return f"""# {card.title or card.id}

> **{card.intended_use}**

The bundle `{card.id}` as ONNX. `card.yaml` says what it was trained on and how well it does.

- `encoder-CONTRAST.onnx`, for {", ".join(card.inputs)}:
  `slices` (B, {1 + 2 * card.neighbours}, H, W), float32, to `latent`. The middle plane is the one that is
  made; the others are the axial slices beside it. H and W are multiples of {step}.
- `decoder.onnx`: `latents`, the latents of whichever inputs are there, stacked (inputs, B, C, h, w),
  to `made` (B, {len(card.outputs)}, H, W): {", ".join(card.outputs)}, in this order.

Slices are axial, (A, R), at {card.spacing_mm:g} mm, 0 outside the brain and normalised by
`{card.normalisation["method"]}` over the brain.

```python
import numpy as np, onnxruntime

encode = {{c: onnxruntime.InferenceSession(f"encoder-{{c}}.onnx") for c in slices}}
latents = np.stack([encode[c].run(None, {{"slices": x}})[0] for c, x in slices.items()])
(made,) = onnxruntime.InferenceSession("decoder.onnx").run(None, {{"latents": latents}})
```
"""
