"""Models that must not be run: other bytes than promised, pickled, unknown, or with a card that is none."""
# ruff: noqa: E501  (a table: one bad input a line)

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bad import models
from bad.row import OUT, Make, Refused, with_model
from bad.scans import patient


def by_its_file(folder: Path) -> list[object]:
    """``--bundle`` with the path of a pickled file."""
    path = models.pickled(folder) / "model.pt"
    return ["synthesize", patient(folder), "--want", "T1ce", "--bundle", path, "--out", OUT]


def show(broken: Callable[..., Path], *arguments: object) -> Make:
    """``mrsynth models show tiny`` on a broken model."""

    def make(folder: Path) -> list[object]:
        broken(folder, *arguments)
        return ["models", "show", "tiny"]

    return make


NETWORK = {"name": "anysubset", "inputs": ["T1w"], "outputs": ["FLAIR"]}

REFUSED = [
    Refused("one changed byte", with_model(models.damaged), "BundleError", ("sha256", "model.safetensors"), "again"),
    Refused("weights cut short", with_model(models.shortened), "BundleError", ("sha256",), "again"),
    Refused("no weights", with_model(models.with_weights, None), "BundleError", ("no model.safetensors",), "again"),
    Refused("only pickled weights", with_model(models.pickled), "BundleError", ("no model.safetensors",), "never loaded"),
    Refused("a pickled file as the model", by_its_file, "BundleError", ("model.pt", "pickled"), "card.yaml"),
    Refused("vouched bytes that are no tensors", with_model(models.with_weights, b"x" * 99, vouched=True), "BundleError", ("not a safetensors file",), "again"),
    Refused("weights of another network", with_model(models.of_another_network), "BundleError", ("tiny", "do not fit"), "again"),
    Refused("weights nobody vouches for", with_model(models.with_card, {"weights_sha256": ""}), "BundleError", ("no sha256",), "save the bundle again"),
    Refused("a hash that is none", show(models.with_card, {"weights_sha256": "abc"}), "BundleError", ("weights_sha256", "abc"), "card"),
    Refused("an unknown network", with_model(models.with_card, {"network": {**NETWORK, "name": "anysubsets"}}), "BundleError", ("anysubsets",), "anysubset"),
    Refused("an unknown system", with_model(models.with_card, {"system": "oracle"}), "BundleError", ("oracle",), "anysubset"),
    Refused("network settings from elsewhere", with_model(models.with_card, {"network": {**NETWORK, "depth": 3}}), "BundleError", ("depth",), "version"),
    Refused("an unknown normalisation", with_model(models.with_card, {"normalisation": {"method": "magic"}}), "ConfigError", ("magic",), "foreground-mean"),
    Refused("an unknown key", show(models.with_card, {"licnce": "BSD"}), "BundleError", ("licnce",), "licence"),
    Refused("a key too few", show(lambda f: models.with_card(f, {}, without="inputs")), "BundleError", ("lacks inputs",), "Add"),
    Refused("a number for text", show(models.with_card, {"title": 7}), "BundleError", ("title", "a number", "text"), "card"),
    Refused("inputs as one word", show(models.with_card, {"inputs": "T1w"}), "BundleError", ("inputs", "a list"), "card"),
    Refused("one input twice", show(models.with_card, {"inputs": ["T1w", "T1w"]}), "BundleError", ("twice", "T1w"), "card"),
    Refused("voxels of minus one millimetre", show(models.with_card, {"spacing_mm": -1.0}), "BundleError", ("-1.0 mm",), "card"),
    Refused("a card that is no YAML", show(models.with_card_text, "id: [tiny"), "BundleError", ("not valid YAML",), "Restore"),
    Refused("a card that is a list", show(models.with_card_text, "- tiny\n"), "BundleError", ("a list",), "Restore"),
    Refused("a key given twice", show(lambda f: models.with_card_text(f, "title: Other\n", added=True)), "BundleError", ("'title'", "twice"), "Restore"),
    Refused("a card that wants to run a program", show(lambda f: models.with_card_text(f, f"summary: !!python/object/apply:os.system ['touch {f.parent}/executed']\n")), "BundleError", ("not valid YAML",), "Restore"),
]  # fmt: skip
