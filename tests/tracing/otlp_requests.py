"""OTLP requests for tests, written down compactly and encoded both ways."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracing.analytics.records import Observation
from tracing.ingest import otlp
from tracing.ingest.model import Decoded, Envelope, TraceUpdate

JSON, PROTOBUF = "application/json", "application/x-protobuf"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
ROOT_ID = "b7ad6b7169203331"
START_NS = 1_790_000_000_000_000_000
NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def value(plain: Any) -> dict[str, Any]:
    if isinstance(plain, bool):
        return {"boolValue": plain}
    if isinstance(plain, int):
        return {"intValue": str(plain)}
    if isinstance(plain, float):
        return {"doubleValue": plain}
    if isinstance(plain, list):
        return {"arrayValue": {"values": [value(item) for item in plain]}}
    if isinstance(plain, dict):
        return {"kvlistValue": {"values": pairs(plain)}}
    return {} if plain is None else {"stringValue": plain}


def pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value(plain)} for key, plain in attributes.items()]


def span(attributes: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A root of one second, unless `fields` say otherwise; events are (name, attributes)."""
    events = [
        {"name": name, "timeUnixNano": str(START_NS + 1_500), "attributes": pairs(given)}
        for name, given in fields.pop("events", [])
    ]
    return {
        "traceId": TRACE_ID,
        "spanId": ROOT_ID,
        "name": "step",
        "startTimeUnixNano": str(START_NS),
        "endTimeUnixNano": str(START_NS + 10**9),
        "attributes": pairs(attributes or {}),
        "events": events,
        **fields,
    }


def request(*spans: Any, scope: str = "tests", scope_version: str = "1.0", **resource: Any) -> dict[str, Any]:
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": pairs({key.replace("__", "."): given for key, given in resource.items()})},
                "scopeSpans": [{"scope": {"name": scope, "version": scope_version}, "spans": list(spans)}],
            }
        ]
    }


def as_json(document: Any) -> bytes:
    return json.dumps(document).encode()


def as_protobuf(document: dict[str, Any]) -> bytes:
    """The same request as protobuf, whose JSON form has ids in base64."""
    copy = json.loads(json.dumps(document))
    for resource_spans in copy["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for entry in scope_spans["spans"]:
                for key in ("traceId", "spanId", "parentSpanId"):
                    if key in entry:
                        entry[key] = base64.b64encode(bytes.fromhex(entry[key])).decode()
    return ParseDict(copy, ExportTraceServiceRequest()).SerializeToString()


def envelope(content_type: str = JSON, **fields: Any) -> Envelope:
    return Envelope(
        project_id="p1", kind="otlp", received_at=NOW, content_type=content_type, public_key="pk-1", **fields
    )


def decode(document: dict[str, Any], **fields: Any) -> Decoded:
    body = as_json(document)
    otlp.check(body, JSON)
    return otlp.decode(body, envelope(**fields))


def decode_one(attributes: dict[str, Any] | None = None, *, scope: str = "tests", **fields: Any) -> Observation:
    decoded = decode(request(span(attributes, **fields), scope=scope))
    assert not decoded.set_aside
    return decoded.observations[0]


def trace_update(attributes: dict[str, Any] | None = None, *, scope: str = "tests", **fields: Any) -> TraceUpdate:
    return decode(request(span(attributes, **fields), scope=scope)).trace_updates[0]
