"""What ran in experiments, as it was traced: where the spans of items lie, what they came to, how they were scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, false, or_

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import ZERO
from tracing.analytics.tables import observations, scores, traces
from tracing.queries.bounds import inside_of
from tracing.queries.parallel import together

o, t, s = observations.c, traces.c, scores.c

#: a trace that is told of by the API began about when it was told
_NEAR = timedelta(hours=1)
#: for a span whose end has not come
_LONGEST = timedelta(days=1)
#: Clocks of clients differ, and programs may give scores times of their own.
_SCORED_BEFORE = timedelta(days=1)


class Ran(NamedTuple):
    """One run of one item, as its row has it. Without a root its trace's root is meant."""

    item_id: str
    trace_id: str
    root_id: str
    #: of the root; None while only the API has told of it
    started_at: datetime | None
    ended_at: datetime | None
    #: about when it ran
    near: datetime


class Place(NamedTuple):
    """Where a run lies in the store: as `tracing.queries.bounds` wants it."""

    id: str
    root_id: str
    first_start: datetime
    last_start: datetime


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run came to: of its root and all below it."""

    root_id: str
    started_at: datetime
    latency_us: int | None
    level: str
    cost: Decimal = ZERO
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Given:
    """A score of a run. `value` is 0 or 1 of booleans; of categories and texts `text` counts."""

    id: str
    name: str
    data_type: str
    value: float
    text: str
    observation_id: str
    comment: str


#: by trace and root as the row has it (which may be empty)
Key = tuple[str, str]


def places_of(scope: ProjectScope, runs: Sequence[Ran]) -> dict[Key, Place]:
    """Those that have been traced, as far as is known."""
    found = {
        (run.trace_id, run.root_id): Place(
            run.trace_id, run.root_id, run.started_at, run.ended_at or run.started_at + _LONGEST
        )
        for run in runs
        if run.started_at is not None and run.root_id
    }
    unknown = [run for run in runs if (run.trace_id, run.root_id) not in found]
    if unknown:
        traced = _traces(scope, unknown)
        for run in unknown:
            if (row := traced.get(run.trace_id)) is not None:
                root = run.root_id or row.root_id
                found[(run.trace_id, run.root_id)] = Place(run.trace_id, root, row.first_start, row.last_start)
    return found


def _traces(scope: ProjectScope, runs: Sequence[Ran]) -> dict[str, Any]:
    """Looked for where they should be, and the others by index."""
    ids = {run.trace_id for run in runs}
    near = (
        t.timestamp >= min(run.near for run in runs) - _NEAR,
        t.timestamp <= max(run.near for run in runs) + _NEAR,
    )
    found: dict[str, Any] = {}
    for where in (near, ()):
        missing = sorted(ids - found.keys())
        if missing:
            query = store.select(scope, traces, t.id, t.root_id, t.first_start, t.last_start)
            rows = store.rows(scope, query.where(t.id.in_(missing), *where), tag="experiment-traces")
            found |= {row.id: row for row in rows}
    return found


def roots_in(places: Sequence[Place]) -> ColumnElement[bool]:
    """Observations that are the roots of these runs."""
    if not places:
        return false()
    return and_(inside_of(places), o.id.in_(sorted({place.root_id for place in places})))


def measure(scope: ProjectScope, places: dict[Key, Place]) -> dict[Key, Measured]:
    """Costs and tokens are those of the observations that began while the root ran: judges that clients run afterwards
    are in the same trace, but no part of what is judged. Of several items in one trace each has its own."""
    if not places:
        return {}
    roots = (
        store.select(scope, observations, o.trace_id, o.id, o.start_time, o.end_time, o.latency_us, o.level)
        .where(roots_in(list(places.values())))
        .subquery("roots")
    )
    r = roots.c
    below = and_(
        o.trace_id == r.trace_id,
        or_(o.experiment_item_root_id == "", o.experiment_item_root_id == r.id),
        o.start_time >= r.start_time,
        or_(r.end_time.is_(None), o.start_time <= r.end_time),
    )
    key = (r.trace_id, r.id, r.start_time, r.latency_us, r.level)
    query = (
        store.select(scope, observations, *key, fn.sum(o.total_cost).label("cost"), fn.sum(o.total_tokens).label("n"))
        .join(roots, o.trace_id == r.trace_id)
        .where(inside_of(list(places.values())), below)
        .group_by(*key)
    )
    found = {
        (row[0], row[1]): Measured(row[1], row[2], row[3], row[4], row[5] or ZERO, row[6] or 0)
        for row in store.rows(scope, query, tag="experiment-measures")
    }
    return {
        key: found[(place.id, place.root_id)] for key, place in places.items() if (place.id, place.root_id) in found
    }


def scores_of(scope: ProjectScope, runs: Sequence[Ran]) -> dict[Key, list[Given]]:
    """By run, oldest first: those of its trace and of anything in it; where several items share a trace, those of its
    root alone. Corrections are no judgements."""
    if not runs:
        return {}
    sharing: dict[str, set[str]] = {}
    for run in runs:
        sharing.setdefault(run.trace_id, set()).add(run.root_id)
    earliest = min(run.started_at or run.near for run in runs) - _SCORED_BEFORE
    columns = (s.trace_id, s.observation_id, s.id, s.name, s.data_type, s.value, s.string_value, s.comment)
    query = (
        store.select(scope, scores, *columns)
        .where(s.trace_id.in_(sorted(sharing)), s.timestamp >= earliest, s.data_type != "CORRECTION")
        .order_by(s.timestamp, s.id)
    )
    found: dict[Key, list[Given]] = {}
    for row in store.rows(scope, query, tag="experiment-item-scores"):
        trace_id, observation_id, score_id, name, data_type, value, text, comment = row
        given = Given(score_id, name, data_type, value, text, observation_id, comment)
        roots = sharing[trace_id]
        for root in roots:
            if len(roots) == 1 or observation_id == root:
                found.setdefault((trace_id, root), []).append(given)
    return found


def read_roots(scope: ProjectScope, places: dict[Key, Place], *columns: Any, tag: str) -> dict[Key, Any]:
    """These columns of the roots, by run. For few runs: columns may be wide."""
    if not places:
        return {}
    query = store.select(scope, observations, o.trace_id, o.id, *columns).where(roots_in(list(places.values())))
    rows = {(row.trace_id, row.id): row for row in store.rows(scope, query, tag=tag)}
    return {key: rows[(place.id, place.root_id)] for key, place in places.items() if (place.id, place.root_id) in rows}


def measured_and_scored(scope: ProjectScope, runs: Sequence[Ran]) -> tuple[dict[Key, Measured], dict[Key, list[Given]]]:
    measures, given = together(
        lambda: measure(scope, places_of(scope, runs)),
        lambda: scores_of(scope, runs),
    )
    return measures, given
