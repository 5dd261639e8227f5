"""How values become the text that is stored: input, output, metadata and their previews."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from tracing.analytics.records import PREVIEW_CHARACTERS

#: nested deeper, an object stays JSON text
_DEEPEST = 12


def as_text(value: Any) -> str:
    """Text as it is, nothing as the empty text, all else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def preview(text: str) -> str:
    """The start of a text on one line."""
    # Cut first: a megabyte of input must not be split into words for a line.
    return " ".join(text[: 4 * PREVIEW_CHARACTERS].split())[:PREVIEW_CHARACTERS]


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
