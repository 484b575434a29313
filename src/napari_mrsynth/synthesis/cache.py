"""What was computed once and may be needed again, up to a number of bytes, the longest unused going first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Any


class ByteCache:
    """A mapping that never holds more than `limit` bytes; safe to use from several threads.

    Parameters
    ----------
    limit : int
        Bytes. A single value that is larger is not kept.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._items: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._items

    def get(self, key: Hashable) -> Any | None:
        """Return a value and mark it as just used; None where it is not held."""
        with self._lock:
            if key not in self._items:
                return None
            self._items.move_to_end(key)
            return self._items[key][0]

    def put(self, key: Hashable, value: Any, nbytes: int) -> None:
        """Keep a value of `nbytes`, dropping the longest unused ones to make room."""
        with self._lock:
            self._drop(key)
            if nbytes > self.limit:
                return
            while self._bytes + nbytes > self.limit:
                self._drop(next(iter(self._items)))
            self._items[key] = (value, nbytes)
            self._bytes += nbytes

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._items.clear()
            self._bytes = 0

    def _drop(self, key: Hashable) -> None:
        if key in self._items:
            self._bytes -= self._items.pop(key)[1]
