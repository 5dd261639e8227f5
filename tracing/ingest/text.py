"""JSON in and out, and how values become the text that is stored: input, output, metadata and their previews."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from config.api.body import parse_json as parse_json
from tracing.analytics.records import PREVIEW_CHARACTERS

#: nested deeper, an object stays JSON text
_DEEPEST = 12


def as_text(value: Any) -> str:
    """Text as it is, nothing as the empty text, all else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        # Nested more than 254 deep, or numbers of more than 64 bits: slower, but they can be written.
        return "".join(_parts(value))


class _Part(str):
    """JSON that is written already."""

    __slots__ = ()


def _parts(value: Any) -> Iterator[str]:
    """JSON piece by piece, without recursion: orjson reads 1,024 levels, and no library here writes as many."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            todo += reversed(_object(item))
        elif isinstance(item, list | tuple):
            todo += reversed(_list(item))
        else:
            yield item if isinstance(item, _Part) else _plain(item)


def _object(content: dict[str, Any]) -> list[Any]:
    parts: list[Any] = []
    for key, entry in content.items():
        parts += _Part(f"{',' if parts else '{'}{_plain(str(key))}:"), entry
    return [*parts, _Part("}" if parts else "{}")]


def _list(content: Sequence[Any]) -> list[Any]:
    parts: list[Any] = []
    for entry in content:
        parts += _Part("," if parts else "["), entry
    return [*parts, _Part("]" if parts else "[]")]


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def preview(text: str) -> str:
    """The start of a text on one line."""
    start = text[:PREVIEW_CHARACTERS]
    # Most text is fit as it is, and finding that out costs far less than splitting it into words.
    if _is_one_line(start) and "  " not in start and start.strip(" ") == start:
        return start
    # Cut first: a megabyte of input must not be split into words for a line.
    return " ".join(text[: 4 * PREVIEW_CHARACTERS].split())[:PREVIEW_CHARACTERS]


def _is_one_line(text: str) -> bool:
    if text.isascii():
        return "\n" not in text and "\t" not in text and "\r" not in text
    return text.isprintable()


def flatten(value: Any) -> dict[str, str]:
    """Metadata as stored: nested objects as dotted names. What is no object goes under the name `metadata`."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        return {"metadata": as_text(value)}
    return dict(_flat(value, "", 1))


def _flat(value: dict[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    for key, entry in value.items():
        name = f"{prefix}{key}"
        if isinstance(entry, dict) and entry and depth < _DEEPEST:
            yield from _flat(entry, f"{name}.", depth + 1)
        else:
            yield name, as_text(entry)
