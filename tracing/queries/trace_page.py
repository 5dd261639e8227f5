"""What the trace page shows: the trace, the skeleton of its observations, one observation in full, scores, finds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, or_

from accounts.access import ProjectScope
from config.errors import NotFound
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import Observation, Score, Trace
from tracing.analytics.tables import observations, scores, traces
from tracing.queries.bounds import has_observations

#: hits of a search in one trace; more than a person steps through
FIND_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class Node:
    """One observation as the tree and the timeline need it: no input, no output."""

    id: str
    parent_id: str
    type: str
    name: str
    start_time: datetime
    end_time: datetime | None
    time_to_first_token_us: int | None
    level: str
    model: str
    total_tokens: int
    total_cost: Decimal
    is_root: bool


_NODE_COLUMNS = tuple(observations.c[name] for name in Node.__dataclass_fields__)


def get_trace_record(scope: ProjectScope, trace_id: str) -> Trace:
    """The trace as stored. NotFound when the project has none of that id."""
    query = store.select(scope, traces).where(traces.c.id == trace_id).order_by(traces.c.timestamp).limit(1)
    found = store.records(scope, Trace, query, tag="trace-page")
    if not found:
        raise NotFound("There is no such trace in this project.")
    return found[0]


def _of_trace(trace: Trace) -> list[ColumnElement[bool]]:
    o = observations.c
    return [o.start_time >= trace.first_start, o.start_time <= trace.last_start, o.trace_id == trace.id]


def list_nodes(scope: ProjectScope, trace: Trace) -> list[Node]:
    """All observations of the trace, by start time."""
    if not has_observations(trace):
        return []
    o = observations.c
    query = store.select(scope, observations, *_NODE_COLUMNS).where(*_of_trace(trace)).order_by(o.start_time, o.id)
    return [Node(*row) for row in store.rows(scope, query, tag="trace-skeleton")]


def get_observation(scope: ProjectScope, trace: Trace, observation_id: str) -> Observation:
    query = store.select(scope, observations).where(*_of_trace(trace), observations.c.id == observation_id).limit(1)
    found = store.records(scope, Observation, query, tag="trace-observation")
    if not found:
        raise NotFound("There is no such observation in this trace.")
    return found[0]


def find_in_trace(scope: ProjectScope, trace: Trace, text: str) -> set[str]:
    """Ids of the observations whose name, input, output or status message holds the text, in any case."""
    o = observations.c
    columns: tuple[Any, ...] = (o.name, o.input, o.output, o.status_message, o.model)
    query = (
        store.select(scope, observations, o.id)
        .where(*_of_trace(trace), or_(o.id == text, *(fn.contains(c, text, ignore_case=True) for c in columns)))
        .limit(FIND_LIMIT)
    )
    return {row.id for row in store.rows(scope, query, tag="trace-find")}


def list_trace_scores(scope: ProjectScope, trace_id: str) -> list[Score]:
    """Scores on the trace and on its observations, oldest first."""
    s = scores.c
    query = store.select(scope, scores).where(s.trace_id == trace_id).order_by(s.timestamp, s.id).limit(500)
    return store.records(scope, Score, query, tag="trace-scores")
