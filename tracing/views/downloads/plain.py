"""Records as JSON with everything they hold. What was sent as JSON goes out as it was written, digit by digit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from tracing.analytics.records import NEVER, Observation, Score, Trace
from tracing.views.conversation import parse

#: columns of the store's own
_INTERNAL = {"row_version", "is_deleted", "set_at", "input_preview", "output_preview", "first_start", "last_start"}
#: texts that hold JSON where they hold something
_JSON_TEXTS = {"input", "output", "events", "model_parameters", "tool_calls"}
_JSON_MAPS = {"metadata", "tool_definitions", "experiment_metadata", "experiment_item_metadata"}


def as_json(record: Observation | Trace | Score) -> bytes:
    """One object; fields that say nothing are left out."""
    return orjson.dumps(dict(_entries(record)), default=_default, option=orjson.OPT_PASSTHROUGH_DATETIME)


def trace_as_json(trace: Trace, observations: Iterator[Observation], scores: Iterator[Score]) -> Iterator[bytes]:
    """`{"trace": …, "observations": […], "scores": […]}` in pieces."""
    yield b'{"trace":' + as_json(trace)
    lists: tuple[tuple[str, Iterator[Observation | Score]], ...]
    lists = (("observations", iter(observations)), ("scores", iter(scores)))
    for name, records in lists:
        yield f',"{name}":['.encode()
        for number, record in enumerate(records):
            yield (b"," if number else b"") + as_json(record)
        yield b"]"
    yield b"}\n"


def _entries(record: Observation | Trace | Score) -> Iterator[tuple[str, Any]]:
    for field in fields(record):
        value = getattr(record, field.name)
        if field.name in _INTERNAL or value is None or value == "" or value == {} or value == [] or value == NEVER:
            continue
        if field.name in _JSON_TEXTS:
            value = written(value)
        elif field.name in _JSON_MAPS and isinstance(value, dict):
            value = {key: written(entry) for key, entry in value.items()}
        yield _camel_case(field.name), value


def written(text: Any) -> Any:
    """JSON text as the JSON it is; other text as text."""
    if not isinstance(text, str) or isinstance(parse(text), str):
        return text
    return orjson.Fragment(text) if _is_strict(text) else text


def _is_strict(text: str) -> bool:
    """Python's clients write NaN and Infinity, which are no JSON for others."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _default(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return orjson.Fragment(f"{value:f}")
    raise TypeError(type(value).__name__)
