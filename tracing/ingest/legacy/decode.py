"""In the worker: accepted events become updates of traces, patches of observations, and scores."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import orjson

from config.errors import Unavailable
from tracing.analytics.records import Level
from tracing.ingest import scores
from tracing.ingest.clock import parse_time
from tracing.ingest.environment import normalise_environment
from tracing.ingest.legacy import events
from tracing.ingest.model import Decoded, Envelope, ObservationPatch, SetAside, TraceUpdate, reason_of
from tracing.ingest.text import as_text, flatten
from tracing.ingest.usage import cost_from_legacy, usage_from_legacy

_NAMESPACE = uuid.UUID("5ce1f1a4-6f0e-4f0c-9d9e-3f4f6f4a4b1d")

#: A null in these empties the field; in all others it says nothing.
_TRACE_NULLABLE = {
    "name": "name",
    "userId": "user_id",
    "sessionId": "session_id",
    "release": "release",
    "version": "version",
}
_TEXTS = {"statusMessage": "status_message", "version": "version", "parentObservationId": "parent_id"}
_TIMES = {"startTime": "start_time", "endTime": "end_time", "completionStartTime": "completion_start_time"}


def decode_body(body: bytes, envelope: Envelope) -> Decoded:
    """One inbox payload: the events that `receive` accepted."""
    return decode(orjson.loads(body), envelope)


def decode(accepted: list[dict[str, Any]], envelope: Envelope) -> Decoded:
    decoded = Decoded()
    for event in accepted:
        try:
            _decode_event(event, envelope, decoded)
        except Unavailable:
            raise
        except Exception as error:  # one bad event must not take its neighbours with it
            payload, item_id = as_text([event]), str(event.get("id", ""))
            decoded.set_aside.append(SetAside(reason=reason_of(error), payload=payload, item_id=item_id))
    return decoded


def _decode_event(event: dict[str, Any], envelope: Envelope, decoded: Decoded) -> None:
    type_, body, at = event["type"], event["body"], parse_time(event["timestamp"])
    if type_ == events.TRACE:
        decoded.trace_updates.append(_trace_update(event["id"], body, at, envelope))
    elif type_ == events.SCORE:
        decoded.scores.append(scores.decode_score(body, envelope, at))
    elif type_ != events.LOG:
        patch = _patch(type_, body, at, envelope)
        decoded.patches.append(patch)
        if not patch.is_trace_guessed:
            decoded.trace_updates.append(_shallow_update(patch))


def _trace_update(event_id: str, body: dict[str, Any], at: datetime, envelope: Envelope) -> TraceUpdate:
    fields: dict[str, Any] = {name: body[key] or "" for key, name in _TRACE_NULLABLE.items() if key in body}
    for key in ("input", "output"):
        text = as_text(body.get(key))
        if text:
            fields[key] = text
    fields["public"] = body.get("public") or False
    fields["environment"] = normalise_environment(body.get("environment"), is_own=envelope.is_own)
    return TraceUpdate(
        project_id=envelope.project_id,
        trace_id=body.get("id") or _id_from(envelope.project_id, "trace", event_id),
        at=at,
        timestamp=parse_time(body["timestamp"]) if body.get("timestamp") else at,
        fields=fields,
        tags=body.get("tags") or [],
        metadata=flatten(body.get("metadata")),
    )


def _patch(type_: str, body: dict[str, Any], at: datetime, envelope: Envelope) -> ObservationPatch:
    fields = _plain_fields(body)
    fields |= _model_fields(body)
    fields |= {
        "environment": normalise_environment(body.get("environment"), is_own=envelope.is_own),
        "created_at": envelope.received_at,
        "source": "ingestion",
        "sdk_name": envelope.sdk_name,
        "sdk_version": envelope.sdk_version,
        "public_key": envelope.public_key,
    }
    return ObservationPatch(
        project_id=envelope.project_id,
        # Without a trace an observation is one of its own; its updates, which name none either, must find it.
        trace_id=body.get("traceId") or _id_from(envelope.project_id, "observation", body["id"]),
        id=body["id"],
        type=events.OBSERVATION_TYPES.get(type_) or body["type"],
        at=at,
        is_update=type_ in events.UPDATES,
        is_trace_guessed=not body.get("traceId"),
        fields=fields,
        metadata=flatten(body.get("metadata")),
    )


def _plain_fields(body: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {name: body[key] for key, name in _TEXTS.items() if body.get(key) is not None}
    fields |= {name: parse_time(body[key]) for key, name in _TIMES.items() if body.get(key)}
    if "name" in body:
        fields["name"] = body["name"] or ""
    if "level" in body:
        fields["level"] = body["level"] or Level.DEFAULT.value
    for key in ("input", "output"):
        text = as_text(body.get(key))
        if text:
            fields[key] = text
    return fields


def _model_fields(body: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if "model" in body:
        fields["model"] = body["model"] or ""
    if body.get("modelParameters"):
        fields["model_parameters"] = as_text(body["modelParameters"])
    usage = usage_from_legacy(body.get("usage"), body.get("usageDetails"))
    cost = cost_from_legacy(body.get("usage"), body.get("costDetails"))
    if usage:
        fields["provided_usage"] = usage
    if cost:
        fields["provided_cost"] = cost
    if body.get("promptName") and body.get("promptVersion"):
        fields["prompt_name"] = body["promptName"]
        fields["prompt_version"] = int(body["promptVersion"])
    return fields


def _shallow_update(patch: ObservationPatch) -> TraceUpdate:
    """So that the trace exists. What it shows of its root is said once the observation is merged."""
    start = patch.fields.get("start_time", patch.at)
    return TraceUpdate(
        project_id=patch.project_id,
        trace_id=patch.trace_id,
        at=start,
        timestamp=start,
        fields={"environment": patch.fields["environment"]},
    )


def _id_from(project_id: str, kind: str, name: str) -> str:
    """An id that is the same at each delivery of an event."""
    return uuid.uuid5(_NAMESPACE, f"{project_id}\n{kind}\n{name}").hex
