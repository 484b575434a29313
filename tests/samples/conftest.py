"""The digital brain is made once for all tests of this folder."""

from __future__ import annotations

import pytest

from napari_mrsynth.io import PatientFiles
from napari_mrsynth.samples import digital_brain
from napari_mrsynth.samples.anatomy import Anatomy, load_anatomy


@pytest.fixture(scope="session")
def anatomy() -> Anatomy:
    return load_anatomy()


@pytest.fixture(scope="session")
def healthy() -> PatientFiles:
    return digital_brain()


@pytest.fixture(scope="session")
def ill() -> PatientFiles:
    return digital_brain(lesion=True)
