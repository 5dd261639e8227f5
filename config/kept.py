"""Bytes that are kept in this process, the newest of them, up to a bound; under keys that stop being asked for."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable


class Kept:
    """`seconds` is how long at most: should a change ever not have been told, it is seen after that."""

    def __init__(self, most_bytes: int, longest: int, seconds: float) -> None:
        self._most_bytes, self._longest, self._seconds = most_bytes, longest, seconds
        self._lock = threading.Lock()
        self._found: OrderedDict[Hashable, tuple[float, bytes]] = OrderedDict()
        self._size = 0

    def get(self, key: Hashable) -> bytes | None:
        with self._lock:
            at, value = self._found.get(key, (0.0, b""))
            if not at or time.monotonic() - at > self._seconds:
                return None
            self._found.move_to_end(key)
            return value

    def put(self, key: Hashable, value: bytes) -> None:
        if len(value) > self._longest:
            return
        with self._lock:
            self._size += len(value) - len(self._found.pop(key, (0.0, b""))[1])
            self._found[key] = (time.monotonic(), value)
            while self._size > self._most_bytes:
                self._size -= len(self._found.popitem(last=False)[1][1])

    def clear(self) -> None:
        with self._lock:
            self._found.clear()
            self._size = 0
