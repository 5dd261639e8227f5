"""A small bounded cache with a short life, shared by the threads of one process."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

V = TypeVar("V")


class KeyCache(Generic[V]):
    """Least recently stored goes first. `generation` changes with every `clear`.

    A value that was looked up before a `clear` and stored after it would bring a revoked key back, so `put` takes the
    generation seen before the look-up and drops the value when it is no longer the current one.
    """

    def __init__(self, *, seconds: float, size: int) -> None:
        self.generation = 0
        self._seconds = seconds
        self._size = size
        self._entries: OrderedDict[bytes, tuple[float, V]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: bytes) -> V | None:
        entry = self._entries.get(key)
        if entry is None or entry[0] <= monotonic():
            return None
        return entry[1]

    def put(self, key: bytes, value: V, *, generation: int, until: float | None = None) -> None:
        """Keeps the value for the cache's time, or for `until` seconds if those are fewer."""
        seconds = self._seconds if until is None else min(self._seconds, until)
        with self._lock:
            if generation != self.generation:
                return
            self._entries[key] = (monotonic() + seconds, value)
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self.generation += 1
            self._entries.clear()
