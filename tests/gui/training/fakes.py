"""A process that does nothing by itself, and a user who has answers ready."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from napari_mrsynth.gui.training.process import Ended
from napari_mrsynth.progress import Progress


class FakeProcess:
    """Keeps what it was asked; the test says what happens."""

    def __init__(self) -> None:
        self.started: list[tuple[str, ...]] = []
        self.interrupted = 0
        self.killed = 0
        self.tell: Callable[[Progress], None]
        self.end: Callable[[Ended], None]

    def start(
        self, arguments: Sequence[str], told: Callable[[Progress], None], ended: Callable[[Ended], None]
    ) -> None:
        self.started.append(tuple(arguments))
        self.tell, self.end = told, ended

    def interrupt(self) -> None:
        self.interrupted += 1

    def kill(self) -> None:
        self.killed += 1

    def step(self, step: int, last: int, loss: float) -> None:
        """Tell one step of a training."""
        self.tell(Progress(step / last, f"step {step} of {last}, loss {loss:.4f}"))


class Answers:
    """Answers as it was told to, and remembers what it was asked."""

    def __init__(self, folder: Path | None = None, *, leave: bool = False) -> None:
        self.chosen, self.leave = folder, leave
        self.asked: list[str] = []

    def folder(self, title: str) -> Path | None:
        return self.chosen

    def files(self, title: str) -> Sequence[Path]:
        return ()

    def configuration(self) -> Path | None:
        return self.chosen

    def placement(self, *_: object) -> None:
        return None

    def confirm(self, title: str, text: str, action: str) -> bool:
        self.asked.append(text)
        return self.leave
