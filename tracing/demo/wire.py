"""Demo traces as the bytes real clients send: OTLP protobuf, OTLP JSON, legacy events, scores."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from tracing.demo.draft import Draft, Step, iso

_SERVICE, _SCOPE = "nimbus-assistants", "langfuse-sdk"
_MICROSECOND_NS = 1_000


def attributes(draft: Draft, step: Step) -> dict[str, Any]:
    """What the Langfuse SDKs put on a span."""
    found: dict[str, Any] = {
        **draft.attributes,
        "langfuse.observation.type": step.kind,
        "langfuse.environment": draft.environment,
        "langfuse.trace.name": draft.name,
    }
    optional = {
        "user.id": draft.user,
        "session.id": draft.session,
        "langfuse.release": draft.release,
        "langfuse.version": draft.version,
        "langfuse.trace.tags": draft.tags,
        "langfuse.observation.model.name": step.model,
        "langfuse.observation.model.parameters": _text(step.parameters) if step.parameters else "",
        "langfuse.observation.usage_details": _text(step.usage) if step.usage else "",
        "langfuse.observation.completion_start_time": iso(step.first_token) if step.first_token else "",
        "langfuse.observation.level": step.level if step.level != "DEFAULT" else "",
        "langfuse.observation.status_message": step.status,
    }
    found |= {key: value for key, value in optional.items() if value}
    for side, content in (("input", step.input), ("output", step.output)):
        if content is not None:
            found[f"langfuse.observation.{side}"] = _text(content)
    found |= {f"langfuse.observation.metadata.{key}": _text(value) for key, value in step.metadata.items()}
    if step.prompt:
        found |= {
            "langfuse.observation.prompt.name": step.prompt[0],
            "langfuse.observation.prompt.version": step.prompt[1],
        }
    if not step.parent:
        found |= {f"langfuse.trace.metadata.{key}": _text(value) for key, value in draft.metadata.items()}
        found |= {"langfuse.trace.public": True} if draft.is_public else {}
    return found


def protobuf(pairs: Iterable[tuple[Draft, Step]]) -> bytes:
    spans = [_proto_span(draft, step) for draft, step in pairs]
    resource = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value=_SERVICE))])
    scope = ScopeSpans(scope=InstrumentationScope(name=_SCOPE, version="5.0.4"), spans=spans)
    request = ExportTraceServiceRequest(resource_spans=[ResourceSpans(resource=resource, scope_spans=[scope])])
    body: bytes = request.SerializeToString()
    return body


def otlp_json(pairs: Iterable[tuple[Draft, Step]]) -> bytes:
    spans = [_json_span(draft, step) for draft, step in pairs]
    resource = {"attributes": _json_attributes({"service.name": _SERVICE})}
    scope = {"scope": {"name": _SCOPE, "version": "5.11.1"}, "spans": spans}
    return orjson.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]})


def legacy(drafts: Iterable[Draft]) -> bytes:
    return orjson.dumps(
        {"batch": [event for draft in drafts for event in _events(draft)], "metadata": {"sdk_name": "python"}}
    )


def scores(drafts: Iterable[Draft]) -> list[dict[str, Any]]:
    return [score for draft in drafts for score in _scores(draft)]


def _proto_span(draft: Draft, step: Step) -> Span:
    span = Span(
        trace_id=bytes.fromhex(draft.id),
        span_id=bytes.fromhex(step.id),
        parent_span_id=bytes.fromhex(step.parent),
        name=step.name,
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=step.start * _MICROSECOND_NS,
        end_time_unix_nano=step.end * _MICROSECOND_NS,
        attributes=[KeyValue(key=key, value=_any_value(value)) for key, value in attributes(draft, step).items()],
    )
    if step.level == "ERROR":
        span.status.code, span.status.message = Status.STATUS_CODE_ERROR, step.status
        kind, _, message = step.status.partition(": ")
        event = span.events.add(name="exception", time_unix_nano=step.end * _MICROSECOND_NS)
        for key, value in (("exception.type", kind), ("exception.message", message or kind)):
            event.attributes.add(key=key, value=AnyValue(string_value=value))
    return span


def _any_value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_any_value(item) for item in value]))
    return AnyValue(string_value=value)


def _json_span(draft: Draft, step: Step) -> dict[str, Any]:
    return {
        "traceId": draft.id,
        "spanId": step.id,
        **({"parentSpanId": step.parent} if step.parent else {}),
        "name": step.name,
        "kind": 1,
        "startTimeUnixNano": str(step.start * _MICROSECOND_NS),
        "endTimeUnixNano": str(step.end * _MICROSECOND_NS),
        "attributes": _json_attributes(attributes(draft, step)),
        "status": {"code": 2, "message": step.status} if step.level == "ERROR" else {"code": 0},
    }


def _json_attributes(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _json_value(value)} for key, value in found.items()]


def _json_value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_json_value(item) for item in value]}}
    return {"stringValue": value}


_EVENT_KINDS = {"span": "span-create", "generation": "generation-create", "event": "event-create"}


def _events(draft: Draft) -> Iterable[dict[str, Any]]:
    root = draft.steps[0]
    body = {
        "id": draft.id,
        "timestamp": iso(draft.start),
        "name": draft.name,
        "environment": draft.environment,
        "tags": draft.tags,
        "metadata": draft.metadata,
        "version": draft.version,
        "input": root.input,
        "output": root.output,
    }
    yield _event(draft, "trace-create", draft.id, draft.start, body)
    for step in draft.steps:
        created, ended = _observation(draft, step)
        kind = _EVENT_KINDS.get(step.kind, f"{step.kind}-create")
        yield _event(draft, kind, step.id, step.start, created)
        if kind in ("span-create", "generation-create"):
            # The SDK says what came out in a second event, as it only knows then.
            yield _event(draft, kind.replace("create", "update"), f"{step.id}-end", step.end, ended)


def _event(draft: Draft, kind: str, name: str, at: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"{draft.id[:12]}-{name}-{kind}", "type": kind, "timestamp": iso(at), "body": body}


def _observation(draft: Draft, step: Step) -> tuple[dict[str, Any], dict[str, Any]]:
    """What an older SDK says at the begin and at the end of an observation."""
    created: dict[str, Any] = {
        "id": step.id,
        "traceId": draft.id,
        "parentObservationId": step.parent or None,
        "name": step.name,
        "startTime": iso(step.start),
        "environment": draft.environment,
        "input": step.input,
        "metadata": step.metadata or None,
    }
    if step.model:
        created |= {"model": step.model, "modelParameters": step.parameters}
    if step.prompt:
        created |= {"promptName": step.prompt[0], "promptVersion": step.prompt[1]}
    ended: dict[str, Any] = {
        "id": step.id,
        "traceId": draft.id,
        "endTime": iso(step.end),
        "output": step.output,
        "level": step.level,
    }
    if step.status:
        ended["statusMessage"] = step.status
    if step.usage:
        ended["usageDetails"] = step.usage
    return created, ended


def _scores(draft: Draft) -> Iterable[dict[str, Any]]:
    for number, judgement in enumerate(draft.judgements):
        score = {
            "id": f"{draft.id[:24]}-{number}",
            "traceId": draft.id,
            "name": judgement.name,
            "value": judgement.value,
            "dataType": judgement.kind,
            "timestamp": iso(draft.clock),
            "environment": draft.environment,
        }
        if judgement.comment:
            score["comment"] = judgement.comment
        if judgement.step:
            score["observationId"] = judgement.step
        yield score


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def basic(public_key: str, secret_key: str) -> str:
    return "Basic " + base64.b64encode(f"{public_key}:{secret_key}".encode()).decode()
