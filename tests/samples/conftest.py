"""The template is read once, and each digital brain made once, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from napari_mrsynth.io import PatientFiles
from napari_mrsynth.samples import brain, digital_brain
from napari_mrsynth.samples.anatomy import Anatomy, load_anatomy


@pytest.fixture(scope="session")
def anatomy() -> Anatomy:
    return load_anatomy()


@pytest.fixture(scope="session")
def brain_of(anatomy: Anatomy) -> Callable[..., PatientFiles]:
    """Make a digital brain from the template that has been read already."""

    @cache
    def make(*, lesion: bool = False, seed: int = 0) -> PatientFiles:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(brain, "load_anatomy", lambda: anatomy)
            return digital_brain(lesion=lesion, seed=seed)

    return make


@pytest.fixture(scope="session")
def healthy(brain_of: Callable[..., PatientFiles]) -> PatientFiles:
    return brain_of()


@pytest.fixture(scope="session")
def ill(brain_of: Callable[..., PatientFiles]) -> PatientFiles:
    return brain_of(lesion=True)
