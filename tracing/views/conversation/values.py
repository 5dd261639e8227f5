"""JSON as it was written: numbers that a float cannot hold stay as they are."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

#: worth a second, slower reading
_INEXACT = re.compile(r"[0-9]{16}|[0-9][eE]|[0-9]\.[0-9]*0\b|NaN|Infinity")
#: half of a pair, or all of one; the standard library lets a lone half pass, which no answer could be encoded with
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SAFE_DIGITS = 18


class Number(str):
    """A number in the digits it was sent in."""

    __slots__ = ()


def parse(raw: str) -> Any:
    """JSON where it is an object, an array or a quoted text; a lone number or word stays the text that was sent."""
    if raw.lstrip()[:1] not in ("{", "[", '"'):
        return raw
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw if _SURROGATE.search(raw) else _parse_exactly(raw, raw)
    return _parse_exactly(raw, value) if _INEXACT.search(raw) else value


def _parse_exactly(raw: str, otherwise: Any) -> Any:
    try:
        return json.loads(raw, parse_int=_integer, parse_float=_real, parse_constant=Number)
    except (ValueError, RecursionError):
        return otherwise


def _integer(digits: str) -> int | Number:
    return int(digits) if len(digits) <= _SAFE_DIGITS else Number(digits)


def _real(digits: str) -> float | Number:
    value = float(digits)
    return value if repr(value) == digits else Number(digits)


def text_of(value: Any) -> str:
    """Ids and names, which some clients send as numbers."""
    return value if isinstance(value, str) else "" if value is None else str(value)
