"""Pages of the explorer's lists: which rows come next, under any order, and how many there are.

By time, the store's own order, a page costs what its rows cost: where a condition looks into observations, only those
of the newest traces are looked at, and of more as long as the page is not full. Any other order must look at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.tables import observations, traces
from tracing.queries.bounds import within
from tracing.queries.explorer import filling
from tracing.queries.explorer.conditions import (
    DURATIONS,
    SUMS,
    Conditions,
    Looked,
    all_clauses,
    bounds,
    clause,
    looked_at,
    split,
)
from tracing.queries.explorer.cursor import Place, number_of, read_place
from tracing.queries.explorer.fields import find_field
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.rows import Counted, Key, Page
from tracing.queries.explorer.wanted import Sort, Wanted
from tracing.queries.periods import Period

t, o = traces.c, observations.c
Clause = ColumnElement[bool]

PAGE_SIZE = 50
#: How many traces are looked into first for conditions on what is in them, and how much further each time.
FIRST_LOOK = 1000
_FURTHER = 4
#: The shortest step of time in the store.
_TICK = timedelta(microseconds=1)


def list_page(
    scope: ProjectScope,
    wanted: Wanted,
    *,
    score_names: Sequence[str] | None = (),
    limit: int = PAGE_SIZE,
    with_content: bool = False,
) -> Page:
    """The page behind `wanted.before`. Scores are read of these names only; None is all of them. What the query was
    not understood in is left out: whoever shows the rows tells its problems.

    Raises TooExpensive and Unavailable."""
    found, places = _find(scope, wanted, limit + 1)
    rows = filling.fill(scope, wanted, found[:limit], score_names=score_names, with_content=with_content)
    return Page(rows, str(places[limit - 1]) if len(found) > limit else "")


def count(scope: ProjectScope, wanted: Wanted, *, at_most: int = 10_000) -> Counted:
    """How many rows match; counting stops beyond `at_most`."""
    table = traces if wanted.noun is Noun.TRACES else observations
    found = store.select(scope, table, table.c.id).where(*all_clauses(scope, wanted)).limit(at_most + 1).subquery()
    number = store.rows(scope, select(fn.count().label("number")).select_from(found), tag="explorer-count")[0].number
    return Counted(min(number, at_most), number <= at_most)


def sort_of(wanted: Wanted) -> Sort:
    """The order asked for, where rows can be put in it."""
    field = find_field(wanted.sort.field, wanted.noun)
    return replace(wanted.sort, field=field.name) if field is not None and field.is_sortable else Sort()


def _find(scope: ProjectScope, wanted: Wanted, limit: int) -> tuple[list[Any], list[Place]]:
    """Rows with the columns of `filling`, and the place of each."""
    sort = sort_of(wanted)
    place = read_place(wanted.before, str(sort))
    if sort.field == "time":
        found = by_time(scope, wanted, filling.COLUMNS[wanted.noun], limit, place, oldest_first=not sort.is_descending)
        return found, [place_of(wanted.noun, row, sort) for row in found]
    by_value = _observations_by_value if wanted.noun is Noun.OBSERVATIONS else _traces_by_value
    keys, places = by_value(scope, wanted, sort, limit, place)
    return filling.read(scope, wanted.noun, keys), places


def key_of(noun: Noun, row: Any) -> Key:
    if noun is Noun.TRACES:
        return Key(row.id, row.id, row.timestamp)
    return Key(row.trace_id, row.id, row.start_time)


def place_of(noun: Noun, row: Any, sort: Sort) -> Place:
    """Of a row in an order of time."""
    key = key_of(noun, row)
    return Place(str(sort), "", key.timestamp, key.trace_id, key.id)


# --- By time ---------------------------------------------------------------------------------------------
def by_time(
    scope: ProjectScope,
    wanted: Wanted,
    columns: Sequence[Any],
    limit: int,
    place: Place | None,
    *,
    oldest_first: bool = False,
) -> list[Any]:
    """The next rows in the order of time. `columns` hold at least ids and time."""
    conditions = split(scope, wanted)
    if wanted.noun is Noun.TRACES and conditions.others and not oldest_first:
        return _by_looking(scope, wanted, conditions, columns, limit, place)
    looked = looked_at(scope, wanted, conditions)
    clauses = [*conditions.own, *(clause(scope, wanted.noun, node, looked) for node in conditions.others)]
    return _next(scope, wanted.noun, clauses, columns, limit, place, oldest_first)


def _next(
    scope: ProjectScope,
    noun: Noun,
    clauses: Sequence[Clause],
    columns: Sequence[Any],
    limit: int,
    place: Place | None,
    oldest_first: bool = False,
) -> list[Any]:
    is_of_traces = noun is Noun.TRACES
    before = None
    if place:
        before = (place.at, place.id) if is_of_traces else (place.at, place.trace_id, place.id)
    return store.newest(
        scope,
        traces if is_of_traces else observations,
        *columns,
        where=clauses,
        before=before,
        limit=limit,
        oldest_first=oldest_first,
        tag=f"explorer-{noun}",
    )


def _by_looking(
    scope: ProjectScope,
    wanted: Wanted,
    conditions: Conditions,
    columns: Sequence[Any],
    limit: int,
    place: Place | None,
) -> list[Any]:
    """Traces under conditions on what is in them: looked for in one stretch of time after the other."""
    found: list[Any] = []
    for since, until in _looks(scope, conditions, wanted.period, place):
        inside = within(t.timestamp, Period.between(since, until))
        looked = Looked(_starts(scope, since, until, conditions.own + inside), (), conditions.occurrences)
        clauses = [*conditions.own, *inside, *(clause(scope, wanted.noun, node, looked) for node in conditions.others)]
        found += _next(scope, wanted.noun, clauses, columns, limit - len(found), place)
        if len(found) >= limit:
            break
    return found


def _starts(
    scope: ProjectScope, since: datetime | None, until: datetime | None, own: Sequence[Clause]
) -> tuple[Clause, ...]:
    """An observation never starts before its trace does; how long after, the traces tell."""
    if until is None:
        return (o.start_time >= since,) if since else ()
    return bounds(scope, Period.between(since, until), own)


def _looks(
    scope: ProjectScope, conditions: Conditions, period: Period, place: Place | None
) -> Iterator[tuple[datetime | None, datetime | None]]:
    """Stretches of time to look at one after the other, the newest first, each with more traces in it."""
    until = place.at + _TICK if place else period.until
    size = FIRST_LOOK
    while True:
        own = conditions.own + ([t.timestamp < until] if until else [])
        since = _time_of(scope, own, size)
        if since is None or (period.since and since <= period.since):
            yield period.since, until
            return
        yield since, until
        until, size = since, size * _FURTHER


def _time_of(scope: ProjectScope, own: Sequence[Clause], number: int) -> datetime | None:
    """When about that many traces back was. Versions of rows are not told apart: where it is does not matter much."""
    query = select(t.timestamp).where(t.project_id == scope.project_id, *own)
    query = query.order_by(t.timestamp.desc()).limit(1).offset(number)
    found = store.rows(scope, query, tag="explorer-look")
    return found[0].timestamp if found else None


# --- By a value ------------------------------------------------------------------------------------------
_OBSERVATION_SORTS: dict[str, Any] = {
    "name": o.name, "latency": o.latency_us, "ttft": o.time_to_first_token_us, "cost": o.total_cost,
    "input_cost": o.input_cost, "output_cost": o.output_cost, "tokens": o.total_tokens,
    "input_tokens": o.input_tokens, "output_tokens": o.output_tokens,
}  # fmt: skip
#: what sorts as a duration that is unknown: before zero
_UNKNOWN = -1


def _observations_by_value(
    scope: ProjectScope, wanted: Wanted, sort: Sort, limit: int, place: Place | None
) -> tuple[list[Key], list[Place]]:
    column = _OBSERVATION_SORTS[sort.field]
    value = fn.if_else(column.is_(None), _UNKNOWN, column) if sort.field in DURATIONS else column
    query = store.select(scope, observations, o.trace_id, o.id, o.start_time, value.label("value"))
    query = query.where(*all_clauses(scope, wanted))
    keys = (o.start_time, o.trace_id, o.id)
    if place:
        query = query.where(_behind(sort, value, keys, (place.at, place.trace_id, place.id), place))
    query = query.order_by(_ordered(value, sort), *(key.desc() for key in keys)).limit(limit)
    found = store.rows(scope, query, tag=f"explorer-by-{sort.field}")
    found_keys = [Key(row.trace_id, row.id, row.start_time) for row in found]
    return found_keys, [_place(sort, row.value, key) for row, key in zip(found, found_keys, strict=True)]


def _traces_by_value(
    scope: ProjectScope, wanted: Wanted, sort: Sort, limit: int, place: Place | None
) -> tuple[list[Key], list[Place]]:
    if sort.field == "name":
        value: Any = t.name
        query = store.select(scope, traces, t.id, t.timestamp, value.label("value"))
    else:
        total, _scale = SUMS[sort.field]
        conditions = split(scope, wanted)
        looked = looked_at(scope, wanted, conditions)
        sums = (
            store.select(scope, observations, o.trace_id.label("summed_id"), total.label("total"))
            .where(*looked.observations)
            .group_by(o.trace_id)
            .subquery("sums")
        )
        value = fn.if_else(sums.c.total.is_(None), _UNKNOWN, sums.c.total) if sort.field in DURATIONS else sums.c.total
        query = store.select(scope, traces, t.id, t.timestamp, value.label("value"))
        query = query.outerjoin(sums, sums.c.summed_id == t.id)
    query = query.where(*all_clauses(scope, wanted))
    if place:
        query = query.where(_behind(sort, value, (t.timestamp, t.id), (place.at, place.id), place))
    query = query.order_by(_ordered(value, sort), t.timestamp.desc(), t.id.desc()).limit(limit)
    found = store.rows(scope, query, tag=f"explorer-by-{sort.field}")
    keys = [Key(row.id, row.id, row.timestamp) for row in found]
    return keys, [_place(sort, row.value, key) for row, key in zip(found, keys, strict=True)]


def _ordered(value: Any, sort: Sort) -> Any:
    return value.desc() if sort.is_descending else value.asc()


def _place(sort: Sort, value: Any, key: Key) -> Place:
    return Place(str(sort), str(value), key.timestamp, key.trace_id, key.id)


def _behind(sort: Sort, value: Any, keys: Sequence[Any], last: Sequence[Any], place: Place) -> Clause:
    """Rows after the place: of a further value, or of the same one and older."""
    of_place = _value_of(sort, place)
    further = value < of_place if sort.is_descending else value > of_place
    return or_(further, and_(value == of_place, _older(keys, last)))


def _older(keys: Sequence[Any], last: Sequence[Any]) -> Clause:
    first: Clause = keys[0] < last[0]
    return first if len(keys) == 1 else or_(first, and_(keys[0] == last[0], _older(keys[1:], last[1:])))


def _value_of(sort: Sort, place: Place) -> Any:
    if sort.field == "name":
        return place.value
    return number_of(place.value, Decimal if "cost" in sort.field else int)
