"""Other tables beside the one of a view. Each finds no more rows than the query's own records can have partners."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, column, false, literal, tuple_

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import NEVER
from tracing.analytics.tables import observations, scores, traces
from tracing.queries.metrics.model import Joined, MetricsQuery

o, t, s = observations.c, traces.c, scores.c

#: A count of the type that other numbers have, to stand beside a zero.
_how_many = fn.sum(literal(1))
#: Columns of the joined traces and observations, under names that no table has.
_OF_TRACE = {
    "name": t.name, "tags": t.tags, "user_id": t.user_id, "session_id": t.session_id,
    "release": t.release, "version": t.version,
}  # fmt: skip
_OF_OBSERVATION = {
    "name": o.name, "model": o.model, "prompt_name": o.prompt_name, "prompt_version": o.prompt_version,
}  # fmt: skip


def of_trace(name: str) -> Any:
    """A column of the trace that a record belongs to."""
    return column(f"of_trace_{name}", _OF_TRACE[name].type)


def of_observation(name: str) -> Any:
    """A column of the observation that a score belongs to."""
    return column(f"of_observation_{name}", _OF_OBSERVATION[name].type)


def trace_of_observation(scope: ProjectScope, query: MetricsQuery) -> Joined:
    """A trace knows between which times its observations start."""
    found = _traces(scope).where(t.first_start <= query.to_time, t.last_start >= query.from_time).subquery("its_trace")
    return Joined(found, found.c.of_trace_id == o.trace_id)


def trace_of_score(scope: ProjectScope, query: MetricsQuery) -> Joined:
    scored = store.select(scope, scores, s.trace_id).where(*query.in_range)
    found = _traces(scope).where(t.id.in_(scored)).subquery("its_trace")
    return Joined(found, found.c.of_trace_id == s.trace_id)


def observation_of_score(scope: ProjectScope, query: MetricsQuery) -> Joined:
    """Scores may be given long after; their traces tell when to look for the observations."""
    on_observations = (*query.in_range, s.observation_id != "")
    scored = store.select(scope, scores, s.trace_id).where(*on_observations)
    pairs = store.select(scope, scores, s.trace_id, s.observation_id).where(*on_observations)
    columns = [one.label(f"of_observation_{name}") for name, one in _OF_OBSERVATION.items()]
    keys = o.trace_id.label("of_observation_trace_id"), o.id.label("of_observation_id")
    rows = store.select(scope, observations, *keys, *columns)
    rows = rows.where(_inside(scope, t.id.in_(scored)), tuple_(o.trace_id, o.id).in_(pairs))
    found = rows.subquery("its_observation")
    on = and_(found.c.of_observation_trace_id == s.trace_id, found.c.of_observation_id == s.observation_id)
    return Joined(found, on)


def observations_of_trace(scope: ProjectScope, query: MetricsQuery) -> Joined:
    """What each trace's observations add up to."""
    end = fn.greatest(o.start_time, fn.if_else(o.end_time.is_(None), o.start_time, o.end_time))
    sums = store.select(
        scope,
        observations,
        o.trace_id,
        _how_many.label("inside_observations"),
        fn.sum(o.total_tokens).label("inside_tokens"),
        fn.sum(known_cost).label("inside_cost"),
        fn.ms_diff(fn.min(o.start_time), fn.max(end)).label("inside_latency"),
    )
    found = sums.where(_inside(scope, *query.in_range)).group_by(o.trace_id).subquery("inside")
    return Joined(found, found.c.trace_id == t.id, is_outer=True)


def scores_of_trace(scope: ProjectScope, query: MetricsQuery) -> Joined:
    in_question = store.select(scope, traces, t.id).where(*query.in_range)
    counted = store.select(scope, scores, s.trace_id, _how_many.label("scored_scores"))
    found = counted.where(s.trace_id.in_(in_question)).group_by(s.trace_id).subquery("scored")
    return Joined(found, found.c.trace_id == t.id, is_outer=True)


def scores_of_observation(scope: ProjectScope, query: MetricsQuery) -> Joined:
    counted = store.select(scope, scores, s.trace_id, s.observation_id, _how_many.label("scored_scores"))
    in_question = store.select(scope, observations, o.trace_id).where(*query.in_range)
    counted = counted.where(s.observation_id != "", s.trace_id.in_(in_question)).group_by(s.trace_id, s.observation_id)
    found = counted.subquery("scored")
    on = and_(found.c.trace_id == o.trace_id, found.c.observation_id == o.id)
    return Joined(found, on, is_outer=True)


def or_zero(name: str) -> Any:
    """A number of an outer join: databases differ in what stands there for rows without a partner."""
    value: Any = column(name, o.total_tokens.type)
    return fn.if_else(value.is_(None), 0, value)


#: Null where no price is known, as older clients expect: an observation without a model has no cost, not one of zero.
known_cost = fn.if_else(fn.array_length(fn.map_keys(o.cost)) > 0, o.total_cost, None)


def _traces(scope: ProjectScope) -> Any:
    columns = (one.label(f"of_trace_{name}") for name, one in _OF_TRACE.items())
    return store.select(scope, traces, t.id.label("of_trace_id"), *columns)


def _inside(scope: ProjectScope, *of_traces: Any) -> ColumnElement[bool]:
    """When the observations of these traces start, so that the others are not read."""
    ends = fn.min(t.first_start).label("first"), fn.max(t.last_start).label("last")
    query = store.select(scope, traces, *ends).where(t.last_start > NEVER, *of_traces)
    [span] = store.rows(scope, query, tag="metrics-span")
    if span.first is None:
        return false()
    return and_(o.start_time >= span.first, o.start_time <= span.last)
