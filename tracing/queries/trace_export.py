"""A whole trace, some observations at a time: nothing is left out, and a trace may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from sqlalchemy import or_

from accounts.access import ProjectScope
from config.errors import TooExpensive
from tracing.analytics import store
from tracing.analytics.records import Observation, Score, Trace
from tracing.analytics.tables import observations, scores
from tracing.queries.bounds import has_observations
from tracing.queries.strangers import for_reader, scores_for_reader

#: tried in turn: where inputs are megabytes, fewer fit into what one query may read
_AT_ONCE = (200, 20, 1)
_SCORES_AT_ONCE = 1_000

o, s = observations.c, scores.c


def each_observation(scope: ProjectScope, trace: Trace) -> Iterator[Observation]:
    """Whole records by start time."""
    last: tuple[datetime, str] | None = None
    while has_observations(trace):
        records, size = _next_observations(scope, trace, last)
        yield from (for_reader(scope, record) for record in records)
        if len(records) < size:
            return
        last = records[-1].start_time, records[-1].id


def _next_observations(
    scope: ProjectScope, trace: Trace, last: tuple[datetime, str] | None
) -> tuple[list[Observation], int]:
    query = store.select(scope, observations).where(
        o.start_time >= trace.first_start, o.start_time <= trace.last_start, o.trace_id == trace.id
    )
    if last is not None:
        query = query.where(o.start_time >= last[0], or_(o.start_time > last[0], o.id > last[1]))
    query = query.order_by(o.start_time, o.id)
    *sizes, least = _AT_ONCE
    for size in sizes:
        with suppress(TooExpensive):
            return store.records(scope, Observation, query.limit(size), tag="trace-export"), size
    return store.records(scope, Observation, query.limit(least), tag="trace-export"), least


def each_score(scope: ProjectScope, trace_id: str) -> Iterator[Score]:
    """Scores on the trace and on its observations, oldest first."""
    last: tuple[datetime, str] | None = None
    while True:
        query = store.select(scope, scores).where(s.trace_id == trace_id)
        if last is not None:
            query = query.where(s.timestamp >= last[0], or_(s.timestamp > last[0], s.id > last[1]))
        found = store.records(
            scope, Score, query.order_by(s.timestamp, s.id).limit(_SCORES_AT_ONCE), tag="trace-export-scores"
        )
        yield from scores_for_reader(scope, found)
        if len(found) < _SCORES_AT_ONCE:
            return
        last = found[-1].timestamp, found[-1].id
