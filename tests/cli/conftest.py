"""Run the command line in this process and read what it said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from napari_mrsynth.cli import main


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
