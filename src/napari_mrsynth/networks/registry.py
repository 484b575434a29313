"""Names of networks as cards and configs write them, without importing torch.

A card only ever names a network and its numbers; nothing that is stored with weights is executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from napari_mrsynth.errors import BundleError

if TYPE_CHECKING:
    from torch import nn

N = TypeVar("N", bound="nn.Module")
_NETWORKS: dict[str, str] = {}


def register(name: str, target: str) -> None:
    """Give the class at `target` (``package.module:Class``) a name that cards can use."""
    _NETWORKS[name] = target


def names() -> tuple[str, ...]:
    """Return the known names, sorted."""
    return tuple(sorted(_NETWORKS))


def class_of(name: str) -> type[nn.Module]:
    """Return the class of a network.

    Raises
    ------
    BundleError
        If the name is unknown; the nearest one is offered.
    """
    if name not in _NETWORKS:
        near = get_close_matches(name, _NETWORKS, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"This version knows {', '.join(names())}."
        raise BundleError(
            f"There is no network called {name!r}.", hint=f"{hint} A newer version may have it."
        )
    module, _, cls = _NETWORKS[name].partition(":")
    found: type[nn.Module] = getattr(import_module(module), cls)
    return found


def build(name: str, params: Mapping[str, Any]) -> nn.Module:
    """Build a network from its name and parameters.

    Raises
    ------
    BundleError
        If the name is unknown, or the parameters do not fit the network.
    """
    factory = class_of(name)
    try:
        network = factory(**params)
    except (TypeError, ValueError) as error:
        raise BundleError(
            f"The network {name!r} cannot be built from {dict(params)}: {error}.",
            hint="The card is from another version or damaged.",
        ) from error
    return network


def build_as(spec: Mapping[str, Any], kind: type[N]) -> N:
    """Build the network that a training describes.

    Parameters
    ----------
    spec : mapping
        ``name`` and parameters, as on a card.
    kind : type
        What the network must be.

    Raises
    ------
    BundleError
        As :func:`build`.
    TypeError
        If it is a network of another kind.
    """
    name = str(spec["name"])
    network = build(name, {key: value for key, value in spec.items() if key != "name"})
    if not isinstance(network, kind):
        raise TypeError(f"{name!r} is a {type(network).__name__}, where a {kind.__name__} is needed")
    return network
