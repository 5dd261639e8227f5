"""Sessions: what the traces that carry one session id add up to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select

from accounts.access import ProjectScope
from config.errors import NotFound
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import Trace
from tracing.analytics.tables import traces
from tracing.queries.paging import Numbered, PageNumber
from tracing.queries.parallel import together
from tracing.queries.traces import Parts, TraceRow, fill

t = traces.c
#: a session is shown whole; one beyond this is a mistake of its sender
_TRACES_SHOWN = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """A session exists as soon as a trace carries its id; it begins with the first of them."""

    id: str
    created_at: datetime
    environment: str
    trace_count: int = 0


@dataclass(frozen=True, slots=True)
class SessionDetail:
    session: Session
    traces: list[TraceRow]


def list_sessions(
    scope: ProjectScope,
    *,
    number: PageNumber,
    from_time: datetime | None = None,
    to_time: datetime | None = None,
    environments: tuple[str, ...] = (),
) -> Numbered[Session]:
    """A numbered page, newest first. The conditions are on what is shown: when and where the session began."""
    began, environment = fn.min(t.timestamp), fn.arg_min(t.environment, t.timestamp)
    grouped = store.select(
        scope,
        traces,
        t.session_id,
        began.label("created_at"),
        environment.label("environment"),
        fn.count().label("trace_count"),
    )
    grouped = grouped.where(t.session_id != "").group_by(t.session_id)
    bounds: list[ColumnElement[bool]] = []
    if environments:
        bounds.append(environment.in_(environments))
    if from_time:
        bounds.append(began >= from_time)
    if to_time:
        bounds.append(began < to_time)
    grouped = grouped.having(*bounds) if bounds else grouped
    page = grouped.order_by(began.desc(), t.session_id.desc()).limit(number.limit).offset(number.offset)
    count: Any = select(fn.count().label("total")).select_from(grouped.subquery("sessions"))
    total, rows = together(
        lambda: store.rows(scope, count, tag="session-count")[0].total,
        lambda: store.rows(scope, page, tag="session-list"),
    )
    return Numbered([_session(row) for row in rows], number, total)


def get_session(scope: ProjectScope, session_id: str, *, parts: Parts) -> SessionDetail:
    """The session and its traces, oldest first."""
    query = store.select(scope, traces).where(t.session_id == session_id)
    found = store.records(scope, Trace, query.order_by(t.timestamp, t.id).limit(_TRACES_SHOWN), tag="session")
    if not session_id or not found:
        raise NotFound("Session not found within authorized project")
    session = Session(session_id, found[0].timestamp, found[0].environment, len(found))
    return SessionDetail(session, fill(scope, found, parts))


def _session(row: Any) -> Session:
    return Session(row.session_id, row.created_at, row.environment, row.trace_count)
