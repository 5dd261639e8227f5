"""What the pages of sessions and users show: groups of traces, and what their observations add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, desc, or_

from accounts.access import ProjectScope
from config.errors import NotFound
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import NEVER
from tracing.analytics.tables import observations, scores, traces
from tracing.queries.bounds import has_observations, inside_of
from tracing.queries.pages import PAGE_SIZE, Cursor, Sums, sum_by_trace, sum_columns, sums_of, within
from tracing.queries.periods import Period

#: a longer input or output of one turn is shown by its preview; the whole is a click away
TURN_CHARACTERS = 60_000


@dataclass(frozen=True, slots=True)
class Group:
    """A session or a user: its traces from first to last, and their sums."""

    id: str
    traces: int
    first_at: datetime
    last_at: datetime
    users: list[str]
    sessions: int
    environments: list[str]
    first_input: str
    last_output: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class GroupPage:
    rows: list[Group]
    older: Cursor | None


@dataclass(frozen=True, slots=True)
class Turn:
    """One trace of a session, with what was asked and answered."""

    trace_id: str
    timestamp: datetime
    name: str
    type: str
    user_id: str
    input: str
    output: str
    input_preview: str
    output_preview: str
    sums: Sums


def list_sessions(
    scope: ProjectScope, period: Period, *, text: str = "", before: Cursor | None = None, limit: int = PAGE_SIZE
) -> GroupPage:
    """Sessions by their last trace, newest first."""
    return _list_groups(scope, traces.c.session_id, period, text, before, limit)


def list_users(
    scope: ProjectScope, period: Period, *, text: str = "", before: Cursor | None = None, limit: int = PAGE_SIZE
) -> GroupPage:
    """Users by their last trace, newest first."""
    return _list_groups(scope, traces.c.user_id, period, text, before, limit)


def get_session(scope: ProjectScope, session_id: str) -> Group:
    return _one_group(scope, traces.c.session_id, session_id, "There is no such session in this project.")


def get_user(scope: ProjectScope, user_id: str) -> Group:
    return _one_group(scope, traces.c.user_id, user_id, "No trace of this project names such a user.")


def _group_columns(key: Any) -> list[Any]:
    t = traces.c
    return [
        key.label("key"),
        fn.count().label("traces"),
        fn.min(t.timestamp).label("first_at"),
        fn.max(t.timestamp).label("last_at"),
        fn.collect_unique(fn.empty_to_null(t.user_id), limit=4).label("users"),
        fn.uniq(fn.empty_to_null(t.session_id)).label("sessions"),
        fn.collect_unique(t.environment, limit=4).label("environments"),
        fn.arg_min(t.input_preview, t.timestamp).label("first_input"),
        fn.arg_max(t.output_preview, t.timestamp).label("last_output"),
        fn.min(t.first_start).label("first_start"),
        fn.max(t.last_start).label("last_start"),
    ]


def _list_groups(
    scope: ProjectScope, key: Any, period: Period, text: str, before: Cursor | None, limit: int
) -> GroupPage:
    query = store.select(scope, traces, *_group_columns(key)).where(key != "", *within(traces.c.timestamp, period))
    if text:
        query = query.where(fn.contains(key, text, ignore_case=True))
    query = query.group_by(key)
    if before:
        last = fn.max(traces.c.timestamp)
        query = query.having(or_(last < before.at, and_(last == before.at, key < before.id)))
    found = store.rows(
        scope, query.order_by(desc("last_at"), desc("key")).limit(limit + 1), tag=f"{key.name.removesuffix('_id')}-list"
    )
    page, more = found[:limit], len(found) > limit
    sums = _sum_by_group(scope, key, page)
    rows = [_group(row, sums.get(row.key, Sums())) for row in page]
    return GroupPage(rows, Cursor(page[-1].last_at, page[-1].key) if more else None)


def _one_group(scope: ProjectScope, key: Any, value: str, missing: str) -> Group:
    query = store.select(scope, traces, *_group_columns(key)).where(key == value, key != "").group_by(key)
    found = store.rows(scope, query, tag=f"{key.name.removesuffix('_id')}-page")
    if not found:
        raise NotFound(missing)
    return _group(found[0], _sum_by_group(scope, key, found).get(value, Sums()))


def _group(row: Any, sums: Sums) -> Group:
    return Group(
        row.key, row.traces, row.first_at, row.last_at, sorted(row.users), row.sessions, sorted(row.environments),
        row.first_input, row.last_output, sums,
    )  # fmt: skip


def _sum_by_group(scope: ProjectScope, key: Any, found: Sequence[Any]) -> dict[str, Sums]:
    """Sums over the observations of the groups' traces, in the database: a session may hold 20,000 traces."""
    seen = [row for row in found if has_observations(row)]
    if not seen:
        return {}
    # The trace knows its session and user; its observations need not have been sent with them.
    members = store.select(scope, traces, traces.c.id.label("member_id"), key.label("key")).where(
        key.in_([row.key for row in seen])
    )
    of = members.subquery("members")
    o = observations.c
    query = (
        store.select(scope, observations, of.c.key, *sum_columns())
        .join(of, of.c.member_id == o.trace_id)
        .where(
            # A trace without observations has no first_start, so that cannot bound the group from below.
            o.start_time
            >= min(min(row.first_at, row.first_start if row.first_start > NEVER else row.first_at) for row in seen),
            o.start_time <= max(row.last_start for row in seen),
        )
        .group_by(of.c.key)
    )
    return {row.key: sums_of(row) for row in store.rows(scope, query, tag=f"{key.name.removesuffix('_id')}-sums")}


@dataclass(frozen=True, slots=True)
class TurnPage:
    turns: list[Turn]
    later: Cursor | None


def list_turns(
    scope: ProjectScope, session_id: str, *, after: Cursor | None = None, limit: int = PAGE_SIZE
) -> TurnPage:
    """A session's traces in the order they happened."""
    t = traces.c
    columns = (t.id, t.timestamp, t.name, t.root_type, t.root_id, t.user_id, t.input_preview, t.output_preview)
    query = store.select(
        scope, traces, *columns, t.first_start, t.last_start, _short(t.input, "input"), _short(t.output, "output")
    ).where(t.session_id == session_id)
    if after:
        query = query.where(or_(t.timestamp > after.at, and_(t.timestamp == after.at, t.id > after.id)))
    found = store.rows(scope, query.order_by(t.timestamp, t.id).limit(limit + 1), tag="session-turns")
    page, more = found[:limit], len(found) > limit
    sums, roots = sum_by_trace(scope, page), _roots(scope, page)
    turns = [_turn(row, roots.get((row.id, row.root_id)), sums.get(row.id, Sums())) for row in page]
    return TurnPage(turns, Cursor(page[-1].timestamp, page[-1].id) if more else None)


def _short(column: Any, label: str) -> Any:
    return fn.if_else(fn.text_length(column) <= TURN_CHARACTERS, column, "").label(label)


def _roots(scope: ProjectScope, page: Sequence[Any]) -> dict[tuple[str, str], Any]:
    """Input and output of the root observations, for traces that have none of their own."""
    wanted = [row for row in page if row.root_id and has_observations(row) and not (row.input and row.output)]
    if not wanted:
        return {}
    o = observations.c
    query = store.select(
        scope, observations, o.trace_id, o.id, _short(o.input, "input"), _short(o.output, "output")
    ).where(inside_of(wanted), o.id.in_([row.root_id for row in wanted]))
    return {(row.trace_id, row.id): row for row in store.rows(scope, query, tag="session-roots")}


def _turn(row: Any, root: Any, sums: Sums) -> Turn:
    return Turn(
        row.id, row.timestamp, row.name, row.root_type, row.user_id, row.input or (root.input if root else ""),
        row.output or (root.output if root else ""), row.input_preview, row.output_preview, sums,
    )  # fmt: skip


def list_session_scores(scope: ProjectScope, session_id: str) -> list[Any]:
    s = scores.c
    columns = (s.id, s.name, s.value, s.string_value, s.data_type, s.source, s.comment)
    query = store.select(scope, scores, *columns).where(s.session_id == session_id).order_by(s.timestamp).limit(200)
    return store.rows(scope, query, tag="session-scores")
