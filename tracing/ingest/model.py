"""What flows between the steps of ingestion."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tracing.analytics.records import Observation, Score


@dataclass(slots=True, kw_only=True)
class Envelope:
    """Who sent a payload, and how: everything decoding needs beside the bytes."""

    project_id: str
    kind: str  # "otlp", "ingestion" or "scores"
    received_at: datetime
    content_type: str = ""
    public_key: str = ""
    sdk_name: str = ""
    sdk_version: str = ""
    #: the number in `x-langfuse-ingestion-version`; 0 when it was not sent
    ingestion_version: int = 0
    #: written by this server about what it did itself (`own.py`): it may use the environments that are kept for that
    is_own: bool = False


@dataclass(slots=True, kw_only=True)
class SetAside:
    """Spans, an event or a score that cannot be stored. Their neighbours go through; they wait for people.

    `payload` is a whole body, as JSON text, that can be delivered again by itself.
    """

    reason: str
    payload: str
    item_id: str = ""


class Refused(Exception):
    """An item makes sense and yet cannot be stored; the message says to people why."""


def reason_of(error: Exception) -> str:
    return str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}"


@dataclass(slots=True, kw_only=True)
class TraceUpdate:
    """What one span or event says about its trace."""

    project_id: str
    trace_id: str
    #: the event's own time: of two updates of one field the later wins
    at: datetime
    #: candidate for the trace's timestamp: the earliest wins
    timestamp: datetime
    #: start of the observation that this comes from, if any: widens first_start and last_start
    start: datetime | None = None
    #: any of Trace's plain fields; only what was really sent
    fields: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    #: somebody chose this on a page: no span or event, however late, changes it back
    is_by_person: bool = False
    #: only people take tags away
    removed_tags: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class ObservationPatch:
    """One legacy observation event. `fields` holds only what was sent, under Observation's names."""

    project_id: str
    trace_id: str
    id: str
    type: str
    at: datetime
    is_update: bool
    #: the event named no trace: if an observation of this id is known, it is about that one
    is_trace_guessed: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Decoded:
    observations: list[Observation] = field(default_factory=list)
    patches: list[ObservationPatch] = field(default_factory=list)
    trace_updates: list[TraceUpdate] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)


class PayloadRejected(Exception):
    """The whole payload is refused at the door, with this status and JSON body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body
