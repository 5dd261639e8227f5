"""Metrics: one value object in, rows out. A dimension or measure is one entry of a registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, Table, column, literal

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.tables import observations, scores, traces
from tracing.queries import filters
from tracing.queries.filters import Column, Filter

o, t, s = observations.c, traces.c, scores.c

TIME = "time_dimension"
#: No answer is longer, whatever was asked for.
MOST_ROWS = 50_000
_MOST_GAPS = 20_000
_AUTO_UNITS = (
    (timedelta(hours=2), "minute"),
    (timedelta(hours=72), "hour"),
    (timedelta(days=60), "day"),
    (timedelta(days=365), "week"),
)
UNITS = ("minute", "hour", "day", "week", "month")


@dataclass(frozen=True, slots=True)
class Dimension:
    """Something to group by. Absent text shows as null."""

    expression: Any
    kind: str = "text"
    #: so many values that newer clients must ask for the top few
    is_high_cardinality: bool = False


@dataclass(frozen=True, slots=True)
class Measure:
    """Something to aggregate. `joins` names the subqueries of the view that its expression needs."""

    expression: Any
    is_number: bool = True
    joins: tuple[str, ...] = ()


Join = Callable[[ProjectScope, "MetricsQuery"], tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class View:
    """A kind of record seen through its dimensions and measures."""

    name: str
    table: Table
    time: Any
    dimensions: Mapping[str, Dimension]
    measures: Mapping[str, Measure]
    joins: Mapping[str, Join] = field(default_factory=dict)
    #: filters beside the dimensions
    columns: Mapping[str, Column] = field(default_factory=dict)

    @property
    def filter_columns(self) -> dict[str, Column]:
        own = {name: Column(one.kind, one.expression) for name, one in self.dimensions.items()}
        return {**own, **self.columns}


@dataclass(frozen=True, slots=True)
class Metric:
    measure: str
    aggregation: str

    @property
    def label(self) -> str:
        return f"{self.aggregation}_{self.measure}"


@dataclass(frozen=True, slots=True)
class MetricsQuery:
    """What a chart, a widget or a call of the metrics API asks. Both ends of the range belong to it."""

    view: View
    metrics: tuple[Metric, ...]
    from_time: datetime
    to_time: datetime
    dimensions: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    unit: str = ""
    #: (label, is descending) pairs; none means by time, else by the first metric downwards
    order: tuple[tuple[str, bool], ...] = ()
    limit: int = MOST_ROWS


Aggregate = Callable[[Measure], Any]


def _quantile(q: float) -> Aggregate:
    return lambda measure: fn.quantile(measure.expression, q=q)


def _count(measure: Measure) -> Any:
    return fn.count() if measure.expression is None else fn.count_if(measure.expression.is_not(None))


def _of(aggregate: Callable[[Any], Any]) -> Aggregate:
    """Rows themselves have no value of their own: each counts as one."""
    return lambda measure: aggregate(literal(1) if measure.expression is None else measure.expression)


AGGREGATIONS: dict[str, Aggregate] = {
    "sum": lambda measure: fn.count() if measure.expression is None else fn.sum(measure.expression),
    "avg": _of(fn.avg),
    "count": _count,
    "max": _of(fn.max),
    "min": _of(fn.min),
    "p50": _quantile(0.5),
    "p75": _quantile(0.75),
    "p90": _quantile(0.9),
    "p95": _quantile(0.95),
    "p99": _quantile(0.99),
    "uniq": _of(fn.uniq),
}
#: For measures that are text.
TEXT_AGGREGATIONS = ("count", "uniq")


def _per_second(tokens: Any, milliseconds: Any) -> Any:
    return fn.if_else(milliseconds > 0, tokens * 1000.0 / fn.greatest(milliseconds, 0.001), None)


def _scores_by(target: Any, name: str, on: Any) -> Join:
    def join(scope: ProjectScope, query: MetricsQuery) -> tuple[Any, Any]:
        counted = store.select(scope, scores, target.label("target"), fn.count().label("scored_scores"))
        inner = counted.where(target != "").group_by(target).subquery(name)
        return inner, inner.c.target == on

    return join


_latency_ms = o.latency_us / 1000.0
_streaming_ms = fn.ms_diff(o.completion_start_time, o.end_time)
_tool_count = fn.array_length(fn.map_keys(o.tool_definitions))

_OBSERVATION_MEASURES: dict[str, Measure] = {
    "count": Measure(None),
    "latency": Measure(_latency_ms),
    "streamingLatency": Measure(_streaming_ms),
    "inputTokens": Measure(o.input_tokens),
    "outputTokens": Measure(o.output_tokens),
    "totalTokens": Measure(o.total_tokens),
    "outputTokensPerSecond": Measure(_per_second(o.output_tokens, _streaming_ms)),
    "tokensPerSecond": Measure(_per_second(o.total_tokens, _latency_ms)),
    "inputCost": Measure(o.input_cost),
    "outputCost": Measure(o.output_cost),
    "totalCost": Measure(o.total_cost),
    "timeToFirstToken": Measure(o.time_to_first_token_us / 1000.0),
    "toolDefinitions": Measure(_tool_count),
    "toolCalls": Measure(fn.array_length(o.called_tool_names)),
}
_trace_name = fn.if_else(o.trace_name != "", o.trace_name, fn.if_else(o.is_root, o.name, ""))
_OBSERVATION_DIMENSIONS: dict[str, Dimension] = {
    "id": Dimension(o.id, is_high_cardinality=True),
    "traceId": Dimension(o.trace_id, is_high_cardinality=True),
    "traceName": Dimension(_trace_name),
    "environment": Dimension(o.environment),
    "parentObservationId": Dimension(o.parent_id, is_high_cardinality=True),
    "type": Dimension(o.type),
    "name": Dimension(o.name),
    "level": Dimension(o.level),
    "version": Dimension(o.version),
    "tags": Dimension(o.tags, "list"),
    "providedModelName": Dimension(o.model),
    "promptName": Dimension(o.prompt_name),
    "promptVersion": Dimension(o.prompt_version, "number"),
    "userId": Dimension(o.user_id, is_high_cardinality=True),
    "sessionId": Dimension(o.session_id, is_high_cardinality=True),
    "traceRelease": Dimension(o.release),
    "traceVersion": Dimension(o.version),
    "startTimeMonth": Dimension(fn.bucket(o.start_time, unit="month"), "time"),
    "toolNames": Dimension(fn.map_keys(o.tool_definitions), "list"),
    "calledToolNames": Dimension(o.called_tool_names, "list"),
}
_OBSERVATION_COLUMNS = {
    "metadata": Column("map", o.metadata),
    "startTime": Column("time", o.start_time),
    "start_time": Column("time", o.start_time),
}
OBSERVATIONS_V1 = View(
    "observations",
    observations,
    o.start_time,
    _OBSERVATION_DIMENSIONS,
    _OBSERVATION_MEASURES,
    columns=_OBSERVATION_COLUMNS,
)
OBSERVATIONS_V2 = View(
    "observations",
    observations,
    o.start_time,
    {
        **_OBSERVATION_DIMENSIONS,
        "isRootObservation": Dimension(o.is_root, "boolean"),
        "release": Dimension(o.release),
        "experimentName": Dimension(o.experiment_name, is_high_cardinality=True),
        "experimentDatasetId": Dimension(o.experiment_dataset_id, is_high_cardinality=True),
        "experimentId": Dimension(o.experiment_id, is_high_cardinality=True),
    },
    {
        **_OBSERVATION_MEASURES,
        "traceId": Measure(o.trace_id, is_number=False),
        "uniqueUserIds": Measure(fn.empty_to_null(o.user_id), is_number=False),
        "uniqueSessionIds": Measure(fn.empty_to_null(o.session_id), is_number=False),
    },
    columns=_OBSERVATION_COLUMNS,
)


def _inside(scope: ProjectScope, query: MetricsQuery) -> tuple[Any, Any]:
    """What each trace's observations add up to. None of them starts before its trace does."""
    latest = fn.max(fn.greatest(o.start_time, fn.if_else(o.end_time.is_(None), o.start_time, o.end_time)))
    sums = store.select(
        scope,
        observations,
        o.trace_id,
        fn.count().label("inside_observations"),
        fn.sum(o.total_tokens).label("inside_tokens"),
        fn.sum(o.total_cost).label("inside_cost"),
        fn.ms_diff(fn.min(o.start_time), latest).label("inside_latency"),
    )
    inner = sums.where(o.start_time >= query.from_time).group_by(o.trace_id).subquery("inside")
    return inner, inner.c.trace_id == t.id


TRACES = View(
    "traces",
    traces,
    t.timestamp,
    {
        "id": Dimension(t.id, is_high_cardinality=True),
        "name": Dimension(t.name),
        "tags": Dimension(t.tags, "list"),
        "userId": Dimension(t.user_id, is_high_cardinality=True),
        "sessionId": Dimension(t.session_id, is_high_cardinality=True),
        "release": Dimension(t.release),
        "version": Dimension(t.version),
        "environment": Dimension(t.environment),
        "timestampMonth": Dimension(fn.bucket(t.timestamp, unit="month"), "time"),
    },
    {
        "count": Measure(None),
        "observationsCount": Measure(column("inside_observations"), joins=("inside",)),
        "scoresCount": Measure(column("scored_scores"), joins=("scored",)),
        "uniqueUserIds": Measure(fn.empty_to_null(t.user_id), is_number=False),
        "uniqueSessionIds": Measure(fn.empty_to_null(t.session_id), is_number=False),
        "latency": Measure(column("inside_latency"), joins=("inside",)),
        "totalTokens": Measure(column("inside_tokens"), joins=("inside",)),
        "totalCost": Measure(column("inside_cost"), joins=("inside",)),
    },
    joins={"inside": _inside, "scored": _scores_by(s.trace_id, "scored", t.id)},
    columns={"metadata": Column("map", t.metadata), "timestamp": Column("time", t.timestamp)},
)
VIEWS_V1: dict[str, View] = {"traces": TRACES, "observations": OBSERVATIONS_V1}
VIEWS_V2: dict[str, View] = {"observations": OBSERVATIONS_V2}


def auto_unit(from_time: datetime, to_time: datetime) -> str:
    """A bucket size that gives a readable number of bars."""
    return next((unit for most, unit in _AUTO_UNITS if to_time - from_time < most), "month")


def run(scope: ProjectScope, query: MetricsQuery) -> list[dict[str, Any]]:
    """Rows by dimension, `time_dimension` and `<aggregation>_<measure>`, gaps in time filled with zeros."""
    select, labels = _build(scope, query)
    rows = [
        {label: _value(value) for label, value in zip(labels, row, strict=True)}
        for row in store.rows(scope, select, tag="metrics")
    ]
    if not query.unit:
        return rows
    if not query.order:
        rows = _without_gaps(query, rows)
    for row in rows:
        row[TIME] = _bucket_text(row[TIME], query.unit)
    return rows


def _build(scope: ProjectScope, query: MetricsQuery) -> tuple[Select[Any], list[str]]:
    """Columns are named by position, so that a dimension may be called like a column of the table."""
    view = query.view
    groups = {name: _shown(view.dimensions[name]) for name in query.dimensions}
    if query.unit:
        groups[TIME] = fn.bucket(view.time, unit=query.unit)
    values = {one.label: AGGREGATIONS[one.aggregation](view.measures[one.measure]) for one in query.metrics}
    if not values:
        values["count"] = fn.count()
    expressions = {**groups, **values}
    columns = {name: expression.label(f"v{at}") for at, (name, expression) in enumerate(expressions.items())}
    select = store.select(scope, view.table, *columns.values())
    needed = {join for one in query.metrics for join in view.measures[one.measure].joins}
    for join in sorted(needed):
        inner, on = view.joins[join](scope, query)
        select = select.outerjoin(inner, on)
    select = select.where(view.time >= query.from_time, view.time <= query.to_time)
    select = select.where(*filters.conditions(scope, view.filter_columns, query.filters))
    if groups:
        select = select.group_by(*(columns[name] for name in groups))
    order = query.order or (((TIME, False),) if query.unit else ((next(iter(values)), True),))
    select = select.order_by(*(columns[name].desc() if down else columns[name].asc() for name, down in order))
    return select.limit(query.limit), list(columns)


def _shown(dimension: Dimension) -> Any:
    return fn.empty_to_null(dimension.expression) if dimension.kind == "text" else dimension.expression


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        if value != value:
            return None
        return int(value) if value.is_integer() else value
    return value


def _without_gaps(query: MetricsQuery, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    present = {row[TIME] for row in rows}
    zero = {**dict.fromkeys(query.dimensions), **{one.label: 0 for one in query.metrics}}
    if not query.metrics:
        zero["count"] = 0
    missing = []
    for at in _buckets(query):
        if at not in present:
            missing.append({**zero, TIME: at})
        if len(missing) + len(rows) >= min(query.limit, _MOST_GAPS):
            break
    return sorted([*rows, *missing], key=lambda row: row[TIME])  # type: ignore[no-any-return]


def _buckets(query: MetricsQuery) -> Iterator[datetime]:
    at = bucket_start(query.from_time, query.unit)
    while at < query.to_time:
        yield at
        at = next_bucket(at, query.unit)


def bucket_start(moment: datetime, unit: str) -> datetime:
    """The same instants that the database's buckets begin at."""
    if unit == "minute":
        return moment.replace(second=0, microsecond=0)
    if unit == "hour":
        return moment.replace(minute=0, second=0, microsecond=0)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit == "month" else day


def next_bucket(at: datetime, unit: str) -> datetime:
    if unit == "month":
        return (at + timedelta(days=32)).replace(day=1)
    return at + timedelta(**{f"{unit}s": 1})


def _bucket_text(at: Any, unit: str) -> Any:
    """Days and longer are dates."""
    if not isinstance(at, datetime):
        return at
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if unit in ("minute", "hour") else at.strftime("%Y-%m-%d")
