"""How traces and sessions look, and what may be asked of their lists."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from config.api.describe import PAGE, Given, PageMeta, Shape, in_path, parameter
from tracing.api.shapes.filters import FILTER
from tracing.api.shapes.observations import ObservationV1
from tracing.api.shapes.scores import ScoreV1


class TraceCore(Shape):
    id: str
    projectId: str
    externalId: None
    timestamp: datetime
    name: str | None
    userId: str | None
    sessionId: str | None
    release: str | None
    version: str | None
    environment: str
    public: bool
    bookmarked: bool
    tags: list[str]
    createdAt: datetime
    updatedAt: datetime


class TraceItem(TraceCore):
    """A trace of a list; `observations` and `scores` are ids.

    Without the group io there are no `input`, `output` and `metadata`; without metrics `totalCost` (US dollars) and
    `latency` (seconds) are -1.
    """

    input: Any = None
    output: Any = None
    metadata: dict[str, Any] = {}
    observations: list[str]
    scores: list[str]
    totalCost: float
    latency: float
    htmlPath: str


class TracePage(Shape):
    data: list[TraceItem]
    meta: PageMeta


class TraceDetail(TraceCore):
    """A trace with all its observations and scores. `totalCost` is US dollars and `latency` seconds."""

    input: Any = None
    output: Any = None
    metadata: dict[str, Any]
    observations: list[ObservationV1]
    scores: list[ScoreV1]
    totalCost: float
    latency: float
    htmlPath: str


class SessionItem(Shape):
    id: str
    createdAt: datetime
    projectId: str
    environment: str


class SessionPage(Shape):
    data: list[SessionItem]
    meta: PageMeta


class SessionTrace(TraceCore):
    input: Any
    output: Any
    metadata: dict[str, Any]


class SessionDetail(SessionItem):
    """A session and its traces."""

    traces: list[SessionTrace]


class TraceIds(Given):
    """Which traces."""

    traceIds: Annotated[list[str], Field(min_length=1, max_length=1000)]


FIELDS = parameter(
    "fields",
    "Groups of fields: core (always there), io, scores, observations, metrics. All when it is absent; unknown names "
    "are ignored.",
    many=True,
    example=["core", "io"],
)
TRACE_ID = in_path("trace_id", "The trace; ids may hold slashes, escaped as %2F.")
SESSION_ID = in_path("session_id", "The session, as the program named it.")

LIST_SESSIONS = (
    *PAGE,
    parameter("fromTimestamp", "Created then or later.", "time", example="2026-01-02T03:04:05Z"),
    parameter("toTimestamp", "Created before then.", "time"),
    parameter("environment", "Any of these environments.", many=True),
)

LIST = (
    *PAGE,
    parameter("userId", "Of this user."),
    parameter("name", "This name."),
    parameter("sessionId", "Of this session."),
    parameter("fromTimestamp", "Started then or later.", "time", example="2026-01-02T03:04:05Z"),
    parameter("toTimestamp", "Started before then.", "time"),
    parameter(
        "orderBy",
        "A field and a direction. Fields: id, timestamp, name, userId, release, version, public, bookmarked, "
        "sessionId. Directions: asc, desc.",
        default="timestamp.desc",
    ),
    parameter("tags", "All of these tags.", many=True),
    parameter("version", "This version."),
    parameter("release", "This release."),
    parameter("environment", "Any of these environments.", many=True, example=["production"]),
    FIELDS,
    FILTER,
)
