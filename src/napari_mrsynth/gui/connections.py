"""What a dock listens to outside itself: made one by one, cut all together when it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Connections:
    """Connections between signals or events and what they call."""

    def __init__(self) -> None:
        self._made: list[tuple[Any, Callable[..., Any]]] = []

    def make(self, call: Callable[..., Any], *signals: Any) -> None:
        """Have `call` called by each of the signals (psygnal's, or napari's events) from now on."""
        for signal in signals:
            signal.connect(call)
            self._made.append((signal, call))

    def cut(self) -> None:
        """Cut all of them."""
        while self._made:
            signal, call = self._made.pop()
            signal.disconnect(call)
