"""Values of items as they come in: cleaned, and written as the text that is kept."""

from __future__ import annotations

import re
from contextlib import suppress
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
        with suppress(orjson.JSONDecodeError):
            value = orjson.loads(value)
    return without_control(value)


def without_control(value: Any) -> Any:
    """The same value, its texts without control characters. Raises Invalid where it is nested too deeply."""
    written = _written(value)
    # JSON escapes those below the space.
    return _cleaned(value) if "\\u00" in written or _CONTROL.search(written) else value


def as_text(value: Any) -> str:
    """JSON; empty for null. Raises Invalid where it is nested too deeply."""
    return "" if value is None else _written(value)


def _written(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise Invalid(f"It is nested more than {DEEPEST} levels deep, or holds what JSON cannot.") from error


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _CONTROL.sub("", value)
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    if isinstance(value, dict):
        return {_CONTROL.sub("", key): _cleaned(one) for key, one in value.items()}
    return value
