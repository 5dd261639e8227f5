"""What the content of an observation is shown with: spans of the tools it calls, what lies below it, its files."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from accounts.access import ProjectScope
from tracing.analytics import store
from tracing.analytics.records import ZERO, Observation, Trace
from tracing.analytics.tables import observations
from tracing.models import Media

#: spans that calls of one observation are looked for among
_MOST_SPANS = 400
#: larger traces are added up in the tree alone, which has them at hand
_MOST_BELOW = 20_000
_CALL_ID_KEYS = (
    "attributes.gen_ai.tool.call.id", "attributes.ai.toolCall.id", "attributes.tool_call.id", "tool_call_id",
    "attributes.tool_call_id",
)  # fmt: skip

o = observations.c


@dataclass(frozen=True, slots=True)
class ToolSpan:
    """An observation that ran a tool. `call_id` is empty where its instrumentation does not say which call it was."""

    id: str
    name: str
    start_time: datetime
    latency_us: int | None
    level: str
    call_id: str


@dataclass(frozen=True, slots=True)
class Below:
    """An observation and all below it, added up. Times are microseconds."""

    observations: int
    errors: int
    warnings: int
    tokens: int
    cost: Decimal
    #: from its start to the last end below it
    total_us: int
    #: of its own duration, what none of its children ran in
    own_us: int | None


def list_tool_spans(scope: ProjectScope, trace: Trace, names: Collection[str]) -> list[ToolSpan]:
    """Observations of the trace that are called like these tools, model calls left out, by start time."""
    if not names:
        return []
    query = (
        store.select(scope, observations, o.id, o.name, o.start_time, o.latency_us, o.level, o.metadata)
        .where(
            o.start_time.between(trace.first_start, trace.last_start),
            o.trace_id == trace.id,
            o.name.in_(sorted({form for name in names for form in _span_names(name)})),
            o.type.not_in(["GENERATION", "EMBEDDING", "EVENT"]),
        )
        .order_by(o.start_time, o.id)
        .limit(_MOST_SPANS)
    )
    return [
        ToolSpan(row.id, row.name, row.start_time, row.latency_us, row.level, _call_id(row.metadata))
        for row in store.rows(scope, query, tag="tool-spans")
    ]


def _span_names(tool: str) -> tuple[str, ...]:
    """The tool's own name, and how OpenTelemetry, LangChain and the AI SDK name the span around it."""
    return tool, f"execute_tool {tool}", f"{tool}.tool", f"running tool: {tool}"


def is_span_of(span: ToolSpan, tool: str) -> bool:
    return span.name in _span_names(tool)


def _call_id(metadata: dict[str, str]) -> str:
    return next((metadata[key] for key in _CALL_ID_KEYS if metadata.get(key)), "")


def sums_below(scope: ProjectScope, trace: Trace, record: Observation) -> Below | None:
    """None when nothing is below it, or the trace is too large to be walked for a page."""
    of_trace = (o.start_time.between(trace.first_start, trace.last_start), o.trace_id == trace.id)
    child = store.select(scope, observations, o.id).where(*of_trace, o.parent_id == record.id).limit(1)
    if not store.rows(scope, child, tag="has-children"):
        return None
    query = (
        store.select(
            scope, observations, o.id, o.parent_id, o.start_time, o.end_time, o.level, o.total_tokens, o.total_cost
        )
        .where(*of_trace)
        .limit(_MOST_BELOW + 1)
    )
    rows = store.rows(scope, query, tag="sums-below")
    if len(rows) > _MOST_BELOW:
        return None
    children: dict[str, list[object]] = {}
    for row in rows:
        if row.parent_id != row.id:
            children.setdefault(row.parent_id, []).append(row)
    return _sums(record, children)


def _sums(record: Observation, children: dict[str, list[object]]) -> Below:
    seen, waiting = {record.id}, list(children.get(record.id, []))
    direct = list(waiting)
    tokens, cost, errors, warnings = record.total_tokens, record.total_cost or ZERO, 0, 0
    last = record.end_time or record.start_time
    while waiting:
        row = waiting.pop()
        if row.id in seen:  # type: ignore[attr-defined]
            continue
        seen.add(row.id)  # type: ignore[attr-defined]
        tokens, cost = tokens + row.total_tokens, cost + row.total_cost  # type: ignore[attr-defined]
        errors += row.level == "ERROR"  # type: ignore[attr-defined]
        warnings += row.level == "WARNING"  # type: ignore[attr-defined]
        last = max(last, row.end_time or row.start_time)  # type: ignore[attr-defined]
        waiting.extend(children.get(row.id, []))  # type: ignore[attr-defined]
    return Below(
        observations=len(seen) - 1,
        errors=errors,
        warnings=warnings,
        tokens=tokens,
        cost=cost,
        total_us=max(0, round((last - record.start_time).total_seconds() * 1_000_000)),
        own_us=_own_time(record, [(row.start_time, row.end_time) for row in direct]),  # type: ignore[attr-defined]
    )


def _own_time(record: Observation, spans: Iterable[tuple[datetime, datetime | None]]) -> int | None:
    """Its duration without the time in which at least one child ran."""
    if record.end_time is None:
        return None
    covered, at = 0.0, record.start_time
    for start, end in sorted((start, end or record.end_time) for start, end in spans):
        start, end = max(start, at), min(end, record.end_time)
        if end > start:
            covered += (end - start).total_seconds()
            at = end
    return max(0, round(((record.end_time - record.start_time).total_seconds() - covered) * 1_000_000))


def file_sizes(scope: ProjectScope, media_ids: Collection[str]) -> dict[str, tuple[str, int]]:
    """Type and bytes of the stored files among these."""
    found = Media.objects.filter(
        project_id=scope.project_id, media_id__in=list(media_ids)[:500], uploaded_at__isnull=False
    )
    return {row[0]: (row[1], row[2]) for row in found.values_list("media_id", "content_type", "content_length")}
