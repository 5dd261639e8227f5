"""Small OTLP/JSON exports for tests."""

from __future__ import annotations

from typing import Any


def attribute(key: str, value: Any) -> dict[str, Any]:
    kind = {bool: "boolValue", int: "intValue", float: "doubleValue"}.get(type(value), "stringValue")
    return {"key": key, "value": {kind: value}}


def span(
    trace_id: str,
    span_id: str,
    name: str,
    *,
    parent: str = "",
    start_us: int = 1_000_000,
    **attributes: Any,
) -> dict[str, Any]:
    """Times are microseconds after 2026-11-21T00:00:00Z; a dot in an attribute's name is written as two underscores."""
    start_ns = 1_795_219_200_000_000_000 + start_us * 1000
    return {
        "traceId": trace_id,
        "spanId": span_id,
        "parentSpanId": parent,
        "name": name,
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + 500_000_000),
        "attributes": [attribute(key.replace("__", "."), value) for key, value in attributes.items()],
    }


def export(
    spans: list[dict[str, Any]], *, scope: str = "test", resource: dict[str, Any] | None = None
) -> dict[str, Any]:
    attributes = [attribute(key, value) for key, value in (resource or {}).items()]
    scope_spans = [{"scope": {"name": scope}, "spans": spans}]
    return {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": scope_spans}]}
