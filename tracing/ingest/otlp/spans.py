"""A span free of its wire format, and the resource and scope it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tracing.ingest.text import as_text

#: attribute name -> text, number, truth value or list; what OTLP nests deeper is JSON text
Attributes = dict[str, Any]


@dataclass(slots=True)
class SpanEvent:
    name: str
    time_ns: int | None
    attributes: Attributes


@dataclass(slots=True)
class Span:
    trace_id: str
    id: str
    parent_id: str
    name: str
    #: None when missing or unreadable
    start_ns: int | None
    end_ns: int | None
    attributes: Attributes
    has_failed: bool
    status_message: str
    events: list[SpanEvent]


@dataclass(slots=True, kw_only=True)
class SpanGroup:
    """The spans of one scope, still in their wire format, and how to read one."""

    resource: Attributes
    scope_name: str
    scope_version: str
    scope_attributes: Attributes = field(default_factory=dict)
    spans: Iterable[Any]
    read: Callable[[Any], Span]
    #: OTLP JSON of an export that holds nothing but these of the spans; written only for those that fail
    export: Callable[[Sequence[Any]], str]
    id_of: Callable[[Any], str]


def export_of(resource: Any, scope: Any, spans: Sequence[Any]) -> str:
    """Spans with all that they share with others, so that they can be delivered without these. People see the start."""
    scope_spans = {"spans": spans, "scope": scope}
    return as_text({"resourceSpans": [{"scopeSpans": [scope_spans], "resource": resource}]})
