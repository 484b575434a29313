"""Run the command line in this process and read what it said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bad.models import tiny_model
from napari_mrsynth.cli import main
from phantoms import brain_study, patient_folder


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        """Standard output as the one JSON object it must be."""
        assert self.out.count("\n") == 1, self.out
        answer = json.loads(self.out)
        assert isinstance(answer, dict)
        return answer


@pytest.fixture
def mrsynth(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Return a function that runs ``mrsynth`` with its arguments; native output is captured too."""

    def run(*arguments: object) -> Ended:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        said = capfd.readouterr()
        return Ended(code, said.out, said.err)

    return run


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An untrained model ``tiny`` (T1w, T1ce, T2w, FLAIR), the only one that is found; its folder."""
    folder = tiny_model(tmp_path)
    monkeypatch.setattr("napari_mrsynth.bundles.store.default_roots", lambda: (folder.parent,))
    return folder


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    """A patient's folder: T1w, T2w and FLAIR with a lesion, on one grid."""
    return patient_folder(
        tmp_path / "sub-01", brain_study(("T1w", "T2w", "FLAIR"), lesion=True, name="sub-01")
    )
