"""Records for the tests of pages, each in one call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tracing.analytics import store
from tracing.analytics.records import Observation, Score, Trace

HOSTILE = "\"><script>alert('x')</script><img src=x onerror=alert(1)>"


@dataclass
class Traced:
    """A trace as stored, with its observations."""

    trace: Trace
    observations: list[Observation]

    @property
    def id(self) -> str:
        return self.trace.id


def observation(trace_id: str, project_id: str, start: datetime, **fields: Any) -> Observation:
    fields = {"end_time": start + timedelta(seconds=1), "latency_us": 1_000_000, **fields}
    fields.setdefault("is_root", not fields.get("parent_id"))
    return Observation(
        project_id=project_id, trace_id=trace_id, id=fields.pop("id", uuid4().hex[:16]), start_time=start,
        row_version=1, **fields,
    )  # fmt: skip


def put_trace(
    project_id: str,
    *children: dict[str, Any],
    root: dict[str, Any] | None = None,
    at: datetime | None = None,
    scores: tuple[dict[str, Any], ...] = (),
    **fields: Any,
) -> Traced:
    """A trace with a root observation and these children; `root=False`-like empties are made with `bare_trace`."""
    trace_id = fields.pop("id", uuid4().hex)
    start = at or datetime.now(UTC) - timedelta(minutes=5)
    top = observation(trace_id, project_id, start, **{"name": fields.get("name", "root"), **(root or {})})
    rows = [top]
    for number, child in enumerate(children, 1):
        offset = timedelta(milliseconds=10 * number)
        rows.append(observation(trace_id, project_id, start + offset, **{"parent_id": top.id, **child}))
    trace = Trace(
        project_id=project_id, id=trace_id, timestamp=start, root_id=top.id, root_type=top.type, first_start=start,
        last_start=rows[-1].start_time, row_version=1, created_at=start, **fields,
    )  # fmt: skip
    given = [
        Score(project_id=project_id, id=uuid4().hex, timestamp=start, trace_id=trace_id, row_version=1, **score)
        for score in scores
    ]
    store.insert(observations=rows, traces=[trace], scores=given)
    return Traced(trace, rows)


def bare_trace(project_id: str, **fields: Any) -> Trace:
    """A trace that no observation has come for."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    trace = Trace(project_id=project_id, id=uuid4().hex, timestamp=at, row_version=1, **fields)
    store.insert(traces=[trace])
    return trace
