"""What the trace list shows: rows by keyset, the values observed for each filter, and traces over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, desc, or_

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.records import EPOCH, ZERO
from tracing.analytics.tables import observations, scores, traces
from tracing.queries.bounds import Bounded, has_observations, inside_of
from tracing.queries.periods import Period

PAGE_SIZE = 50
FACET_VALUES = 12
#: the text index knows runs of three; shorter words are looked for in the short fields only
_INDEXED_CHARACTERS = 3


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page: the next one begins after it."""

    at: datetime
    id: str

    def __str__(self) -> str:
        return f"{self.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}~{self.id}"

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        at, mark, row_id = text.partition("~")
        try:
            return cls(datetime.fromisoformat(at).astimezone(UTC), row_id) if mark else None
        except (ValueError, OverflowError):
            return None


@dataclass(frozen=True, slots=True)
class TraceFilters:
    """What the trace list is narrowed to. Several values of one field mean any of them."""

    period: Period = field(default_factory=lambda: Period.named(""))
    text: str = ""
    names: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    user: str = ""
    session: str = ""
    before: Cursor | None = None

    @property
    def is_narrowed(self) -> bool:
        return bool(
            self.text or self.names or self.environments or self.levels or self.types or self.models
            or self.tags or self.releases or self.user or self.session
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sums:
    """What a trace's (or a session's, or a user's) observations add up to."""

    observations: int = 0
    errors: int = 0
    warnings: int = 0
    latency_us: int | None = None
    tokens: int = 0
    cost: Decimal = ZERO

    @property
    def level(self) -> str:
        return "ERROR" if self.errors else "WARNING" if self.warnings else ""


@dataclass(frozen=True, slots=True)
class ScoreMean:
    """The scores of one name on one trace: the mean of numbers, or the last word given."""

    name: str
    value: float | None
    text: str
    count: int


@dataclass(frozen=True, slots=True)
class TraceRow:
    id: str
    timestamp: datetime
    name: str
    root_type: str
    user_id: str
    session_id: str
    environment: str
    input_preview: str
    output_preview: str
    sums: Sums
    scores: dict[str, ScoreMean]


@dataclass(frozen=True, slots=True)
class TracePage:
    rows: list[TraceRow]
    #: score names worth a column of their own on this page, most common first
    score_names: list[str]
    older: Cursor | None


@dataclass(frozen=True, slots=True)
class FacetValue:
    value: str
    count: int


_LIST_COLUMNS = (
    "id", "timestamp", "name", "root_type", "user_id", "session_id", "environment", "input_preview", "output_preview",
    "first_start", "last_start",
)  # fmt: skip


def list_trace_page(scope: ProjectScope, filters: TraceFilters, *, limit: int = PAGE_SIZE) -> TracePage:
    """The newest traces that fit, with the sums of their observations and their scores: three small queries."""
    found = store.newest(
        scope,
        traces,
        *(traces.c[name] for name in _LIST_COLUMNS),
        where=_conditions(scope, filters),
        before=(filters.before.at, filters.before.id) if filters.before else None,
        limit=limit + 1,
        tag="trace-list",
    )
    page, more = found[:limit], len(found) > limit
    sums = sum_by_trace(scope, page)
    means = _scores_by_trace(scope, [row.id for row in page])
    rows = [_trace_row(row, sums.get(row.id, Sums()), means.get(row.id, {})) for row in page]
    return TracePage(rows, _common_names(means), Cursor(page[-1].timestamp, page[-1].id) if more else None)


def _trace_row(row: Any, sums: Sums, means: dict[str, ScoreMean]) -> TraceRow:
    shown = {name: getattr(row, name) for name in _LIST_COLUMNS if not name.endswith("_start")}
    return TraceRow(**shown, sums=sums, scores=means)


def _conditions(scope: ProjectScope, filters: TraceFilters) -> list[ColumnElement[bool]]:
    t = traces.c
    conditions: list[ColumnElement[bool]] = within(t.timestamp, filters.period)
    for column, values in (
        (t.name, filters.names),
        (t.environment, filters.environments),
        (t.release, filters.releases),
    ):
        if values:
            conditions.append(column.in_(values))
    if filters.tags:
        conditions.append(fn.has_any(t.tags, list(filters.tags)))
    if filters.user:
        conditions.append(t.user_id == filters.user)
    if filters.session:
        conditions.append(t.session_id == filters.session)
    if filters.text:
        conditions.append(_text(scope, filters))
    conditions += _by_observation(scope, filters)
    return conditions


def _text(scope: ProjectScope, filters: TraceFilters) -> ColumnElement[bool]:
    """The text in the trace's own short fields, or anywhere in what its observations took in and gave out."""
    t, o, text = traces.c, observations.c, filters.text
    columns = (t.name, t.input_preview, t.output_preview, t.user_id, t.session_id)
    found = [t.id == text, *(fn.contains(column, text, ignore_case=True) for column in columns)]
    if len(text) >= _INDEXED_CHARACTERS and any(character.isalnum() for character in text):
        inner = store.select(scope, observations, o.trace_id).where(
            or_(fn.search(o.input, text), fn.search(o.output, text))
        )
        if filters.period.since:
            inner = inner.where(o.start_time >= filters.period.since)
        found.append(t.id.in_(inner))
    return or_(*found)


def _by_observation(scope: ProjectScope, filters: TraceFilters) -> list[ColumnElement[bool]]:
    """Traces that hold an observation of such a level, type or model; each asked for by itself."""
    o = observations.c
    conditions: list[ColumnElement[bool]] = []
    for column, values in ((o.level, filters.levels), (o.type, filters.types), (o.model, filters.models)):
        if values:
            inner = store.select(scope, observations, o.trace_id).where(column.in_(values))
            if filters.period.since:
                inner = inner.where(o.start_time >= filters.period.since)
            conditions.append(traces.c.id.in_(inner))
    return conditions


def within(time: Any, period: Period) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if period.since:
        conditions.append(time >= period.since)
    if period.until:
        conditions.append(time < period.until)
    return conditions


def sum_columns() -> list[Any]:
    o = observations.c
    return [
        fn.count().label("observations"),
        fn.count_if(o.level == "ERROR").label("errors"),
        fn.count_if(o.level == "WARNING").label("warnings"),
        fn.sum(o.total_tokens).label("tokens"),
        fn.sum(o.total_cost).label("cost"),
        fn.min(o.start_time).label("started_at"),
        fn.max(o.end_time).label("ended_at"),
    ]


def sums_of(row: Any) -> Sums:
    latency = None
    if row.started_at is not None and row.ended_at is not None:
        latency = max(0, round((row.ended_at - row.started_at) / timedelta(microseconds=1)))
    return Sums(row.observations, row.errors, row.warnings, latency, row.tokens, row.cost)


def sum_by_trace(scope: ProjectScope, found: Sequence[Bounded]) -> dict[str, Sums]:
    """Sums of the observations of these traces, by trace."""
    if not any(map(has_observations, found)):
        return {}
    o = observations.c
    query = store.select(scope, observations, o.trace_id, *sum_columns()).where(inside_of(found)).group_by(o.trace_id)
    return {row.trace_id: sums_of(row) for row in store.rows(scope, query, tag="trace-sums")}


def _scores_by_trace(scope: ProjectScope, ids: Sequence[str]) -> dict[str, dict[str, ScoreMean]]:
    if not ids:
        return {}
    s = scores.c
    query = (
        store.select(
            scope,
            scores,
            s.trace_id,
            s.name,
            fn.avg(s.value).label("value"),
            fn.arg_max(s.string_value, s.timestamp).label("text"),
            fn.count().label("count"),
        )
        .where(s.trace_id.in_(list(ids)), s.data_type != "CORRECTION")
        .group_by(s.trace_id, s.name)
    )
    means: dict[str, dict[str, ScoreMean]] = {}
    for row in store.rows(scope, query, tag="trace-list-scores"):
        means.setdefault(row.trace_id, {})[row.name] = ScoreMean(row.name, row.value, row.text, row.count)
    return means


def _common_names(means: dict[str, dict[str, ScoreMean]], limit: int = 1) -> list[str]:
    counts: dict[str, int] = {}
    for of_trace in means.values():
        for name in of_trace:
            counts[name] = counts.get(name, 0) + 1
    return sorted(counts, key=lambda name: (-counts[name], name))[:limit]


def has_traces(scope: ProjectScope) -> bool:
    return newest_trace(scope) is not None


def newest_trace(scope: ProjectScope) -> Any | None:
    """Id, name and time of the newest trace, or None. A page that waits for it must be told when the store is away."""
    t = traces.c
    found = store.newest(scope, traces, t.id, t.name, t.timestamp, limit=1, tag="newest-trace", is_anew=True)
    return found[0] if found else None


def facet(scope: ProjectScope, name: str, period: Period) -> list[FacetValue]:
    """The values seen in the period for one filter, most common first, counted in traces."""
    query = _facet_queries(scope)[name]
    time = traces.c.timestamp if name in _TRACE_FACETS else observations.c.start_time
    query = query.where(*within(time, period)).group_by("value").order_by(desc("count"), "value").limit(FACET_VALUES)
    return [FacetValue(row.value, row.count) for row in store.rows(scope, query, tag=f"facet-{name}") if row.value]


_TRACE_FACETS = ("environment", "name", "tag", "release")
FACETS = (*_TRACE_FACETS, "level", "type", "model")


def _facet_queries(scope: ProjectScope) -> dict[str, Select[Any]]:
    t, o = traces.c, observations.c
    of_traces = {"environment": t.environment, "name": t.name, "release": t.release, "tag": fn.explode(t.tags)}
    of_observations = {"level": o.level, "type": o.type, "model": o.model}
    queries = {}
    for name, column in of_traces.items():
        queries[name] = store.select(scope, traces, column.label("value"), fn.count().label("count"))
    for name, column in of_observations.items():
        counted = fn.uniq(o.trace_id).label("count")
        queries[name] = store.select(scope, observations, column.label("value"), counted)
    return queries


@dataclass(frozen=True, slots=True)
class PulseBar:
    at: datetime
    until: datetime
    traces: int
    errors: int


#: length of a bar -> its name for the database; the first that gives at most BARS bars is used
_BARS = 96
_STEPS = (
    (timedelta(minutes=1), "minute"), (timedelta(minutes=5), "5 minutes"), (timedelta(minutes=15), "15 minutes"),
    (timedelta(minutes=30), "30 minutes"), (timedelta(hours=1), "hour"), (timedelta(hours=3), "3 hours"),
    (timedelta(hours=6), "6 hours"), (timedelta(hours=12), "12 hours"), (timedelta(days=1), "day"),
    (timedelta(days=7), "week"),
)  # fmt: skip


def pulse(scope: ProjectScope, filters: TraceFilters, *, now: datetime | None = None) -> list[PulseBar]:
    """Traces and failed traces over time: one bar per interval, also where there was nothing."""
    until = filters.period.until or now or datetime.now(UTC)
    since = filters.period.since or _first_timestamp(scope) or until - timedelta(hours=1)
    step, unit = next((s for s in _STEPS if (until - since) / s[0] <= _BARS), _STEPS[-1])
    period = Period.between(since, until)
    at = fn.bucket(traces.c.timestamp, unit=unit).label("at")
    failed = store.select(scope, observations, observations.c.trace_id).where(
        observations.c.level == "ERROR", observations.c.start_time >= since
    )
    query = (
        store.select(
            scope, traces, at, fn.count().label("traces"), fn.count_if(traces.c.id.in_(failed)).label("errors")
        )
        .where(*_conditions(scope, replace(filters, period=period)))
        .group_by("at")
    )
    counts = {row.at: row for row in store.rows(scope, query, tag="trace-pulse")}
    return _filled(counts, since, until, step)


def _first_timestamp(scope: ProjectScope) -> datetime | None:
    query = store.select(scope, traces, fn.min(traces.c.timestamp).label("at"))
    found = store.rows(scope, query, tag="first-trace")
    at: datetime | None = found[0].at if found else None
    return at if at and at > EPOCH else None


def _filled(counts: dict[datetime, Any], since: datetime, until: datetime, step: timedelta) -> list[PulseBar]:
    # Weeks begin on Monday, and the epoch was a Thursday; every other step divides the time since then.
    origin = EPOCH + timedelta(days=4) if step == timedelta(days=7) else EPOCH
    at = since - (since - origin) % step
    bars: list[PulseBar] = []
    while at < until and len(bars) < 10 * _BARS:
        row = counts.get(at)
        bars.append(PulseBar(at, at + step, row.traces if row else 0, row.errors if row else 0))
        at += step
    return bars
