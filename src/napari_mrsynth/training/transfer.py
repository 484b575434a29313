"""A trained network made ready to learn something new: which parts learn, and what is added to it.

Adding an input adds an encoder; adding an output adds a decoder. All else stays as it was, number for number,
so that whatever the network could do it still does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_mrsynth.errors import ConfigError
from napari_mrsynth.imaging.contrasts import canonical

if TYPE_CHECKING:
    from torch import Size, Tensor, nn

    from napari_mrsynth.bundles import Bundle
    from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork

PARTS = ("decoder", "all", "transformer")
"""What can be fine-tuned: all decoders, everything, or the spatial transformer."""


@dataclass(frozen=True)
class Addition:
    """A contrast to be added, and the one whose trained part it starts from.

    Attributes
    ----------
    contrast : str
        Any name: ``CT``, ``PDw``.
    like : str
        A contrast the network has; empty for its first one.
    """

    contrast: str
    like: str = ""

    @classmethod
    def parse(cls, text: str) -> Addition:
        """Read ``NAME`` or ``NAME=LIKE``; spellings of known contrasts become their names.

        Raises
        ------
        ConfigError
            If a name is missing.
        """
        contrast, equals, like = (part.strip() for part in text.partition("="))
        if not contrast or (equals and not like):
            raise ConfigError(f"{text!r} names no contrast.", hint="Write NAME or NAME=LIKE: PDw=T2w")
        return cls(canonical(contrast), canonical(like))


@dataclass(frozen=True)
class Transfer:
    """A network that is ready to learn.

    Attributes
    ----------
    network : AnySubsetNetwork
        With the bundle's weights, and what was added to it.
    spec : mapping
        What a card says of it: ``name`` and parameters.
    parts : tuple of nn.Module
        What learns.
    added_inputs, added_outputs : tuple of str
    """

    network: AnySubsetNetwork
    spec: Mapping[str, Any]
    parts: tuple[nn.Module, ...]
    added_inputs: tuple[str, ...] = ()
    added_outputs: tuple[str, ...] = ()


def opened(bundle: Bundle) -> AnySubsetNetwork:
    """Return the network of an any-subset bundle with its verified weights, in float32.

    Raises
    ------
    BundleError
        If it is of another system, or its weights do not fit.
    """
    from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork
    from napari_mrsynth.systems.loading import load_network

    return load_network(bundle, AnySubsetNetwork, "anysubset")


def tuned(bundle: Bundle, parts: str = "decoder") -> Transfer:
    """Open a bundle to fine-tune some of its parts.

    Raises
    ------
    ConfigError
        If there are no such parts, or the network has no spatial transformer.
    """
    if parts not in PARTS:
        raise ConfigError(f"There are no parts {parts!r}.", hint=f"Choose {', '.join(PARTS)}.")
    network = opened(bundle)
    chosen: nn.Module | None = {"decoder": network.decoders, "all": network}.get(parts, network.aligner)
    if chosen is None:
        raise ConfigError(
            f"{bundle.card.id} has no spatial transformer.", hint="Fine-tune its decoder: --parts decoder"
        )
    return Transfer(network, dict(bundle.card.network), (chosen,))


def grown(
    bundle: Bundle, inputs: Sequence[Addition] = (), outputs: Sequence[Addition] = (), seed: int = 0
) -> Transfer:
    """Open a bundle and add encoders for new inputs and decoders for new outputs.

    An added part starts as a copy of the one it is like. A shared residual decoder gets a companion of the
    same build for each new output (see :mod:`napari_mrsynth.systems.anysubset.extended`).

    Parameters
    ----------
    bundle : Bundle
        Of the system ``anysubset``.
    inputs, outputs : sequence of Addition
    seed : int
        Of the few numbers that have nothing to start from.

    Raises
    ------
    ConfigError
        If a contrast is there already, named twice, or like one that is not there.
    """
    import torch

    from napari_mrsynth.networks.registry import build_as
    from napari_mrsynth.systems.anysubset.network import AnySubsetNetwork

    card = bundle.card
    for what, additions, known in (("input", inputs, card.inputs), ("output", outputs, card.outputs)):
        _require_new(card.id, what, additions, known)
    old = opened(bundle)
    spec = dict(card.network)
    spec["inputs"] = [*card.inputs, *(addition.contrast for addition in inputs)]
    spec["outputs"] = [*card.outputs, *(addition.contrast for addition in outputs)]
    if outputs and spec.get("decoder") == "residual":
        spec["name"] = "anysubset-extended"
        spec["own"] = [*spec.get("own", ()), *(addition.contrast for addition in outputs)]
    torch.manual_seed(seed)
    network = build_as(spec, AnySubsetNetwork)
    network.load_state_dict({**network.state_dict(), **old.state_dict()})
    parts: list[nn.Module] = []
    for addition in inputs:
        encoder = _encoder(network, addition.contrast)
        encoder.load_state_dict(_encoder(old, addition.like or card.inputs[0]).state_dict())
        parts.append(encoder)
    for addition in outputs:
        decoder, _ = _decoder(network, addition.contrast)
        _start_like(decoder, old, addition.like or card.outputs[0])
        parts.append(decoder)
    added = tuple(a.contrast for a in inputs), tuple(a.contrast for a in outputs)
    return Transfer(network, spec, tuple(parts), *added)


def _require_new(bundle_id: str, what: str, additions: Sequence[Addition], known: Sequence[str]) -> None:
    names = [addition.contrast for addition in additions]
    there = [name for name in names if name in known]
    if there:
        raise ConfigError(
            f"{bundle_id} has the {what} {', '.join(there)} already.",
            hint="Fine-tune it without adding anything, or choose another name.",
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"The {what} {', '.join(twice)} is added twice.", hint="Name it once.")
    unlike = [addition.like for addition in additions if addition.like and addition.like not in known]
    if unlike:
        raise ConfigError(
            f"{bundle_id} has no {what} {', '.join(unlike)} to start from.",
            hint=f"Choose from {', '.join(known)}.",
        )


def _encoder(network: AnySubsetNetwork, contrast: str) -> nn.Module:
    return list(network.encoders.values())[network.inputs.index(contrast)]


def _decoder(network: AnySubsetNetwork, contrast: str) -> tuple[nn.Module, int]:
    """Return the decoder of an output, and its place among the outputs that decoder makes."""
    from napari_mrsynth.systems.anysubset.extended import ExtendedNetwork

    if isinstance(network, ExtendedNetwork) and contrast in network.own:
        return network.decoders[network.own_key(contrast)], 0
    if "all" in network.decoders:
        return network.decoders["all"], network.outputs.index(contrast)
    return list(network.decoders.values())[network.outputs.index(contrast)], 0


def _start_like(decoder: nn.Module, old: AnySubsetNetwork, like: str) -> None:
    """Copy the trained decoder of `like`, and its own channel only of what a layer makes or reads of several.

    A head after a voxelwise regression reads the regression's answer for every output: without those of the
    others the copy begins close to `like`, not equal to it.
    """
    source, place = _decoder(old, like)
    wanted = decoder.state_dict()
    decoder.load_state_dict(
        {name: _own(value, wanted[name].shape, place) for name, value in source.state_dict().items()}
    )


def _own(value: Tensor, wanted: Size, place: int) -> Tensor:
    """Return what of a layer for several outputs is one's: its row, and its column after the shared ones."""
    import torch

    if value.shape[:1] != wanted[:1]:
        value = value[place : place + 1]
    if value.shape[1:2] != wanted[1:2]:
        shared = wanted[1] - 1
        value = torch.cat([value[:, :shared], value[:, shared + place : shared + place + 1]], dim=1)
    return value
