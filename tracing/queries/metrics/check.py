"""Whether a query can be answered, in the words that clients know."""

from __future__ import annotations

from config.errors import Invalid
from tracing.queries.metrics.aggregations import AGGREGATIONS, HISTOGRAM, TEXT_AGGREGATIONS
from tracing.queries.metrics.model import TIME, Metric, MetricsQuery, View


def check(query: MetricsQuery) -> None:
    """Raises Invalid for the first thing that is wrong. Filters were checked when they were read."""
    for name in query.dimensions:
        if query.view.dimension(name) is None:
            raise Invalid(f"Invalid dimension {name}. Must be one of {','.join(query.view.dimensions)}")
    for metric in query.metrics:
        _check_metric(query.view, metric)
    _check_taken_apart(query)
    _check_order(query)
    if query.view.is_careful:
        _check_cardinality(query)


def check_filter_column(view: View, name: str) -> None:
    if name not in view.filter_columns:
        raise Invalid(f"Invalid filter column {name}. Must be one of {','.join(view.dimensions)} or {view.time.name}")


def _check_metric(view: View, metric: Metric) -> None:
    if metric.measure not in view.measures:
        raise Invalid(f"Invalid metric {metric.measure}. Must be one of {','.join(view.measures)}")
    allowed = tuple(AGGREGATIONS) if view.measures[metric.measure].is_number else TEXT_AGGREGATIONS
    if metric.aggregation not in allowed:
        raise Invalid(
            f"Aggregation {metric.aggregation} is not supported for metric {metric.measure}. "
            f"Must be one of {','.join(allowed)}"
        )


def _check_taken_apart(query: MetricsQuery) -> None:
    """The keys of two maps would multiply each other."""
    maps = [name for name, one in query.view.dimensions.items() if one.is_exploded and one.kind == "text"]
    asked = [name for name in maps if name in query.grouped_by]
    if len(asked) > 1:
        raise Invalid(f"Dimensions {' and '.join(asked)} cannot be used together: ask for each by itself.")
    for item in query.filters:
        if item.column in maps and item.column not in asked:
            raise Invalid(f"A filter on {item.column} needs {item.column} among the dimensions.")


def _check_order(query: MetricsQuery) -> None:
    """The bars of a histogram have no order."""
    known = {*query.grouped_by, *(one.label for one in query.metrics if one.aggregation != HISTOGRAM)}
    if query.unit:
        known.add(TIME)
    for name, _ in query.order:
        if name not in known:
            raise Invalid(f"Invalid orderBy field: {name}. Must be one of the dimension or metric fields.")


def _check_cardinality(query: MetricsQuery) -> None:
    """Dimensions with very many values need a top few: a limit, and the metric that decides who is in."""
    many = [name for name in query.grouped_by if query.dimension(name).is_high_cardinality]
    if not many:
        return
    who = f"High cardinality dimension(s) '{', '.join(many)}'"
    if query.unit:
        raise Invalid(f"{who} cannot be used with timeDimension: each would have a row at each time.")
    labels = {one.label for one in query.metrics}
    downwards = [name for name, is_descending in query.order if is_descending]
    if query.limit is None or not downwards or not labels.issuperset(downwards):
        raise Invalid(f"{who} require both 'config.row_limit' and 'orderBy' with direction 'desc' on a measure field.")
