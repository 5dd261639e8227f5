"""What this server calls models for itself is traced like all the rest: the same events, inbox and worker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson
from django.db import models
from django.utils import timezone

from accounts.access import AccessLevel, ProjectScope
from config.errors import Invalid, Unavailable
from tracing.analytics.records import EPOCH
from tracing.ingest import legacy
from tracing.ingest.model import Envelope
from tracing.ingest.receive import keep_body, keep_payload
from tracing.ingest.text import as_text

log = logging.getLogger(__name__)
Row = TypeVar("Row", bound=models.Model)

#: environments of the server itself begin with it, as in Langfuse; of what clients send it is taken away
OWN_PREFIX = "langfuse-"
#: a trace is not handed in again while whoever ended the row is just doing it
_UNTRACED_AFTER = timedelta(seconds=10)


def keep_own_events(scope: ProjectScope, events: list[dict[str, Any]]) -> None:
    """Hands events, as `POST /api/public/ingestion` takes them, to the worker; they may name an environment that
    begins with OWN_PREFIX. Raises Unavailable where the inbox cannot be written, and Invalid for what is no event."""
    receipt = legacy.receive({"batch": events}, AccessLevel.PROJECT, scope.project_id)
    if receipt.response["errors"]:
        raise Invalid(orjson.dumps(receipt.response["errors"]).decode()[:2000])
    envelope = Envelope(project_id=scope.project_id, kind="ingestion", received_at=datetime.now(UTC), is_own=True)
    keep_payload(envelope, receipt.accepted)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSpan:
    """A span of the server's own, with attributes as Langfuse's SDKs name them; what is None or empty is left out."""

    trace_id: str
    id: str
    parent_id: str = ""
    name: str
    start_time: datetime
    end_time: datetime
    attributes: Mapping[str, Any] = field(default_factory=dict)


def keep_own_spans(scope: ProjectScope, spans: Sequence[OwnSpan]) -> None:
    """The same for spans, which can say what events cannot: that they belong to an experiment. Raises Unavailable."""
    body = orjson.dumps(
        {"resourceSpans": [{"scopeSpans": [{"scope": _SCOPE, "spans": [_span(one) for one in spans]}]}]}
    )
    envelope = Envelope(
        project_id=scope.project_id,
        kind="otlp",
        received_at=datetime.now(UTC),
        content_type="application/json",
        ingestion_version=_DIRECT,
        is_own=True,
    )
    keep_body(envelope, body)


#: attributes of this scope are all Langfuse's, and none is kept as metadata
_SCOPE = {"name": "langfuse-sdk"}
#: spans say all about their trace, as the newest SDKs' do
_DIRECT = 4


def _span(span: OwnSpan) -> dict[str, Any]:
    given = {name: value for name, value in span.attributes.items() if value not in (None, "")}
    return {
        "traceId": span.trace_id,
        "spanId": span.id,
        "parentSpanId": span.parent_id,
        "name": span.name,
        "startTimeUnixNano": _nanoseconds(span.start_time),
        "endTimeUnixNano": _nanoseconds(span.end_time),
        "attributes": [{"key": name, "value": _value(value)} for name, value in given.items()],
    }


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return {"arrayValue": {"values": [{"stringValue": one} for one in value]}}
    return {"stringValue": value if isinstance(value, str) else as_text(value)}


def _nanoseconds(at: datetime) -> str:
    return str((at - EPOCH) // timedelta(microseconds=1) * 1000)


# --- Rows that are traced --------------------------------------------------------------------------------
def trace_row(row: models.Model, hand_in: Callable[[], None]) -> None:
    """Calls `hand_in` and marks the row as traced (`is_traced`). What cannot be handed in now is handed in later, from
    `untraced`; the ids are those of the row, so that doing it again changes nothing."""
    try:
        hand_in()
    except Unavailable as error:
        log.warning("The trace of %s waits: %s", row.pk, error)
        return
    except Invalid as error:
        log.error("%s cannot be traced: %s", row.pk, error.message)
    type(row)._default_manager.filter(pk=row.pk).update(is_traced=True)


def untraced(rows: models.QuerySet[Row]) -> models.QuerySet[Row]:
    """Those that ended (`ended_at`) and were not traced."""
    return rows.filter(is_traced=False, ended_at__lt=timezone.now() - _UNTRACED_AFTER)
