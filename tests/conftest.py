"""What every test shares: one thread per library, the phantoms on the path, the real scans where they are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

for _library in ("OMP", "MKL", "OPENBLAS", "ITK_GLOBAL_DEFAULT"):
    _suffix = "NUMBER_OF_THREADS" if _library.startswith("ITK") else "NUM_THREADS"
    os.environ.setdefault(f"{_library}_{_suffix}", "1")  # read when numpy, torch or ITK is first imported
sys.path.insert(0, str(Path(__file__).parent))  # so that tests can say: from phantoms import phantom

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _no_known_voxels(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test called synthetic may be real in another: phantoms are alike."""
    from napari_mrsynth.imaging import known_voxels

    monkeypatch.setattr(known_voxels, "_records", {})


def _real_scans() -> Path | None:
    named = os.environ.get("MRSYNTH_DATA")
    folder = Path(named) if named else CHECKOUT.parent / "shared" / "data"
    return folder if (folder / "subjects.tsv").is_file() else None


@pytest.fixture(scope="session")
def real_scans() -> Path:
    """The folder of real scans: MRSYNTH_DATA, or ``shared/data`` beside the checkout; else skip."""
    folder = _real_scans()
    if folder is None:
        pytest.skip("no real scans: set MRSYNTH_DATA to the folder that holds subjects.tsv")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that asks for the real scans, so that ``-m real_scans`` selects them."""
    for item in items:
        if "real_scans" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.real_scans)
