"""The one builder: a query of metrics as one statement, and its answer as rows.

Within the statement each record first becomes a row of what is asked about it, and then these rows are aggregated.
"""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import Select, literal
from sqlalchemy import select as select_from

from accounts.access import ProjectScope
from config.errors import TooExpensive
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.queries import filters
from tracing.queries.metrics.aggregations import AGGREGATIONS, COUNTS, HISTOGRAM
from tracing.queries.metrics.buckets import bucket_text, without_gaps
from tracing.queries.metrics.check import check
from tracing.queries.metrics.model import TIME, Measure, Metric, MetricsQuery

#: A longer answer is refused unless a limit cuts it.
MOST_ROWS = 50_000


def run(scope: ProjectScope, query: MetricsQuery) -> list[dict[str, Any]]:
    """Rows by dimension, `time_dimension` and `<aggregation>_<measure>`, gaps in time filled with zeros.

    Raises Invalid, and TooExpensive for more rows than anybody can look at.
    """
    check(query)
    labels, rows = _read(scope, query)
    if query.unit and not query.order:
        rows = without_gaps(query, rows, labels, _limit(query))
    _check_length(rows)
    for row in rows if query.unit else ():
        row[TIME] = bucket_text(row[TIME], query.unit)
    return rows


def read(scope: ProjectScope, query: MetricsQuery) -> list[dict[str, Any]]:
    """The rows that there are, with times as times. Raises as `run` does."""
    check(query)
    rows = _read(scope, query)[1]
    _check_length(rows)
    return rows


def _read(scope: ProjectScope, query: MetricsQuery) -> tuple[list[str], list[dict[str, Any]]]:
    statement, labels = _statement(scope, query)
    found = store.rows(scope, statement.limit(_limit(query)), tag="metrics")
    return labels, [dict(zip(labels, row, strict=True)) for row in found]


def _limit(query: MetricsQuery) -> int:
    return MOST_ROWS + 1 if query.limit is None else query.limit


def _check_length(rows: list[dict[str, Any]]) -> None:
    if len(rows) > MOST_ROWS:
        raise TooExpensive(
            f"This gives more than {MOST_ROWS} rows. Narrow the time range, take a coarser granularity, "
            "add a filter or set config.row_limit."
        )


def _statement(scope: ProjectScope, query: MetricsQuery) -> tuple[Select[Any], list[str]]:
    """Columns are named by position, so that a dimension may be called like a column of a table."""
    records = _records(scope, query).subquery("records")
    groups = {name: _shown(query, name, records) for name in query.grouped_by}
    if query.unit:
        groups[TIME] = records.c[TIME]
    values = {one.label: _aggregate(query, one, records) for one in query.metrics} or {"count": fn.count()}
    columns = {name: value.label(f"v{at}") for at, (name, value) in enumerate({**groups, **values}.items())}
    statement = select_from(*columns.values()).select_from(records).where(*_of_members(scope, query, records))
    if groups:
        statement = statement.group_by(*(columns[name] for name in groups))
    order = _order(query, list(groups))
    ordered = (columns[name].desc() if is_descending else columns[name].asc() for name, is_descending in order.items())
    return statement.order_by(*ordered), list(columns)


def _order(query: MetricsQuery, groups: list[str]) -> dict[str, bool]:
    """Labels, and whether downwards. Ties are decided by the dimensions, so that a limit always cuts the same rows."""
    if query.order:
        asked = query.order
    elif query.unit:
        asked = ((TIME, False),)
    else:
        asked = tuple((one.label, True) for one in query.metrics[:1] if one.aggregation != HISTOGRAM)
    order: dict[str, bool] = {}
    for name, is_descending in (*asked, *((name, False) for name in groups)):
        order.setdefault(name, is_descending)
    return order


def _records(scope: ProjectScope, query: MetricsQuery) -> Select[Any]:
    """A row for each record in question, or for each member of its exploded lists."""
    view = query.view
    columns = [literal(1).label("one")]
    for name in query.grouped_by:
        dimension = query.dimension(name)
        shown = fn.explode(dimension.expression) if dimension.is_exploded else dimension.expression
        columns.append(shown.label(_dimension_label(name)))
    if query.unit:
        columns.append(fn.bucket(view.time, unit=query.unit).label(TIME))
    for name in dict.fromkeys(one.measure for one in query.metrics):
        measure = view.measures[name]
        if measure.expression is not None:
            columns.append(measure.expression.label(_measure_label(name)))
    select = store.select(scope, view.table, *columns)
    for join in sorted(_joins(query)):
        joined = view.joins[join](scope, query)
        select = select.join(joined.source, joined.on, isouter=joined.is_outer)
    of_records = [item for item in query.filters if not _is_of_members(query, item.column)]
    return select.where(*query.in_range, *filters.conditions(scope, view.filter_columns, of_records))


def _joins(query: MetricsQuery) -> set[str]:
    dimensions, measures = query.view.dimensions, query.view.measures
    names = {*query.grouped_by, *(item.column for item in query.filters)}
    needed = {dimensions[name].join for name in names if name in dimensions}
    return (needed | {measures[one.measure].join for one in query.metrics}) - {""}


def _is_of_members(query: MetricsQuery, column: str) -> bool:
    """Whether a filter chooses among the keys of a map, and not among the records that have the map."""
    dimension = query.view.dimensions.get(column)
    return dimension is not None and dimension.is_exploded and dimension.kind == "text"


def _of_members(scope: ProjectScope, query: MetricsQuery, records: Any) -> list[Any]:
    return [
        filters.condition(scope, filters.Column("text", records.c[_dimension_label(item.column)]), item)
        for item in query.filters
        if _is_of_members(query, item.column)
    ]


def _shown(query: MetricsQuery, name: str, records: Any) -> Any:
    value = records.c[_dimension_label(name)]
    return fn.empty_to_null(value) if query.dimension(name).kind == "text" else value


def _aggregate(query: MetricsQuery, metric: Metric, records: Any) -> Any:
    measure = query.view.measures[metric.measure]
    if measure.expression is None and metric.aggregation in COUNTS:
        return fn.count()
    return AGGREGATIONS[metric.aggregation](_measured(metric, measure, records), query.bins)


def _measured(metric: Metric, measure: Measure, records: Any) -> Any:
    if measure.expression is None:
        return records.c.one
    value = records.c[_measure_label(metric.measure)]
    return fn.map_get(value, records.c[_dimension_label(measure.by)]) if measure.by else value


def _dimension_label(name: str) -> str:
    """Keys of metadata hold any characters, and names of columns do not."""
    return f"d_{name}" if name.isidentifier() else f"d_{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _measure_label(name: str) -> str:
    return f"m_{name}"
