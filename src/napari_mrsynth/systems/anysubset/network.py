"""The any-subset network: an encoder per input contrast, one fused latent, decoders for every output.

Source: Joyce, Chartsias and Tsaftaris, "Robust Multi-Modal MR Image Synthesis", MICCAI 2017, and its journal
version (Chartsias et al., IEEE TMI 37(3), 2018). ``encoder="unet"``, ``decoder="shallow"`` and
``fusion="max"`` are the published network; the residual parts go beyond it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from napari_mrsynth.systems.anysubset.fusion import Fused, fuse, fuse_parts, inside, parts_of, total
from napari_mrsynth.systems.anysubset.published import ShallowDecoder, UNetEncoder
from napari_mrsynth.systems.anysubset.residual import ResidualDecoder, ResidualEncoder
from napari_mrsynth.systems.anysubset.transformer import SpatialTransformer


class AnySubsetNetwork(nn.Module):
    """Encoders, optional alignment, fusion, decoders.

    Parameters
    ----------
    inputs, outputs : sequence of str
        Contrast names.
    neighbours : int
        Slices seen on each side of the one that is made.
    encoder : ``unet`` or ``residual``
    decoder : ``shallow`` (one per output) or ``residual`` (one trunk, a head per output)
    fusion : ``max``, ``mean`` or ``max-mean-spread``
        The last gives the decoder the maximum, mean and mean absolute deviation of the present latents.
    latent : int
        Channels of the shared latent.
    encoder_widths, decoder_widths : sequence of int
        Of the residual parts; the first is the width of ``unet`` and ``shallow``.
    blocks : int
        Residual blocks per level.
    norm : bool
        Whether residual blocks are batch-normalised.
    aligned : bool
        Whether a spatial transformer aligns every latent to the first.
    aligner : str
        Its kind: ``affine`` (the paper's) or ``rigid``.
    positive : bool
        Whether outputs are rectified (the paper's are).
    voxelwise : int
        Numbers per voxel for the voxelwise regression of the residual decoder; 0 for none.

    Attributes
    ----------
    multiple : int
        H and W must be multiples of it.
    margin : int
        Voxels of background that should be kept around the brain; 0 where they have no bearing on the result.
    """

    def __init__(
        self,
        inputs: Sequence[str],
        outputs: Sequence[str],
        *,
        neighbours: int = 0,
        encoder: str = "unet",
        decoder: str = "shallow",
        fusion: str = "max",
        latent: int = 16,
        encoder_widths: Sequence[int] = (32,),
        decoder_widths: Sequence[int] = (32,),
        blocks: int = 1,
        norm: bool = False,
        aligned: bool = False,
        aligner: str = "affine",
        positive: bool = True,
        voxelwise: int = 0,
    ) -> None:
        super().__init__()
        if voxelwise and (aligned or encoder != "residual"):
            raise ValueError("voxelwise needs a residual encoder and contrasts that are aligned already")
        self.inputs, self.outputs, self.neighbours = tuple(inputs), tuple(outputs), neighbours
        self.fusion, self.positive, self.packed = fusion, positive, encoder == "residual"
        self.summed = 4 * voxelwise
        channels = 1 + 2 * neighbours
        self.encoders = nn.ModuleDict(
            {
                _key(c): _encoder(encoder, channels, latent, encoder_widths, blocks, norm, voxelwise)
                for c in self.inputs
            }
        )
        fused = latent * parts_of(fusion)
        if decoder == "shallow" and encoder == "unet":
            self.decoders = nn.ModuleDict(
                {_key(c): ShallowDecoder(fused, decoder_widths[0], positive=positive) for c in self.outputs}
            )
        elif decoder == "residual" and encoder == "residual":
            trunk = ResidualDecoder(
                fused, len(self.outputs), decoder_widths, blocks, norm=norm, voxelwise=voxelwise
            )
            self.decoders = nn.ModuleDict({"all": trunk})
        else:
            raise ValueError(
                f"decoder {decoder!r} is neither 'shallow' nor 'residual' after a residual encoder"
            )
        self.aligner: SpatialTransformer | None = None
        if aligned:
            channels, packed = (4 * latent, 2) if self.packed else (latent, 1)
            self.aligner = SpatialTransformer(channels, packed, aligner)
        self.multiple = max(
            int(getattr(m, "multiple", 1)) for m in (*self.encoders.values(), *self.decoders.values())
        )
        self.margin = max(int(encoder.margin) for encoder in self.encoders.values())  # type: ignore[arg-type]

    def encode(self, contrast: str, slices: Tensor) -> Tensor:
        """Encode one contrast: (B, 1 + 2 neighbours, H, W) to its latent, (B, latent, H, W) or packed."""
        z: Tensor = self.encoders[_key(contrast)](slices)
        return z

    def align(self, latents: Sequence[Tensor]) -> list[Tensor]:
        """Bring every latent to the first one; without a transformer, return them as they are."""
        if self.aligner is None:
            return list(latents)
        first = latents[0]
        return [first, *(self.aligner(first, other) for other in latents[1:])]

    def fuse(self, latents: Sequence[Tensor]) -> Tensor:
        """Fuse the present latents voxel by voxel; parts of the fusion are stacked along the channels.

        What the voxelwise regression needs is summed and comes last.
        """
        shared = fuse([self.shared(z) for z in latents], self.fusion)
        return torch.cat([shared, self._total(latents)], dim=1) if self.summed else shared

    def in_parts(self, z: Tensor) -> Tensor | Fused:
        """Return a latent for :meth:`fused_parts`: in parts where there is a voxelwise regression.

        Worth doing once where one latent is fused several times.
        """
        if not self.summed:
            return z
        shared = self.shared(z)
        return Fused(shared, z[:, -self.summed :], inside(shared))

    def fused_parts(self, latents: Sequence[Tensor | Fused]) -> Tensor | Fused:
        """Fuse latents, whole or :meth:`in_parts`, to what :meth:`answers` takes.

        It makes the same of it as of :meth:`fuse`'s, with less work: in parts where there is a voxelwise
        regression.
        """
        parts = [z if isinstance(z, Fused) else self.in_parts(z) for z in latents]
        apart = [z for z in parts if isinstance(z, Fused)]
        if not apart:
            return self.fuse([z for z in parts if isinstance(z, Tensor)])
        return fuse_parts(apart, self.fusion)

    def _total(self, latents: Sequence[Tensor]) -> Tensor:
        return total([z[:, -self.summed :] for z in latents])

    def shared(self, z: Tensor | Fused) -> Tensor:
        """Return what all contrasts share of a latent: all but what the voxelwise regression needs."""
        if isinstance(z, Fused):
            return z.shared
        if not self.summed:
            return z
        # A copy without gaps: every pass over a view with gaps takes several times as long.
        return z[:, : -self.summed].contiguous(memory_format=torch.channels_last)

    def decode(self, fused: Tensor | Fused, wanted: Sequence[str] | None = None) -> Tensor:
        """Decode a fused latent to (B, len(wanted), H, W); all outputs, in order, where `wanted` is None."""
        made = self.answers(fused, wanted)[-1]
        return torch.relu(made) if self.positive and self.packed and not self.training else made

    def answers(self, fused: Tensor | Fused, wanted: Sequence[str] | None = None) -> list[Tensor]:
        """Return the result, after that of the voxelwise regression where there is one; all are trained."""
        wanted = self.outputs if wanted is None else wanted
        if "all" in self.decoders:
            places = [self.outputs.index(contrast) for contrast in wanted]
            return [made[:, places] for made in self.decoders["all"].answers(fused)]  # type: ignore[operator]
        return [torch.cat([self.decoders[_key(contrast)](fused) for contrast in wanted], dim=1)]

    def voxelwise_of(self, contrast: str, patches: Tensor) -> Tensor:
        """Return what the voxelwise regression adds up of one contrast, for single voxels.

        Maps (N, maps, 3, 3), of :func:`~napari_mrsynth.systems.anysubset.voxelwise.with_surroundings`, to
        (1, numbers, N, 1).
        """
        encoded: Tensor = self.encoders[_key(contrast)].voxelwise.of_patches(patches)  # type: ignore[operator, union-attr]
        return encoded

    def voxelwise_made(self, total: Tensor) -> Tensor:
        """Return what the voxelwise regression makes of sums over contrasts, for single voxels.

        Maps (1, numbers, N, 1) to (N, outputs).
        """
        made: Tensor = self.decoders["all"].voxelwise(total)  # type: ignore[operator]
        return made[0, :, :, 0].T

    def unpacked(self, z: Tensor) -> Tensor:
        """Return a latent, or a fused one, as (B, channels, H, W), whichever way the encoders keep it."""
        return nn.functional.pixel_shuffle(self.shared(z), 2) if self.packed else z

    def forward(self, slices: Mapping[str, Tensor]) -> Tensor:
        """Synthesise every output from whichever inputs are there: (B, len(outputs), H, W)."""
        latents = [self.encode(contrast, x) for contrast, x in slices.items()]
        return self.decode(self.fuse(self.align(latents)))


def _encoder(
    kind: str,
    channels: int,
    latent: int,
    widths: Sequence[int],
    blocks: int,
    norm: bool,
    voxelwise: int,
) -> nn.Module:
    if kind == "unet":
        return UNetEncoder(channels, latent, widths[0])
    if kind == "residual":
        return ResidualEncoder(channels, latent, widths, blocks, norm=norm, voxelwise=voxelwise)
    raise ValueError(f"encoder {kind!r} is neither 'unet' nor 'residual'")


def _key(contrast: str) -> str:
    """Return a contrast's key among torch modules, which may hold no dot and shadow no attribute."""
    return "of_" + contrast.replace(".", "_dot_")
