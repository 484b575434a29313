"""Windows where there is a display, widgets everywhere, and a tiny model with random weights."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

HAS_DISPLAY = sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
if not HAS_DISPLAY:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # enough for widgets, not for napari's canvas


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, visibly, what needs a window where there is no display."""
    for item in items:
        if item.get_closest_marker("gui") and not HAS_DISPLAY:
            item.add_marker(pytest.mark.skip(reason="no display: run under xvfb-run"))


@pytest.fixture(autouse=True)
def _default_preferences(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests has preferences of their own; they do not count here."""
    from napari_mrsynth.gui import presenter
    from napari_mrsynth.gui.preferences import Preferences

    monkeypatch.setattr(presenter, "preferences", Preferences)


@pytest.fixture
def viewer() -> object:
    """A viewer without a window."""
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one any-subset bundle of a few thousand random weights."""
    import torch

    import napari_mrsynth.systems  # noqa: F401  (names the networks)
    from napari_mrsynth.bundles import Card, save_bundle
    from napari_mrsynth.networks.registry import build

    four = ["T1w", "T1ce", "T2w", "FLAIR"]
    network = {"inputs": four, "outputs": four, "latent": 4, "encoder_widths": [4], "decoder_widths": [4]}
    torch.manual_seed(0)
    model = build("anysubset", network)
    root = tmp_path_factory.mktemp("models")
    card = Card(
        id="tiny",
        title="Tiny",
        summary="Random weights, for tests.",
        system="anysubset",
        network={"name": "anysubset", **network},
        inputs=tuple(four),
        outputs=tuple(four),
        spacing_mm=4.0,
        neighbours=0,
        normalisation={"method": "foreground-mean"},
        licence="CC0",
    )
    save_bundle(root / "tiny", card, model.state_dict())
    return root
