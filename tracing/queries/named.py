"""Things of a project by their id, or by a part of their name: what the command palette finds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from sqlalchemy import desc

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.tables import observations, traces

t, o = traces.c, observations.c

#: how far back names are looked for; an id is found however old
RECENT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Named:
    """A name or an id that traces bear: of how many, and when last."""

    name: str
    traces: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class ById:
    """A trace, or an observation in its trace."""

    trace_id: str
    observation_id: str
    name: str
    type: str
    at: datetime


def trace_names_with(scope: ProjectScope, text: str, *, limit: int) -> list[Named]:
    return _with(scope, t.name, text, limit)


def sessions_with(scope: ProjectScope, text: str, *, limit: int) -> list[Named]:
    return _with(scope, t.session_id, text, limit)


def users_with(scope: ProjectScope, text: str, *, limit: int) -> list[Named]:
    return _with(scope, t.user_id, text, limit)


def _with(scope: ProjectScope, column: Any, text: str, limit: int) -> list[Named]:
    """Values that hold the text in any case, the ones used last first."""
    last = fn.max(t.timestamp).label("last_at")
    query = (
        store.select(scope, traces, column.label("name"), fn.count().label("count"), last)
        .where(t.timestamp >= timezone.now() - RECENT, column != "", fn.contains(column, text, ignore_case=True))
        .group_by(column)
        .order_by(desc("last_at"), column)
        .limit(limit)
    )
    return [Named(row.name, row.count, row.last_at) for row in store.rows(scope, query, tag=f"named-{column.name}")]


def traces_called(scope: ProjectScope, trace_id: str) -> list[ById]:
    query = store.select(scope, traces, t.id, t.name, t.root_type, t.timestamp).where(t.id == trace_id).limit(1)
    return [
        ById(row.id, "", row.name, row.root_type, row.timestamp) for row in store.rows(scope, query, tag="named-trace")
    ]


def observations_called(scope: ProjectScope, observation_id: str, *, limit: int) -> list[ById]:
    """Two traces may hold observations of one id."""
    columns = (o.trace_id, o.id, o.name, o.type, o.start_time)
    query = store.select(scope, observations, *columns).where(o.id == observation_id).limit(limit)
    rows = store.rows(scope, query, tag="named-observation")
    return [ById(row.trace_id, row.id, row.name, row.type, row.start_time) for row in rows]
