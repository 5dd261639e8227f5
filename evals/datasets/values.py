"""Values of items as they come in: cleaned, and written as the text that is kept."""

from __future__ import annotations

import re
from typing import Any

import orjson

from config.errors import Invalid

#: what a screen or a database cannot take; tabs and ends of lines stay
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
#: what orjson writes
DEEPEST = 250


def cleaned(value: Any) -> Any:
    """A text that is JSON as what it says, and everything without control characters."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            pass
    return without_control(value)


def without_control(value: Any) -> Any:
    """The same value, its texts without control characters. Raises Invalid where it is nested too deeply."""
    if not _CONTROL.search(orjson_or_invalid(value)) and not _holds_escaped(value):
        return value
    return _cleaned(value)


def orjson_or_invalid(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise Invalid(f"It is nested more than {DEEPEST} levels deep, or holds what JSON cannot.") from error


def as_text(value: Any) -> str:
    """JSON; empty for null. Raises Invalid."""
    return "" if value is None else orjson_or_invalid(value)


def _holds_escaped(value: Any) -> bool:
    return b"\\u00" in orjson.dumps(value)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _CONTROL.sub("", value)
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    if isinstance(value, dict):
        return {_CONTROL.sub("", key): _cleaned(one) for key, one in value.items()}
    return value
