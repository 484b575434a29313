"""A bundle's network, built as its card says and given the bundle's verified weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from napari_mrsynth.errors import BundleError
from napari_mrsynth.networks.registry import build

if TYPE_CHECKING:
    from torch import nn

    from napari_mrsynth.bundles import Bundle

N = TypeVar("N", bound="nn.Module")


def load_network(bundle: Bundle, kind: type[N], system: str) -> N:
    """Build the network that a card names and load the bundle's weights into it.

    Parameters
    ----------
    bundle : Bundle
    kind : type
        What the network must be.
    system : str
        The system whose networks are of that kind, for the error's hint.

    Raises
    ------
    BundleError
        If the card names another kind of network, or the weights do not fit it.
    """
    card = bundle.card
    name = str(card.network.get("name", ""))
    network = build(name, {key: value for key, value in card.network.items() if key != "name"})
    if not isinstance(network, kind):
        raise BundleError(
            f"The bundle {card.id!r} holds the network {name!r} of the system {card.system!r}.",
            hint=f"Choose a bundle of the system {system!r}.",
        )
    try:
        network.load_state_dict(bundle.state())
    except RuntimeError as error:
        first = str(error).strip().splitlines()[-1].strip()[:200]
        raise BundleError(
            f"The weights of {card.id!r} do not fit the network its card describes: {first}",
            hint="Card and weights are of different versions; fetch the bundle again.",
        ) from error
    return network
