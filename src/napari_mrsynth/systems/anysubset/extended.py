"""An any-subset network with outputs that were added later, beside a trunk shared by the first ones.

A residual decoder is one trunk with a head per output, trained together: a new head on the frozen trunk would
have to make do with features that were learnt for other contrasts, and a trunk that learns again would change
the old outputs. So an added output gets a decoder of its own, as every output of the published network has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from napari_mrsynth.systems.anysubset.fusion import Fused
from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork


class ExtendedNetwork(AnySubsetNetwork):
    """An :class:`AnySubsetNetwork` some of whose outputs have decoders of their own.

    Invariant: the outputs in `own` come last, and the others are made exactly as without them.

    Parameters
    ----------
    inputs, outputs : sequence of str
        Contrast names.
    own : sequence of str
        The outputs that were added.
    **params
        Of the residual network that was extended.
    """

    def __init__(
        self, inputs: Sequence[str], outputs: Sequence[str], *, own: Sequence[str], **params: Any
    ) -> None:
        own = tuple(own)
        unknown = [contrast for contrast in own if contrast not in outputs]
        shared = [contrast for contrast in outputs if contrast not in own]
        if unknown or not shared or params.get("decoder") != "residual":
            raise ValueError(
                f"own={', '.join(own)} of outputs={', '.join(outputs)}: no shared residual decoder is left"
            )
        super().__init__(inputs, shared, **params)
        for contrast in own:
            alone = AnySubsetNetwork(tuple(inputs)[:1], [contrast], **params)
            self.decoders[self.own_key(contrast)] = alone.decoders["all"]
        self.own, self.outputs = own, (*shared, *own)

    @staticmethod
    def own_key(contrast: str) -> str:
        """Return the key of an added output's decoder among torch modules."""
        return "own_" + contrast.replace(".", "_dot_")

    def answers(self, fused: Tensor | Fused, wanted: Sequence[str] | None = None) -> list[Tensor]:
        """Return the result, after that of the voxelwise regression where there is one."""
        wanted = self.outputs if wanted is None else wanted
        shared = [contrast for contrast in wanted if contrast not in self.own]
        planes: dict[str, list[Tensor]] = {}
        if shared:
            made = [each.unbind(1) for each in super().answers(fused, shared)]
            planes.update(zip(shared, map(list, zip(*made, strict=True)), strict=True))
        for contrast in wanted:
            if contrast in self.own:
                own = self.decoders[self.own_key(contrast)].answers(fused)  # type: ignore[operator]
                planes[contrast] = [each[:, 0] for each in own]
        return [torch.stack(each, dim=1) for each in zip(*(planes[c] for c in wanted), strict=True)]
