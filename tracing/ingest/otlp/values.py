"""Small readings of attribute values that several rules share."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from tracing.analytics.records import EPOCH
from tracing.ingest.text import as_text

#: the store's times end with the year 2299
_LATEST_NS = 10_413_792_000 * 10**9
_NUMBER = re.compile(r"-?\d{1,19}(?:\.\d{1,19})?")


def parsed(value: Any) -> Any:
    """What a JSON text holds, other values as they are, None for text that is not JSON."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None


def parsed_object(value: Any) -> dict[str, Any] | None:
    """A JSON object, or None. The first character decides most cases without parsing."""
    if isinstance(value, str) and value.lstrip()[:1] != "{":
        return None
    content = parsed(value)
    return content if isinstance(content, dict) else None


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else as_text(value)


def number_of(value: Any) -> int | float | None:
    """A number, or a text that is one."""
    if isinstance(value, int | float):
        return None if isinstance(value, bool) or not math.isfinite(value) else value
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value) if "." in value else int(value)
    return None


def is_true(value: Any) -> bool:
    return value is True or value == "true"


def is_given(value: Any) -> bool:
    """Neither absent nor empty. Zero and false are values."""
    return value is not None and value != "" and value != [] and value != {}


def time_from_ns(nanoseconds: int | None) -> datetime | None:
    if not nanoseconds or not 0 < nanoseconds < _LATEST_NS:
        return None
    return EPOCH + timedelta(0, nanoseconds // 10**9, nanoseconds % 10**9 // 1000)


def time_from_text(value: Any) -> datetime | None:
    """A date as ISO text; SDKs send it with and without JSON quotes around it."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value.strip().strip('"'))
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
