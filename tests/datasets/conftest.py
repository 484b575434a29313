"""Models and lesion maps, written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.smoke import write_library, write_models
from napari_mrsynth.bundles import BundleStore


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> BundleStore:
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_library(tmp_path_factory.mktemp("lesions"))
