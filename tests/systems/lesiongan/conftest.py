"""The patients that both generators learn from."""

from __future__ import annotations

from pathlib import Path

import pytest

from lesion_cohort import write_cohort


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three labelled patients, p0 to p2; not to be changed."""
    return write_cohort(tmp_path_factory.mktemp("labelled"))
