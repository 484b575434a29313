"""Windows where there is a display, widgets everywhere, and a tiny model with random weights."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import napari

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
    from napari_mrsynth.gui.lesions import presenter as lesions
    from napari_mrsynth.gui.preferences import Preferences
    from napari_mrsynth.gui.structure import presenter as structure

    for module in (presenter, lesions, structure):
        monkeypatch.setattr(module, "preferences", Preferences)


@pytest.fixture
def viewer() -> object:
    """A viewer without a window."""
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture
def window(qtbot) -> Iterator[napari.Viewer]:
    """A viewer with a window; only where there is a display."""
    import napari

    viewer = napari.Viewer(show=True)
    yield viewer
    viewer.close()


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one any-subset bundle of a few thousand random weights."""
    return write_tiny_model(tmp_path_factory.mktemp("models"))


def write_tiny_model(
    root: Path,
    contrasts: Sequence[str] = ("T1w", "T1ce", "T2w", "FLAIR"),
    spacing_mm: float = 4.0,
    seed: int = 0,
) -> Path:
    """Write the bundle `tiny`, which makes each of its contrasts from the others, into a folder."""
    import torch

    import napari_mrsynth.systems  # noqa: F401  (names the networks)
    from napari_mrsynth.bundles import Card, save_bundle
    from napari_mrsynth.networks.registry import build

    names = list(contrasts)
    network = {"inputs": names, "outputs": names, "latent": 4, "encoder_widths": [4], "decoder_widths": [4]}
    torch.manual_seed(seed)
    model = build("anysubset", network)
    card = Card(
        id="tiny",
        title="Tiny",
        summary="Random weights, for tests.",
        system="anysubset",
        network={"name": "anysubset", **network},
        inputs=tuple(names),
        outputs=tuple(names),
        spacing_mm=spacing_mm,
        neighbours=0,
        normalisation={"method": "foreground-mean"},
        licence="CC0",
    )
    save_bundle(root / "tiny", card, model.state_dict())
    return root
