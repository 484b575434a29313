"""Models as data: a card, verified weights, and the folders they are found in (torch only when loaded)."""

from napari_mrsynth.bundles.bundle import Bundle, require_network, save_bundle
from napari_mrsynth.bundles.card import CARD_FILE, WEIGHTS_FILE, Card
from napari_mrsynth.bundles.readme import render_readme
from napari_mrsynth.bundles.store import BundleStore, Problem, default_roots

__all__ = [
    "CARD_FILE",
    "WEIGHTS_FILE",
    "Bundle",
    "BundleStore",
    "Card",
    "Problem",
    "default_roots",
    "render_readme",
    "require_network",
    "save_bundle",
]
