"""Traces: the list with totals, one with everything in it, and what their observations add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, not_, or_

from accounts.access import ProjectScope
from config.errors import NotFound
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.decode import time_of
from tracing.analytics.records import NEVER, Score, Trace
from tracing.analytics.tables import observations, scores, traces
from tracing.queries import filters
from tracing.queries.bounds import has_observations, inside_of
from tracing.queries.filters import Column, Filter
from tracing.queries.observations import ObservationRow, observations_of_trace
from tracing.queries.paging import Numbered, PageNumber
from tracing.queries.parallel import together

t, o, s = traces.c, observations.c, scores.c
Clause = ColumnElement[bool]

_MANY = 100_000
#: Rows before the page are read along; further down it is cheaper to sort once.
_MOST_SKIPPED = 500

_SHORT = (
    t.project_id, t.id, t.timestamp, t.name, t.user_id, t.session_id, t.tags, t.public, t.bookmarked, t.environment,
    t.release, t.version, t.root_id, t.root_type, t.first_start, t.last_start, t.created_at, t.updated_at,
)  # fmt: skip
_CONTENT = (t.input, t.output, t.metadata)


@dataclass(frozen=True, slots=True)
class Parts:
    """What is read of each trace beside its own short fields."""

    io: bool = True
    scores: bool = True
    observations: bool = True
    metrics: bool = True


@dataclass(frozen=True, slots=True)
class TraceSums:
    """What the observations of a trace add up to."""

    count: int = 0
    total_cost: Decimal = Decimal(0)
    latency_seconds: float = 0.0
    observation_ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class TraceRow:
    """A trace of a list; parts that were not asked for are empty."""

    trace: Trace
    sums: TraceSums = field(default_factory=TraceSums)
    score_ids: Sequence[str] = ()
    #: the trace's own, else those of its root observation
    input: str = ""
    output: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TraceDetail:
    """One trace with all that is in it. `metadata` is the trace's own over its root observation's."""

    trace: Trace
    observations: list[ObservationRow]
    scores: list[Score]
    sums: TraceSums
    input: str
    output: str
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class TraceFilters:
    """What the list may be narrowed by; empty means all."""

    user_id: str = ""
    name: str = ""
    session_id: str = ""
    version: str = ""
    release: str = ""
    tags: tuple[str, ...] = ()  # all of them
    environments: tuple[str, ...] = ()  # any of them
    from_time: datetime | None = None
    to_time: datetime | None = None
    items: tuple[Filter, ...] = ()


def _latest() -> Any:
    return fn.max(fn.greatest(o.start_time, fn.if_else(o.end_time.is_(None), o.start_time, o.end_time)))


def _worst_level() -> Any:
    has = {level: fn.count_if(o.level == level) > 0 for level in ("ERROR", "WARNING", "DEFAULT")}
    rest = fn.if_else(has["DEFAULT"], "DEFAULT", "DEBUG")
    return fn.if_else(has["ERROR"], "ERROR", fn.if_else(has["WARNING"], "WARNING", rest))


#: For text filters that also hold where there is nothing: the opposite of each.
_OPPOSITE = {"none of": "any of", "does not contain": "contains", "is null": "is not null"}


def _in_observations(kind: str, total: Any, bounds: Sequence[Clause] = ()) -> Column:
    """A column that is a sum over the trace's observations: zero, or no text, where there are none. Only observations
    within the bounds are looked at."""

    def build(scope: ProjectScope, item: Filter) -> Clause:
        column = Column(kind, total)
        if not _holds_for_none(kind, item):
            return t.id.in_(_traces_with(scope, filters.condition(scope, column, item), bounds))
        if item.operator in _OPPOSITE:
            opposite = filters.condition(scope, column, replace(item, operator=_OPPOSITE[item.operator]))
        else:
            opposite = not_(filters.condition(scope, column, item))
        return t.id.not_in(_traces_with(scope, opposite, bounds))

    return Column(kind, build=build)


def _holds_for_none(kind: str, item: Filter) -> bool:
    if kind == "number" and item.type == "number":
        return bool(filters.OPERATORS["number"][item.operator](0, item.value))
    return item.operator in _OPPOSITE if kind == "text" else item.operator == "is not null"


def _traces_with(scope: ProjectScope, total: Clause, bounds: Sequence[Clause]) -> Any:
    return store.select(scope, observations, o.trace_id).where(*bounds).group_by(o.trace_id).having(total)


def _bounds(scope: ProjectScope, clauses: Sequence[Clause]) -> list[Clause]:
    """When the observations of the traces that fulfil `clauses` start: all others need not be summed up."""
    if not clauses:
        return []
    first, last = (
        store.select(scope, traces, end).where(t.last_start > NEVER, *clauses).scalar_subquery()
        for end in (fn.min(t.first_start), fn.max(t.last_start))
    )
    return [o.start_time >= first, o.start_time <= last]


def _of_scores(scope: ProjectScope, *where: Clause) -> Clause:
    return t.id.in_(store.select(scope, scores, s.trace_id).where(s.trace_id != "", *where))


def _score_numbers(scope: ProjectScope, item: Filter) -> Clause:
    matches = filters.OPERATORS["numberObject"][item.operator](s.value, item.value)
    return _of_scores(scope, s.name == item.key, s.data_type.in_(["NUMERIC", "BOOLEAN"]), matches)


def _score_categories(scope: ProjectScope, item: Filter) -> Clause:
    """Without a key, as options of a list come, a value is that of any score, or `name:value`."""
    if item.type == "categoryOptions":
        is_one = and_(s.name == item.key, s.string_value.in_(item.value))
    else:
        is_one = or_(s.string_value.in_(item.value), fn.concat(s.name, ":", s.string_value).in_(item.value))
    matching = _of_scores(scope, s.data_type != "NUMERIC", is_one)
    return not_(matching) if item.operator == "none of" else matching


def _score_booleans(scope: ProjectScope, item: Filter) -> Clause:
    value = 1.0 if item.value else 0.0
    matching = _of_scores(scope, s.name == item.key, s.data_type == "BOOLEAN", s.value == value)
    return not_(matching) if item.operator == "<>" else matching


def _level_count(level: str) -> tuple[str, Any]:
    return "number", fn.count_if(o.level == level)


#: Columns that are sums over the observations of a trace: kind and sum.
_SUMS: dict[str, tuple[str, Any]] = {
    "level": ("text", _worst_level()),
    "errorCount": _level_count("ERROR"),
    "warningCount": _level_count("WARNING"),
    "defaultCount": _level_count("DEFAULT"),
    "debugCount": _level_count("DEBUG"),
    "inputTokens": ("number", fn.sum(o.input_tokens)),
    "outputTokens": ("number", fn.sum(o.output_tokens)),
    "totalTokens": ("number", fn.sum(o.total_tokens)),
    "tokens": ("number", fn.sum(o.total_tokens)),
    "latency": ("number", fn.ms_diff(fn.min(o.start_time), _latest()) / 1000.0),
    "inputCost": ("number", fn.sum(o.input_cost)),
    "outputCost": ("number", fn.sum(o.output_cost)),
    "totalCost": ("number", fn.sum(o.total_cost)),
}
COLUMNS: dict[str, Column] = {
    "id": Column("text", t.id),
    "name": Column("text", t.name),
    "traceName": Column("text", t.name),
    "timestamp": Column("time", t.timestamp),
    "userId": Column("text", t.user_id),
    "sessionId": Column("text", t.session_id),
    "metadata": Column("map", t.metadata),
    "version": Column("text", t.version),
    "release": Column("text", t.release),
    "environment": Column("text", t.environment),
    "tags": Column("list", t.tags),
    "traceTags": Column("list", t.tags),
    "bookmarked": Column("boolean", t.bookmarked),
    **{name: _in_observations(kind, total) for name, (kind, total) in _SUMS.items()},
    "scores_avg": Column("numbers", build=_score_numbers),
    "score_categories": Column("categories", build=_score_categories),
    "score_booleans": Column("booleans", build=_score_booleans),
}
ORDER_FIELDS: dict[str, Any] = {
    "id": t.id, "timestamp": t.timestamp, "name": t.name, "userId": t.user_id, "release": t.release,
    "version": t.version, "public": t.public, "bookmarked": t.bookmarked, "sessionId": t.session_id,
}  # fmt: skip


_ALIASES = {"traceName": "name", "traceTags": "tags"}


def trace_clauses(scope: ProjectScope, wanted: TraceFilters) -> list[Clause]:
    """A filter on a field replaces the simple parameter of the same field."""
    taken = {_ALIASES.get(item.column, item.column) for item in wanted.items}
    simple = (
        ("userId", t.user_id, wanted.user_id), ("name", t.name, wanted.name), ("version", t.version, wanted.version),
        ("sessionId", t.session_id, wanted.session_id), ("release", t.release, wanted.release),
    )  # fmt: skip
    clauses: list[Clause] = [column == value for name, column, value in simple if value and name not in taken]
    if wanted.tags and "tags" not in taken:
        clauses.append(fn.has_all(t.tags, list(wanted.tags)))  # type: ignore[arg-type]
    if wanted.environments and "environment" not in taken:
        clauses.append(t.environment.in_(wanted.environments))
    if wanted.from_time and "timestamp" not in taken:
        clauses.append(t.timestamp >= wanted.from_time)
    if wanted.to_time and "timestamp" not in taken:
        clauses.append(t.timestamp < wanted.to_time)
    clauses += filters.conditions(scope, COLUMNS, (item for item in wanted.items if COLUMNS[item.column].build is None))
    looked_up = [item for item in wanted.items if COLUMNS[item.column].build is not None]
    return clauses + filters.conditions(scope, _columns_within(scope, clauses, looked_up), looked_up)


def _columns_within(scope: ProjectScope, clauses: list[Clause], items: Sequence[Filter]) -> dict[str, Column]:
    """The columns, of which sums look no further than the traces that fulfil `clauses`."""
    if not any(item.column in _SUMS for item in items):
        return COLUMNS
    bounds = _bounds(scope, clauses)
    return COLUMNS | {name: _in_observations(kind, total, bounds) for name, (kind, total) in _SUMS.items()}


def list_traces(
    scope: ProjectScope,
    wanted: TraceFilters,
    *,
    number: PageNumber,
    order: str = "timestamp",
    descending: bool = True,
    parts: Parts = Parts(),
) -> Numbered[TraceRow]:
    """A numbered page: first the traces themselves, then what belongs to these rows only. The total, which costs more
    the more there is, is counted meanwhile."""
    clauses = trace_clauses(scope, wanted)
    total, rows = together(
        lambda: count_traces(scope, clauses),
        lambda: fill(scope, _page(scope, clauses, number, order, descending, parts), parts),
    )
    return Numbered(rows, number, total)


def _page(
    scope: ProjectScope, clauses: list[Clause], number: PageNumber, order: str, descending: bool, parts: Parts
) -> list[Trace]:
    """The traces of a page. In order of time, the store's own, its cost does not grow with the project."""
    columns = _columns(parts)
    if order == "timestamp" and number.offset <= _MOST_SKIPPED:
        found = store.newest(
            scope,
            traces,
            *columns,
            where=clauses,
            limit=number.offset + number.limit,
            oldest_first=not descending,
            tag="trace-list",
        )
        return [Trace(**row._asdict()) for row in found[number.offset :]]
    keys = [ORDER_FIELDS[order], *(column for column in (t.timestamp, t.id) if column is not ORDER_FIELDS[order])]
    query = store.select(scope, traces, *columns).where(*clauses)
    query = query.order_by(*(key.desc() if descending else key.asc() for key in keys))
    return store.records(scope, Trace, query.limit(number.limit).offset(number.offset), tag="trace-list")


def _columns(parts: Parts) -> tuple[Any, ...]:
    return (*_SHORT, *_CONTENT) if parts.io else _SHORT


def count_traces(scope: ProjectScope, clauses: Iterable[Clause] = ()) -> int:
    query = store.select(scope, traces, fn.count().label("total")).where(*clauses)
    return int(store.rows(scope, query, tag="trace-count")[0].total)


def fill(scope: ProjectScope, found: list[Trace], parts: Parts) -> list[TraceRow]:
    """The wanted parts of these traces, each part one query, side by side. Their own content must be in them."""
    if not found:
        return []
    nothing: dict[str, Any] = {}
    needs_sums = parts.metrics or parts.observations
    roots, sums, score_ids = together(
        lambda: _root_contents(scope, found) if parts.io else nothing,
        lambda: trace_sums(scope, found, with_ids=parts.observations) if needs_sums else nothing,
        lambda: _score_ids(scope, found) if parts.scores else nothing,
    )
    return [_row(trace, roots.get(trace.id), sums.get(trace.id), score_ids.get(trace.id, ())) for trace in found]


def _row(trace: Trace, root: Any, sums: TraceSums | None, score_ids: Sequence[str]) -> TraceRow:
    """What the trace itself says goes before what its root says."""
    return TraceRow(
        trace=trace,
        sums=sums or TraceSums(),
        score_ids=score_ids,
        input=trace.input or (root.input if root else ""),
        output=trace.output or (root.output if root else ""),
        metadata={**(root.metadata if root else {}), **trace.metadata},
    )


def get_trace(scope: ProjectScope, trace_id: str, *, parts: Parts = Parts()) -> TraceDetail:
    """Raises NotFound in the words that the SDKs compare."""
    trace = find_trace(scope, trace_id)
    own_scores: Callable[[], list[Score]] = lambda: _scores_of(scope, trace_id) if parts.scores else []  # noqa: E731
    found_scores, (row, inside) = together(own_scores, lambda: _with_observations(scope, trace, parts))
    return TraceDetail(trace, inside, found_scores, row.sums, row.input, row.output, row.metadata)


def _with_observations(scope: ProjectScope, trace: Trace, parts: Parts) -> tuple[TraceRow, list[ObservationRow]]:
    """All that the other parts need is in the observations; where nobody wants to see these, they are not read."""
    if not parts.observations:
        [row] = fill(scope, [trace], replace(parts, scores=False))
        return row, []
    inside = observations_of_trace(scope, trace.id, first_start=trace.first_start, last_start=trace.last_start)
    root = next((one for one in inside if one.id == trace.root_id), None)
    return _row(trace, root, sums_of(inside), ()), inside


def find_trace(scope: ProjectScope, trace_id: str) -> Trace:
    """The trace's own row."""
    query = store.select(scope, traces, *_SHORT, *_CONTENT).where(t.id == trace_id).order_by(t.timestamp).limit(1)
    found = store.records(scope, Trace, query, tag="trace")
    if not found:
        raise NotFound(f"Trace {trace_id} not found within authorized project")
    return found[0]


def sums_of(inside: Sequence[ObservationRow]) -> TraceSums:
    """The same sums as `trace_sums`, from observations at hand."""
    if not inside:
        return TraceSums()
    # Times as the store writes them sort as text.
    first = min(one.start_time for one in inside)
    last = max(max(one.start_time, one.end_time or "") for one in inside)
    return TraceSums(
        count=len(inside),
        total_cost=sum((Decimal(str(one.total_cost)) for one in inside if one.total_cost), Decimal(0)),
        latency_seconds=(time_of(last) - time_of(first)).total_seconds(),
        observation_ids=[one.id for one in inside],
    )


def trace_sums(scope: ProjectScope, found: Sequence[Trace], *, with_ids: bool = False) -> dict[str, TraceSums]:
    """Cost, latency and count of each of these traces, in one query over the time they span."""
    columns = [
        o.trace_id,
        fn.count().label("count"),
        fn.sum(o.total_cost).label("total_cost"),
        fn.min(o.start_time).label("first"),
        _latest().label("last"),
    ]
    if with_ids:
        columns.append(fn.collect(o.id, limit=_MANY).label("ids"))
    query = store.select(scope, observations, *columns).where(inside_of(found)).group_by(o.trace_id)
    return {
        row.trace_id: TraceSums(
            count=row.count,
            total_cost=row.total_cost,
            latency_seconds=max((row.last - row.first).total_seconds(), 0.0),
            observation_ids=row.ids if with_ids else (),
        )
        for row in store.rows(scope, query, tag="trace-sums")
    }


def _root_contents(scope: ProjectScope, found: Sequence[Trace]) -> dict[str, Any]:
    """Input, output and metadata of the traces' root observations, by trace."""
    rooted = [trace for trace in found if trace.root_id and has_observations(trace)]
    # Nearly every root is the first to start, which says exactly where it lies.
    at_first = _roots(scope, rooted, o.start_time.in_([trace.first_start for trace in rooted]))
    elsewhere = [trace for trace in rooted if trace.id not in at_first]
    return at_first | _roots(scope, elsewhere, inside_of(elsewhere))


def _roots(scope: ProjectScope, rooted: Sequence[Trace], where: Clause) -> dict[str, Any]:
    if not rooted:
        return {}
    roots = {trace.id: trace.root_id for trace in rooted}
    query = store.select(scope, observations, o.trace_id, o.id, o.input, o.output, o.metadata)
    query = query.where(where, o.trace_id.in_(list(roots)), o.id.in_(list(roots.values())))
    rows = store.rows(scope, query, tag="trace-root-contents")
    return {row.trace_id: row for row in rows if roots.get(row.trace_id) == row.id}


def _score_ids(scope: ProjectScope, found: Sequence[Trace]) -> dict[str, list[str]]:
    query = store.select(scope, scores, s.trace_id, fn.collect(s.id).label("ids"))
    query = query.where(s.trace_id.in_([trace.id for trace in found]), s.data_type != "CORRECTION")
    query = query.group_by(s.trace_id)
    return {row.trace_id: sorted(row.ids) for row in store.rows(scope, query, tag="trace-score-ids")}


def _scores_of(scope: ProjectScope, trace_id: str) -> list[Score]:
    query = store.select(scope, scores).where(s.trace_id == trace_id).order_by(s.timestamp.desc(), s.id.desc())
    return store.records(scope, Score, query.limit(_MANY), tag="trace-scores")


def has_traces(scope: ProjectScope) -> bool:
    return newest_trace(scope) is not None


def newest_trace(scope: ProjectScope) -> Any | None:
    """Id, name and time of the newest trace, or None. A page that waits for it must be told when the store is away."""
    found = store.newest(scope, traces, t.id, t.name, t.timestamp, limit=1, tag="newest-trace", is_anew=True)
    return found[0] if found else None
