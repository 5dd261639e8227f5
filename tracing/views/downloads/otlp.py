"""A trace as an OTLP export in JSON: sent to another project, or to another tool, it is the same trace again.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids in hexadecimal, 64-bit numbers as text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson

from tracing.analytics.records import EPOCH, Observation, Trace
from tracing.views.conversation import parse

_RAW, _RESOURCE, _SCOPE = "attributes.", "resourceAttributes.", "scope."
_MICROSECOND = timedelta(microseconds=1)
_ERROR_STATUS = 2


def trace_as_otlp(trace: Trace, observations: Iterator[Observation]) -> Iterator[bytes]:
    """`{"resourceSpans": […]}` in pieces, an entry for each span: OTLP lets resources repeat."""
    yield b'{"resourceSpans":['
    for number, record in enumerate(observations):
        yield (b"," if number else b"") + orjson.dumps(_resource_spans(trace, record))
    yield b"]}\n"


def _resource_spans(trace: Trace, record: Observation) -> dict[str, Any]:
    scope_attributes = _below(record.metadata, f"{_SCOPE}attributes.")
    scope = {
        "name": record.metadata.get("scope.name") or record.scope_name,
        "version": record.metadata.get("scope.version") or record.scope_version,
        "attributes": _attributes(scope_attributes),
    }
    return {
        "resource": {"attributes": _attributes(_below(record.metadata, _RESOURCE))},
        "scopeSpans": [{"scope": scope, "spans": [_span(trace, record)]}],
    }


def _span(trace: Trace, record: Observation) -> dict[str, Any]:
    span = {
        "traceId": _hexadecimal(trace.id, 32),
        "spanId": _hexadecimal(record.id, 16),
        "name": record.name,
        "kind": 1,
        "startTimeUnixNano": _nanoseconds(record.start_time),
        "attributes": _attributes(_span_attributes(trace, record)),
        "events": list(_events(record)),
        "status": {"code": _ERROR_STATUS, "message": record.status_message} if record.level == "ERROR" else {},
    }
    if record.parent_id:
        span["parentSpanId"] = _hexadecimal(record.parent_id, 16)
    if record.end_time:
        span["endTimeUnixNano"] = _nanoseconds(record.end_time)
    return span


def _span_attributes(trace: Trace, record: Observation) -> dict[str, Any]:
    raw = _below(record.metadata, _RAW)
    own = {key: value for key, value in record.metadata.items() if not key.startswith((_RAW, _RESOURCE, _SCOPE))}
    said: dict[str, Any] = {
        "langfuse.observation.type": record.type.lower(),
        "langfuse.observation.input": record.input,
        "langfuse.observation.output": record.output,
        "langfuse.observation.level": record.level,
        "langfuse.observation.status_message": record.status_message,
        "langfuse.observation.model.name": record.model,
        "langfuse.observation.model.parameters": record.model_parameters,
        "langfuse.observation.usage_details": _numbers(record.provided_usage or record.usage),
        "langfuse.observation.cost_details": _numbers(record.provided_cost),
        "langfuse.observation.prompt.name": record.prompt_name,
        "langfuse.observation.prompt.version": record.prompt_version,
        "langfuse.observation.completion_start_time": _iso(record.completion_start_time),
        "langfuse.environment": record.environment,
        "langfuse.release": record.release,
        "langfuse.version": record.version,
        "user.id": record.user_id,
        "session.id": record.session_id,
        **{f"langfuse.observation.metadata.{key}": value for key, value in own.items()},
    }
    if record.is_root:
        said |= {
            "langfuse.trace.name": trace.name,
            "langfuse.trace.tags": trace.tags,
            "langfuse.trace.public": trace.public or None,
            "langfuse.trace.input": trace.input,
            "langfuse.trace.output": trace.output,
            **{f"langfuse.trace.metadata.{key}": value for key, value in trace.metadata.items()},
        }
    return {**raw, **{key: value for key, value in said.items() if value not in (None, "", [], {})}}


def _numbers(amounts: dict[str, Any]) -> str:
    """As the JSON object that OTLP clients of this product send, money as exact digits."""
    return "{" + ",".join(f"{orjson.dumps(name).decode()}:{amount}" for name, amount in amounts.items()) + "}" if amounts else ""  # noqa: E501  # fmt: skip


def _events(record: Observation) -> Iterator[dict[str, Any]]:
    found = parse(record.events) if record.events else []
    for event in found if isinstance(found, list) else []:
        if isinstance(event, dict):
            given = event.get("attributes")
            attributes = given if isinstance(given, dict) else {}
            moment = _moment(event.get("time"))
            yield {
                "name": str(event.get("name", "")),
                "timeUnixNano": _nanoseconds(moment or record.start_time),
                "attributes": _attributes(attributes),
            }


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def _below(metadata: dict[str, str], prefix: str) -> dict[str, str]:
    return {key.removeprefix(prefix): value for key, value in metadata.items() if key.startswith(prefix)}


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(entry) for entry in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": _attributes(value)}}
    return {"stringValue": str(value)} if value is not None else {}


def _hexadecimal(identity: str, digits: int) -> str:
    """OTLP knows no other ids: those of other clients are hashed, the same ones alike."""
    if re.fullmatch(rf"[0-9a-f]{{{digits}}}", identity):
        return identity
    return hashlib.sha256(identity.encode()).hexdigest()[:digits]


def _nanoseconds(moment: datetime) -> str:
    return str((moment - EPOCH) // _MICROSECOND * 1_000)


def _iso(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""
