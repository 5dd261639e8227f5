"""Values as the JSON of the wire, and JSON as values."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from config.api.body import parse_json
from config.errors import Invalid


def to_json(data: Any) -> bytes:
    return orjson.dumps(data, default=_to_json_value, option=orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS)


def _to_json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Decimal):
        return as_number(value)
    raise TypeError(type(value).__name__)


def iso(moment: datetime) -> str:
    """UTC with milliseconds and `Z`, as clients compare it."""
    if moment.tzinfo is not UTC:  # those of the store already are, and a trace has thousands
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def as_number(value: Decimal) -> int | float:
    """JavaScript writes whole numbers without a fraction, and so do we."""
    return int(value) if value == value.to_integral_value() else float(value)


def from_json(body: bytes) -> Any:
    try:
        document = parse_json(body)
    except ValueError:
        raise Invalid("Invalid JSON") from None
    if rb"\u0000" in body and _holds_nul(document):  # PostgreSQL refuses it, in text and in JSON
        raise Invalid("Text must not hold the character U+0000.")
    return document


def _holds_nul(document: Any) -> bool:
    todo = [document]
    while todo:
        value = todo.pop()
        if isinstance(value, str) and "\x00" in value:
            return True
        if isinstance(value, dict):
            todo += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            todo += value
    return False
