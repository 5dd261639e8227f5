"""OTLP JSON: from bytes to spans. Takes ids and numbers in every form that exporters write them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from tracing.ingest.otlp.protobuf import plain_number
from tracing.ingest.otlp.spans import Attributes, Span, SpanEvent, SpanGroup, export_of
from tracing.ingest.otlp.values import number_of
from tracing.ingest.text import as_text, parse_json

_ERROR = 2  # Status.STATUS_CODE_ERROR; its name is not recognised upstream either


def groups(body: bytes) -> Iterator[SpanGroup]:
    document = parse_json(body)
    for resource_spans in entries(document, "resourceSpans"):
        resource = _object(resource_spans, "resource")
        attributes = _attributes(resource.get("attributes"))
        for scope_spans in entries(resource_spans, "scopeSpans"):
            scope = _object(scope_spans, "scope")
            yield SpanGroup(
                resource=attributes,
                scope_name=_text(scope.get("name")),
                scope_version=_text(scope.get("version")),
                scope_attributes=_attributes(scope.get("attributes")),
                spans=entries(scope_spans, "spans"),
                read=_read,
                export=partial(export_of, resource, scope),
                id_of=_span_id,
            )


def entries(parent: Any, key: str) -> list[Any]:
    """The objects in a list that may be missing."""
    value = parent.get(key) if isinstance(parent, dict) else None
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def id_of(value: Any) -> str | None:
    """An id: text as it is, bytes as hex. None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value.get("type") == "Buffer":
        value = value.get("data")
    if not isinstance(value, list):
        return None
    try:
        return bytes(value).hex()
    except (TypeError, ValueError):
        return None


def _read(span: dict[str, Any]) -> Span:
    status = _object(span, "status")
    trace_id, span_id = id_of(span.get("traceId")), id_of(span.get("spanId"))
    if not trace_id or not span_id:
        raise ValueError("The span has no ids.")
    return Span(
        trace_id,
        span_id,
        id_of(span.get("parentSpanId")) or "",
        _text(span.get("name")),
        _integer(span.get("startTimeUnixNano")),
        _integer(span.get("endTimeUnixNano")),
        _attributes(span.get("attributes")),
        status.get("code") == _ERROR,
        _text(status.get("message")),
        [_event(event) for event in entries(span, "events")],
    )


def _event(event: dict[str, Any]) -> SpanEvent:
    return SpanEvent(
        _text(event.get("name")), _integer(event.get("timeUnixNano")), _attributes(event.get("attributes"))
    )


def _attributes(pairs: Any) -> Attributes:
    if not isinstance(pairs, list):
        return {}
    return {
        pair["key"]: _value(pair.get("value"))
        for pair in pairs
        if isinstance(pair, dict) and isinstance(pair.get("key"), str)
    }


def _value(value: Any) -> Any:
    if not isinstance(value, dict):
        return "{}" if value is None else as_text(value)
    if isinstance(text := value.get("stringValue"), str):
        return text
    if isinstance(truth := value.get("boolValue"), bool):
        return truth
    if "intValue" in value:
        number = _integer(value["intValue"])
        return as_text(value) if number is None else number
    if "doubleValue" in value:
        return _double(value)
    array = value.get("arrayValue")
    if isinstance(array, dict):
        items = array.get("values")
        return [_value(item) for item in items] if isinstance(items, list) else []
    return as_text(value)


def _double(value: dict[str, Any]) -> Any:
    double = value["doubleValue"]
    number = number_of(double)
    if number is not None:
        return plain_number(float(number))
    return double if isinstance(double, str) else as_text(value)


def _integer(value: Any) -> int | None:
    """Decimal text, a number, or the two halves that protobuf libraries for JavaScript write."""
    if isinstance(value, dict) and "low" in value:
        low, high = value.get("low"), value.get("high", 0)
        if not isinstance(low, int) or not isinstance(high, int):
            return None
        return (high << 32) + (low & 0xFFFFFFFF)
    number = number_of(value)
    return None if number is None else int(number)


def _object(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else as_text(value)


def _span_id(span: dict[str, Any]) -> str:
    return id_of(span.get("spanId")) or ""
