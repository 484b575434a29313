"""The judged model's card: figures from the rows, texts from the configuration, weights untouched."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bad.models import tiny_model
from napari_mrsynth.bundles import Bundle
from napari_mrsynth.training.config import CardConfig
from napari_mrsynth.training.experiments.ledger import Row
from napari_mrsynth.training.experiments.on_card import write_on_card
from napari_mrsynth.training.experiments.summary import Table


def row(method: str, region: str, nmse: float) -> Row:
    return Row("test", "p1", method, "T1w+T2w", "FLAIR", region, 10, nmse, 0.1, 20.0, 0.9, 0.8)


@pytest.fixture
def table() -> Table:
    return Table([row("network", "brain", 0.02), row("network", "lesion", 0.05), row("forest", "brain", 0.9)])


def test_the_card_gets_the_networks_figures_and_how_they_were_measured(tmp_path, table):
    bundle = Bundle.open(tiny_model(tmp_path))
    texts = CardConfig(title="A title", summary="What it does.", limits="Where it fails.")
    written = write_on_card(bundle, texts, table, "mrsynth experiment any-subset --bundle tiny")
    figures = written.card.results["test"]["T1w+T2w → FLAIR"]
    assert figures["NMSE"] == 0.02
    assert figures["NMSE in lesions"] == 0.05
    assert "error on 1 patient, not" in written.card.results["how"]
    named = write_on_card(bundle, replace(texts, name_patients=True), table, "a command")
    assert "error on p1, not" in named.card.results["how"]
    assert "--bundle tiny" in written.card.results["how"]
    readme = (bundle.folder / "README.md").read_text()
    assert "| T1w+T2w → FLAIR | 0.02 | 0.05 |" in readme
    assert "Where it fails." in readme


def test_the_weights_stay_as_they_were(tmp_path, table):
    bundle = Bundle.open(tiny_model(tmp_path))
    written = write_on_card(bundle, CardConfig(title="A title"), table, "a command")
    assert written.card.weights_sha256 == bundle.card.weights_sha256
    assert written.card.training == bundle.card.training
