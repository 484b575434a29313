"""Networks that map all their inputs at once to their outputs: location-sensitive, and an encoder-decoder.

Both are re-made from the ideas of their papers at the size of today's axial slices; their layer tables are
this project's own. They are what Joyce et al. 2017 compare with (table 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from napari_mrsynth.networks.blocks import conv3

LOCATION = ("at-S", "at-A", "at-R")
"""Names of the inputs that say where a voxel lies in the brain's box, 0 to 1 along each axis."""


class DirectNetwork(nn.Module):
    """What the networks here share: named inputs, all of them needed, and named outputs.

    Parameters
    ----------
    inputs, outputs : sequence of str
        Contrast names.
    neighbours : int
        Slices seen on each side of the one that is made.

    Attributes
    ----------
    multiple, margin : int
        H and W must be multiples of the one; the other is the background wanted around the brain, in voxels.
    needs_all : bool
        It makes nothing from a subset of its inputs.
    """

    multiple, margin = 1, 8
    needs_all = True

    def __init__(self, inputs: Sequence[str], outputs: Sequence[str], *, neighbours: int = 0) -> None:
        super().__init__()
        if not inputs or not outputs:
            raise ValueError("a direct network needs at least one input and one output")
        self.inputs, self.outputs, self.neighbours = tuple(inputs), tuple(outputs), neighbours

    def forward(self, slices: Tensor) -> Tensor:
        """Map (B, input, 1 + 2 neighbours, H, W) to (B, output, H, W)."""
        raise NotImplementedError


class LocationSensitive(DirectNetwork):
    """LSDN in the manner of Van Nguyen et al., MICCAI 2015: what a patch shows, weighed by where it lies.

    A voxel's 3x3 patch (in every input and neighbouring slice) and its place in the brain each go through a
    layer of their own; the two are multiplied, unit by unit, and two more layers make the value. Every layer
    sees one voxel: as convolutions, all voxels of a slice are made at once.

    Parameters
    ----------
    inputs, outputs : sequence of str
        Contrast names; among the inputs ``at-S``, ``at-A`` and ``at-R`` too, which say where a voxel lies.
    neighbours : int
        1 makes the patches 3x3x3.
    units : (int, int)
        Of the product and of the last hidden layer.
    """

    margin = 2

    def __init__(
        self,
        inputs: Sequence[str],
        outputs: Sequence[str],
        *,
        neighbours: int = 1,
        units: Sequence[int] = (200, 20),
    ) -> None:
        super().__init__(inputs, outputs, neighbours=neighbours)
        absent = [name for name in LOCATION if name not in inputs]
        seen = [place for place, name in enumerate(inputs) if name not in LOCATION]
        if absent or not seen:
            raise ValueError(
                f"a location-sensitive network needs a contrast and the inputs {', '.join(LOCATION)}"
            )
        self.seen, self.placed = seen, [list(inputs).index(name) for name in LOCATION]
        first, second = units
        self.what = conv3(len(seen) * (1 + 2 * neighbours), first)
        self.where = nn.Conv2d(len(LOCATION), first, 1)
        self.hidden = nn.Conv2d(first, second, 1)
        self.out = nn.Conv2d(second, len(outputs), 1)
        nn.init.ones_(self.where.bias)  # type: ignore[arg-type]
        nn.init.ones_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, slices: Tensor) -> Tensor:
        """Map (B, input, 1 + 2 neighbours, H, W) to (B, output, H, W)."""
        patches = slices[:, self.seen].flatten(1, 2)
        place = slices[:, self.placed, slices.shape[2] // 2]
        weighed = torch.tanh(self.what(patches)) * self.where(place)
        made: Tensor = self.out(torch.tanh(self.hidden(weighed)))
        return made


class EncoderDecoder(DirectNetwork):
    """DEDIS in the manner of Sevetlidis et al., SASHIMI 2016: a whole slice through a bottleneck.

    Every level halves the resolution; there are no skip connections, so that all that is made passes the
    bottleneck.

    Parameters
    ----------
    inputs, outputs : sequence of str
    neighbours : int
    widths : sequence of int
        Channels per level, from the finest.
    """

    def __init__(
        self,
        inputs: Sequence[str],
        outputs: Sequence[str],
        *,
        neighbours: int = 0,
        widths: Sequence[int] = (32, 64, 128),
    ) -> None:
        super().__init__(inputs, outputs, neighbours=neighbours)
        slope = 0.1
        layers: list[nn.Module] = [conv3(len(self.inputs) * (1 + 2 * neighbours), widths[0], slope)]
        for width, below in pairwise(widths):
            layers += [conv3(width, width, slope), nn.MaxPool2d(2), conv3(width, below, slope)]
        layers.append(conv3(widths[-1], widths[-1], slope))
        for below, width in pairwise(reversed(widths)):
            layers += [nn.Upsample(scale_factor=2, mode="nearest"), conv3(below, width, slope)]
            layers.append(conv3(width, width, slope))
        self.body = nn.Sequential(*layers)
        self.out = nn.Conv2d(widths[0], len(self.outputs), 1)
        self.multiple = 2 ** (len(widths) - 1)
        nn.init.ones_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, slices: Tensor) -> Tensor:
        """Map (B, input, 1 + 2 neighbours, H, W), H and W multiples of `multiple`, to (B, output, H, W)."""
        made: Tensor = self.out(self.body(slices.flatten(1, 2)))
        return made
