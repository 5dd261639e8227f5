"""OTLP protobuf: from bytes to spans."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracing.ingest.otlp.spans import Attributes, Span, SpanEvent, SpanGroup, export_of
from tracing.ingest.text import as_text

_ERROR = 2  # Status.STATUS_CODE_ERROR
_ID_KEYS = frozenset(("traceId", "spanId", "parentSpanId"))


def parse(body: bytes) -> Any:
    """The request message. Raises ValueError."""
    try:
        return ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise ValueError(str(error)) from error


def groups(body: bytes) -> Iterator[SpanGroup]:
    for resource_spans in parse(body).resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            yield SpanGroup(
                resource=resource,
                scope_name=scope_spans.scope.name,
                scope_version=scope_spans.scope.version,
                scope_attributes=_attributes(scope_spans.scope.attributes),
                spans=scope_spans.spans,
                read=_read,
                export=partial(_export, resource_spans.resource, scope_spans.scope),
                id_of=_span_id,
            )


def _read(span: Any) -> Span:
    status = span.status
    events = span.events
    return Span(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        _attributes(span.attributes),
        status.code == _ERROR,
        status.message,
        [_event(event) for event in events] if events else [],
    )


def _event(event: Any) -> SpanEvent:
    return SpanEvent(event.name, event.time_unix_nano, _attributes(event.attributes))


def _attributes(pairs: Iterable[Any]) -> Attributes:
    # The hottest loop of ingestion. Nearly all values are text or integers, and asking which kind a value is costs
    # more than reading it; a comprehension is slower.
    attributes: Attributes = {}
    for pair in pairs:
        value = pair.value
        attributes[pair.key] = value.string_value or value.int_value or _value(value)
    return attributes


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind in ("string_value", "int_value", "bool_value"):
        return getattr(value, kind)
    if kind == "double_value":
        return plain_number(value.double_value)
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return as_text(MessageToDict(value))


def plain_number(number: float) -> int | float | str:
    """A double as both encodings give it: whole ones as integers, what is no number as its name."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _span_id(span: Any) -> str:
    return span.span_id.hex()  # type: ignore[no-any-return]


def _export(resource: Any, scope: Any, spans: Sequence[Any]) -> str:
    return export_of(_document(resource), _document(scope), [_span_document(span) for span in spans])


def _span_document(span: Any) -> dict[str, Any]:
    content = _document(span)
    for entry in (content, *content.get("links", ())):
        for key in entry.keys() & _ID_KEYS:
            entry[key] = base64.b64decode(entry[key]).hex()
    return content


def _document(message: Any) -> dict[str, Any]:
    """A message in OTLP's JSON form: protobuf's, with numbers for enums, and (see above) ids in hex."""
    return MessageToDict(message, use_integers_for_enums=True)  # type: ignore[no-any-return]
