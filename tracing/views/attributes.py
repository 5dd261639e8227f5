"""Metadata and raw attributes as rows of path and value, with a search for others that say the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson

from tracing.queries.explorer import write_term
from tracing.views.conversation import parse

#: of nested values: what lies deeper is shown as JSON
_DEEPEST = 6
#: more entries than this stay one value, as long lists of numbers do
_MOST_ENTRIES = 60
#: a longer value is nothing that others would have, too
_SOUGHT_CHARACTERS = 200
_COPIED_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Attribute:
    """`search` is the query string of the list of what has the same value; empty where that makes no sense."""

    path: str
    value: Any
    search: str = ""

    @property
    def copied(self) -> str:
        """The value as it was sent; what is long is copied with all others."""
        text = self.value if isinstance(self.value, str) else orjson.dumps(self.value).decode()
        return text if len(text) <= _COPIED_CHARACTERS else ""

    @property
    def is_short(self) -> bool:
        """Fits a line or two of the table."""
        return not isinstance(self.value, dict | list) and len(str(self.value)) <= _SOUGHT_CHARACTERS


@dataclass(frozen=True, slots=True)
class Group:
    """A heading of the table; raw ones are folded at first."""

    name: str
    attributes: list[Attribute]
    is_open: bool


def attributes_of(metadata: dict[str, str], prefix: str = "", *, is_searched: bool = True) -> list[Attribute]:
    """Those below `prefix`, named without it, sorted by path. Nested objects and short lists are taken apart."""
    found = []
    for key, raw in metadata.items():
        if not key.startswith(prefix):
            continue
        value = parse(raw)
        search = search_for("metadata", raw, key=key) if is_searched and isinstance(value, str) else ""
        found += [
            Attribute(path, entry, search if entry is value else "")
            for path, entry in _flat(key.removeprefix(prefix), value, 0)
        ]
    return sorted(found, key=lambda attribute: attribute.path)


def _flat(path: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if depth < _DEEPEST and isinstance(value, dict) and 0 < len(value) <= _MOST_ENTRIES:
        for key, entry in value.items():
            yield from _flat(f"{path}.{key}", entry, depth + 1)
    elif depth < _DEEPEST and isinstance(value, list) and 0 < len(value) <= _MOST_ENTRIES and _has_objects(value):
        for index, entry in enumerate(value):
            yield from _flat(f"{path}[{index}]", entry, depth + 1)
    else:
        yield path, value


def _has_objects(entries: list[Any]) -> bool:
    return any(isinstance(entry, dict) for entry in entries)


def search_for(name: str, value: str, *, key: str = "") -> str:
    """The query string that lists what has this value; empty for values that are too long or hold a line break."""
    is_fit = value and len(value) <= _SOUGHT_CHARACTERS and "\n" not in value
    return f"?{urlencode({'q': write_term(name, value, key=key), 'range': 'all'})}" if is_fit else ""
