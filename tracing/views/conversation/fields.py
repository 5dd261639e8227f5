"""An object of which is remembered what was read, so that what nobody read is shown as well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Fields:
    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self._read: set[str] = set()
        self._inner: dict[str, Fields] = {}

    def __contains__(self, key: str) -> bool:
        return key in self.content

    def peek(self, *keys: str) -> Any:
        """The first of these that says something; it does not count as read."""
        return next((self.content[key] for key in keys if self.content.get(key) not in _NOTHING), None)

    def take(self, *keys: str) -> Any:
        """The first of these that says something."""
        for key in keys:
            if self.content.get(key) not in _NOTHING:
                self._read.add(key)
                return self.content[key]
        return None

    def take_text(self, *keys: str) -> str:
        """The first of these that is a text; empty when none is."""
        for key in keys:
            value = self.content.get(key)
            if isinstance(value, str) and value:
                self._read.add(key)
                return value
        return ""

    def take_list(self, *keys: str) -> list[Any]:
        for key in keys:
            value = self.content.get(key)
            if isinstance(value, list) and value:
                self._read.add(key)
                return value
        return []

    def skip(self, *keys: str) -> None:
        """What the shape itself says already."""
        self._read.update(keys)

    def inner(self, *keys: str) -> Fields | None:
        """The first of these that is an object."""
        for key in keys:
            value = self.content.get(key)
            if isinstance(value, dict):
                return self._inner.setdefault(key, Fields(value))
        return None

    def left(self) -> dict[str, Any]:
        """What was not read and says something."""
        return dict(self._left())

    def _left(self) -> Iterator[tuple[str, Any]]:
        for key, value in self.content.items():
            if key in self._inner:
                value = self._inner[key].left()
            if key not in self._read and value not in _NOTHING:
                yield key, value


#: 0 and False are something; comparing by equality, they are in no list of these
_NOTHING: tuple[Any, ...] = (None, "", [], {})
